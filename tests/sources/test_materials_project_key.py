"""The key of the Materials Project: needed, checked, sent to one host, and shown nowhere."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources import json_service
from gnnmat.sources.materials_project import MaterialsProjectSource

from .scripted_service import Asked, Said, Scripted, scripted_service
from .summary_service import KEY, ROWS, answer


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(json_service, "sleep", made.append)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MP_API_KEY", KEY)
    return made


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    with scripted_service(answer) as running:
        monkeypatch.setenv("MP_API_ENDPOINT", running.address)
        yield running


@pytest.mark.parametrize("key", ["", "  "])
@pytest.mark.usefixtures("service")
def test_a_missing_key_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MP_API_KEY", key)
    words = r"MP_API_KEY is not set.\nFix: Get one at https://next-gen.materialsproject.org/api"
    with pytest.raises(GnnmatError, match=words):
        MaterialsProjectSource().open()


def everything_said(error: BaseException) -> str:
    """Message, traceback with its causes, and the pickled error."""
    return "".join(traceback.format_exception(error)) + repr(pickle.dumps(error))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("wrong-key-0123456789", "does not accept the key in MP_API_KEY"),
        ("two words of a key", "does not hold a key"),
        ("line\nbreak-in-the-key", "does not hold a key"),
        ("tiny", "does not hold a key"),
        ("schlüssel-schlüssel", "does not hold a key"),
    ],
)
@pytest.mark.usefixtures("service")
def test_a_wrong_key_is_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setenv("MP_API_KEY", key)
    with pytest.raises(GnnmatError, match=words) as caught:
        MaterialsProjectSource().open()
    assert key not in str(caught.value)


def test_the_key_is_in_no_file_no_log_no_output_and_no_address(
    service: Scripted,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    source = MaterialsProjectSource(fields=(), limit=2)
    records = source.open()
    assert service.asked[0].headers["X-API-KEY"] == KEY
    assert all(KEY not in one.url for one in service.asked)
    for file in (tmp_path / "cache").rglob("*"):
        assert KEY.encode() not in (file.read_bytes() if file.is_file() else b"")
    said = capfd.readouterr()
    assert KEY not in said.out + said.err + caplog.text
    assert KEY not in repr(source) + source.model_dump_json() + repr(records)


def test_the_key_follows_neither_a_link_nor_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_service(lambda _: Said({"data": ROWS[:1], "meta": {}})) as stranger:
        away = Said("", 307, {"Location": stranger.address + "/materials/summary/"})
        with scripted_service(lambda _: away) as service:
            monkeypatch.setenv("MP_API_ENDPOINT", service.address)
            with pytest.raises(GnnmatError, match="sends to another host"):
                MaterialsProjectSource().open()
    assert stranger.asked == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_an_answer_that_repeats_the_key_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def echo(asked: Asked) -> Said:
        return Said({"detail": f"no: {asked.headers['X-API-KEY']}"}, status)

    with scripted_service(echo) as service:
        monkeypatch.setenv("MP_API_ENDPOINT", service.address)
        with pytest.raises(GnnmatError, match=r"no: \*\*\*") as caught:
            MaterialsProjectSource().open()
    assert KEY not in everything_said(caught.value)


def test_a_dead_endpoint_does_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_ENDPOINT", "http://127.0.0.1:9/")
    with pytest.raises(GnnmatError, match=r"No connection to 127.0.0.1:9") as caught:
        MaterialsProjectSource(timeout=1).open()
    assert KEY not in everything_said(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://example.org/", "the key would travel unencrypted"),
        ("ftp://example.org/", "MP_API_ENDPOINT 'ftp://example.org/' is no address"),
        ("https://me:secret@example.org", "holds a user name or a password"),
    ],
)
def test_an_endpoint_that_would_betray_the_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, words: str
) -> None:
    monkeypatch.setenv("MP_API_ENDPOINT", endpoint)
    with pytest.raises(GnnmatError, match=words):
        MaterialsProjectSource().open()
