"""Providers that are slow, busy, broken or false: an error in words, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources import harvest, json_service
from gnnmat.sources.optimade import OptimadeSource

from .scripted_service import Asked, Said, Scripted, scripted_service


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in seconds; none takes any time."""
    made: list[float] = []
    monkeypatch.setattr(json_service, "sleep", made.append)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    return made


def salt(name: str, **changes: Any) -> dict[str, Any]:
    """CsCl as OPTIMADE describes it."""
    attributes = {
        "lattice_vectors": [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]],
        "dimension_types": [1, 1, 1],
        "cartesian_site_positions": [[0, 0, 0], [2.06, 2.06, 2.06]],
        "species": [
            {"name": "Cs", "chemical_symbols": ["Cs"], "concentration": [1.0]},
            {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
        ],
        "species_at_sites": ["Cs", "Cl"],
        "structure_features": [],
        "nsites": 2,
    }
    return {"id": name, "type": "structures", "attributes": {**attributes, **changes}}


def page(*entries: Any, after: Any = None, total: Any = None, **meta: Any) -> Said:
    return Said(
        {
            "data": list(entries),
            "links": {"next": after},
            "meta": {"data_returned": total, **meta},
        }
    )


def opened(service: Scripted, **options: Any) -> Any:
    return OptimadeSource(provider=service.address, **{"timeout": 5, **options}).open()


def place(asked: Asked) -> int:
    """Which page is asked for."""
    return int(asked.params.get("page", 0))


def test_pages_follow_each_other(waits: list[float]) -> None:
    def answer(asked: Asked) -> Said:
        if place(asked) == 0:
            return page(salt("a"), salt("b"), after="?page=1", total=3, request_delay=2)
        return page(salt("c"), total=3)

    with scripted_service(answer) as service:
        records = opened(service, filter="nsites=2")
    assert records.ids == ["a", "b", "c"]
    assert records.refused == []
    assert service.asked[0].params["filter"] == "nsites=2"
    assert len(service.asked) == 2
    assert waits == [2]  # as the provider wished


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"Retry-After": "7"}, [7, 7]),
        ({}, [1, 2]),
        ({"Retry-After": "soon"}, [1, 2]),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, [0, 0]),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_provider_is_asked_again_as_late_as_it_says(
    waits: list[float], status: int, header: dict[str, str], expected: list[float]
) -> None:
    def answer(asked: Asked) -> Said:
        return page(salt("a")) if asked.number == 2 else Said("busy", status, header)

    with scripted_service(answer) as service:
        assert opened(service).ids == ["a"]
    assert waits == expected


def test_a_provider_that_stays_busy_is_left_alone(waits: list[float]) -> None:
    with (
        scripted_service(lambda _: Said({"detail": "slow down"}, 429)) as service,
        pytest.raises(GnnmatError, match=r"too many requests \(HTTP 429\)[\s\S]*slow down"),
    ):
        opened(service)
    assert len(service.asked) == json_service.TRIES
    assert waits == [1, 2, 4, 8]


def test_who_asks_for_an_hour_of_patience_is_not_waited_for(waits: list[float]) -> None:
    with (
        scripted_service(lambda _: Said("", 503, {"Retry-After": "3600"})) as service,
        pytest.raises(GnnmatError, match="It asks to wait 3600 s"),
    ):
        opened(service)
    assert len(service.asked) == 1
    assert waits == []


def test_a_provider_that_times_out_is_named_with_the_time() -> None:
    def answer(_: Asked) -> Said:
        sleep(0.6)
        return page(salt("a"))

    with (
        scripted_service(answer) as service,
        pytest.raises(GnnmatError, match=r"No answer from 127.0.0.1:\d+ for 0.1 s"),
    ):
        opened(service, timeout=0.1)
    assert len(service.asked) == json_service.TRIES


def test_nobody_there_is_an_error_in_words() -> None:
    with scripted_service(lambda _: Said()) as service:
        pass
    with pytest.raises(GnnmatError, match=r"No connection to 127.0.0.1:\d+\.\nConnectionError"):
        opened(service)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said('{"data": [{"id": "a"'), r"no JSON, or only a part[\s\S]*begins with: {\"data\""),
        (Said("<html>\x1b[31mBad</html>"), "begins with: <html>.31mBad"),
        (Said("[" * 100_000), "no JSON"),
        (Said('{"data": []}', 200, {"Content-Length": "999"}), "broke off before its end"),
        (Said("nothing", 200, {"Content-Encoding": "gzip"}), "cannot be unpacked"),
    ],
)
def test_half_an_answer_is_asked_for_again_and_then_named(said: Said, words: str) -> None:
    with scripted_service(lambda _: said) as service:
        with pytest.raises(GnnmatError, match=words):
            opened(service)
        assert len(service.asked) == json_service.TRIES
    with scripted_service(lambda one: page(salt("a")) if one.number else said) as service:
        assert opened(service).ids == ["a"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([1, 2], "sent a JSON list, not an object"),
        ({"result": []}, r"'data' is no list[\s\S]*The answer holds: result"),
        ({"data": {"id": "a"}}, "'data' is no list"),
        ({"data": []}, "has not one crystal that fits"),
        ({"data": [], "meta": [], "links": "x"}, "has not one crystal that fits"),
        ({"data": [salt("a")], "links": {"next": 7}}, "link to the next page is no address"),
        ({"data": [{"id": "a"}]}, r"1 results were refused. The first: it has no attributes"),
    ],
)
def test_an_answer_of_another_shape_is_an_error(body: Any, words: str) -> None:
    with (
        scripted_service(lambda _: Said(body)) as service,
        pytest.raises(GnnmatError, match=words),
    ):
        opened(service)


def test_a_wrong_filter_is_answered_with_the_providers_words() -> None:
    said = Said({"errors": [{"title": "Bad Request", "detail": "no such field: nsite"}]}, 400)
    with (
        scripted_service(lambda _: said) as service,
        pytest.raises(GnnmatError, match=r"refused the request \(HTTP 400\).\nno such field"),
    ):
        opened(service, filter="nsite=2")


@pytest.mark.parametrize("after", ["?page=1", {"href": "?page=1", "meta": {}}])
def test_the_same_page_again_ends_with_an_error(after: Any) -> None:
    def answer(asked: Asked) -> Said:
        return page(salt("a"), salt("b"), after=after)

    with scripted_service(answer) as service:
        with pytest.raises(GnnmatError, match=r"same page again[\s\S]*limit: 2"):
            opened(service)
        assert len(service.asked) == 2
        assert opened(service, limit=2).ids == ["a", "b"]
        assert len(service.asked) == 2


def test_results_without_a_name_do_not_go_on_for_ever() -> None:
    def answer(asked: Asked) -> Said:
        entry = {"type": "structures", "attributes": salt("")["attributes"]}
        return page(entry, after=f"?page={place(asked) + 1}")

    with scripted_service(answer) as service, pytest.raises(GnnmatError, match="same page again"):
        opened(service)
    assert len(service.asked) == 1


def test_a_result_that_comes_twice_is_taken_once() -> None:
    pages = [page(salt("a"), salt("b"), after="?page=1"), page(salt("b"), salt("c"))]
    with scripted_service(lambda asked: pages[place(asked)]) as service:
        records = opened(service)
    assert records.ids == ["a", "b", "c"]
    assert [(one.id, one.reason) for one in records.refused] == [("b", harvest.COPY)]


def test_a_last_page_of_copies_is_the_end() -> None:
    pages = [page(salt("a"), after="?page=1"), page(salt("a"))]
    with scripted_service(lambda asked: pages[place(asked)]) as service:
        assert opened(service).ids == ["a"]


def endless(asked: Asked) -> Said:
    """Ten results a page, and no last page."""
    first = 10 * place(asked)
    entries = [salt(str(first + one)) for one in range(10)]
    return page(*entries, after=f"?page={place(asked) + 1}", total=10**6)


def test_no_more_than_the_limit_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted_service(endless) as service:
        records = opened(service, limit=25)
        assert records.ids == [str(one) for one in range(25)]
        assert len(service.asked) == 3
        assert "25 of 1,000,000 results are taken; `limit: null`" in capsys.readouterr().err
        assert len(opened(service, limit=3)) == 3  # of those that are there
        assert len(service.asked) == 3
        assert len(opened(service, limit=31)) == 31  # goes on where it stopped
        assert [place(one) for one in service.asked] == [0, 1, 2, 3]


def test_a_thousand_is_the_limit_unless_another_is_given() -> None:
    def answer(asked: Asked) -> Said:
        entries = [salt(f"{place(asked)}-{row}") for row in range(400)]
        return page(*entries, after=f"?page={place(asked) + 1}")

    with scripted_service(answer) as service:
        assert len(opened(service)) == 1000
        assert len(service.asked) == 3
        assert len(opened(service, limit=1300)) == 1300


def test_a_database_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvest, "MOST", 40)
    with scripted_service(endless) as service, pytest.raises(GnnmatError, match="no end of"):
        opened(service, limit=None)
    assert len(service.asked) == 4


def test_too_large_an_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_service, "LARGEST", 2**20)
    with (
        scripted_service(lambda _: Said(" " * 2**22)) as service,
        pytest.raises(GnnmatError, match="more than 1 MiB in one answer"),
    ):
        opened(service)


def test_fewer_results_than_announced_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted_service(lambda _: page(salt("a"), total=5)) as service:
        assert opened(service, limit=None).ids == ["a"]
    assert "5 results were announced and only 1 came" in capsys.readouterr().err


@pytest.fixture
def stranger() -> Iterator[Scripted]:
    with scripted_service(lambda _: page(salt("stolen"))) as service:
        yield service


@pytest.mark.parametrize("link", ["{}/v1/structures", "//user@{}/", "http://[", "ftp://{}"])
def test_a_link_to_another_host_is_not_followed(stranger: Scripted, link: str) -> None:
    place = stranger.address if link.startswith("{") else stranger.address.partition("//")[2]
    with (
        scripted_service(lambda _: page(salt("a"), after=link.format(place))) as service,
        pytest.raises(GnnmatError, match="sends to another host"),
    ):
        opened(service)
    assert stranger.asked == []


@pytest.mark.parametrize("link", ["{}/v1/structures", "http://["])
def test_a_redirect_to_another_host_is_not_followed(stranger: Scripted, link: str) -> None:
    said = Said("", 302, {"Location": link.format(stranger.address)})
    with (
        scripted_service(lambda _: said) as service,
        pytest.raises(GnnmatError, match=r"another host, '127.0.0.1:\d+'|redirects to what is no"),
    ):
        opened(service)
    assert stranger.asked == []


def test_a_redirect_on_the_same_host_is_followed_but_not_in_circles() -> None:
    def once(asked: Asked) -> Said:
        return page(salt("a")) if "there" in asked.url else Said("", 301, {"Location": "/there"})

    with scripted_service(once) as service:
        assert opened(service).ids == ["a"]
    with (
        scripted_service(lambda _: Said("", 302, {"Location": "/"})) as service,
        pytest.raises(GnnmatError, match="in a circle"),
    ):
        opened(service)


FALSE: list[tuple[Any, str]] = [
    (None, "it is no JSON object"),
    ("text", "it is no JSON object"),
    ({"attributes": {}}, "it has no id"),
    ({"id": {}, "attributes": {}}, "it has no id"),
    ({"id": "x"}, "it has no attributes"),
    ({"id": "x", "attributes": []}, "it has no attributes"),
    ({"id": "x", "attributes": {}}, "cartesian_site_positions is missing"),
    (salt("x", lattice_vectors=None), "lattice_vectors is missing"),
    (salt("x", lattice_vectors="abc"), "lattice_vectors is a str, not a list"),
    (salt("x", lattice_vectors=[[1, 0, 0]]), "there are 1 lattice vectors, expected 3"),
    (salt("x", lattice_vectors=[[4, 0, 0], [0, 4, 0], None]), "a lattice vector is missing"),
    (salt("x", lattice_vectors=[["a", 0, 0], [0, 4, 0], [0, 0, 4]]), "not as OPTIMADE describes"),
    (salt("x", lattice_vectors=[[1e400, 0, 0], [0, 4, 0], [0, 0, 4]]), "vector is missing"),
    (salt("x", lattice_vectors=[[0, 0, 0]] * 3), "no periodic cell"),
    (salt("x", dimension_types=[0, 0, 0]), "no periodic cell"),
    (salt("x", dimension_types=[1]), "dimension_types is not a list of three"),
    (salt("x", cartesian_site_positions=[[0, 0, 0]]), "there are 1 positions, 2 species"),
    (salt("x", nsites=3), "there are 2 positions, 2 species and nsites 3"),
    (salt("x", nsites="two"), "and nsites two"),
    (salt("x", cartesian_site_positions=[[0, 0, 0], [None] * 3]), "position of atom 2 is unknown"),
    (salt("x", cartesian_site_positions=[[0, 0, 0], [1, 2]]), "position of atom 2 is unknown"),
    (salt("x", cartesian_site_positions=[[0, 0, 0]] * 2), "0.000 Å apart"),
    (salt("x", species_at_sites=["Cs", None]), "species of atom 2 is unknown"),
    (salt("x", species_at_sites=["Cs", "Xx"]), "atom 2 is 'Xx', which is not an element"),
    (salt("x", species=[{"name": "Cl", "chemical_symbols": "Cl"}]), "does not say which elements"),
    (salt("x", species=5), "not as OPTIMADE describes"),
    (salt("x", structure_features=["disorder"]), "partial occupancy"),
    (salt("x", structure_features=["unknown_positions"]), "positions of atoms are unknown"),
    (salt("x", structure_features=["implicit_atoms"]), "positions are unknown"),
    (
        salt("x", species=[{"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [0.5]}]),
        "atom 2 has partial occupancy (Cl 0.5)",
    ),
    (
        salt(
            "x",
            species=[
                {"name": "Cl", "chemical_symbols": ["Cl", "vacancy"], "concentration": [0.9, 0.1]}
            ],
        ),
        "partial occupancy (Cl 0.9, vacancy 0.1)",
    ),
    (
        salt("x", species=[{"name": "Cl", "chemical_symbols": ["X"], "concentration": [1.0]}]),
        "atom 2 is 'X', which is not an element",
    ),
]


def test_a_bad_structure_is_refused_and_the_rest_is_taken() -> None:
    entries = [
        {**entry, "id": f"bad {row}"}
        if isinstance(entry, dict) and entry.get("id") == "x"
        else entry
        for row, (entry, _) in enumerate(FALSE)
    ]
    with scripted_service(lambda _: page(salt("a"), *entries, salt("b"))) as service:
        records = opened(service)
    assert records.ids == ["a", "b"]
    assert records.read(records.raws[1]).numbers.tolist() == [55, 17]
    assert len(records.refused) == len(FALSE)
    for (_, words), refusal in zip(FALSE, records.refused, strict=True):
        assert words in refusal.reason
    assert records.refused[0].id == "result 2"
    assert records.refused[-1].origin.endswith(f", bad {len(FALSE) - 1}")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([True, False, True], [True, False, True]),
        ([1, "2 eV", None], ["1", "2 eV", None]),
        ([{"a": 1}, "x", None], ['{"a": 1}', "x", None]),
        ([[1, 2], [3], None], [[1, 2], [3], None]),
        ([10**400, 1, 2], [None, 1.0, 2.0]),
    ],
)
def test_a_property_has_one_type(values: list[Any], expected: list[Any]) -> None:
    entries = [salt(str(row), _x_value=value) for row, value in enumerate(values)]
    with scripted_service(lambda _: page(*entries)) as service:
        found = opened(service, properties=["_x_value"]).table["_x_value"].tolist()
    assert [None if value != value else value for value in found] == expected


def test_a_property_that_nobody_has_is_an_error() -> None:
    with (
        scripted_service(lambda _: page(salt("a"))) as service,
        pytest.raises(GnnmatError, match=r"gives no '_x_gap'[\s\S]*/v1/info/structures"),
    ):
        opened(service, properties=["_x_gap"])


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("oqdm", "no provider 'oqdm'.*Did you mean 'oqmd'"),
        ("ftp://example.org", "is no address"),
        ("https://me:secret@example.org", "user name or a password"),
        ("https://", "is no address"),
    ],
)
def test_a_provider_that_cannot_be_one_is_refused_at_once(provider: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OptimadeSource(provider=provider)


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(harvest, "write_page", full)
    with (
        scripted_service(endless) as service,
        pytest.raises(
            GnnmatError, match=r"cannot be kept in[\s\S]*No space left[\s\S]*GNNMAT_CACHE"
        ),
    ):
        opened(service)
