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

from .optimade_answers import opened, page, salt
from .scripted_service import Asked, Said, Scripted, scripted_service


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in seconds; none takes any time."""
    made: list[float] = []
    monkeypatch.setattr(json_service, "sleep", made.append)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    return made


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
