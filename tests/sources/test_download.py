"""Downloads, against a server of our own on 127.0.0.1."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.download import cache_folder, download, sha256

BODY = bytes(range(256)) * 2000  # 512 kB: several pieces
SHA = hashlib.sha256(BODY).hexdigest()
WRONG = "0" * 64


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.together = threading.Barrier(2, timeout=10)
        self.released = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.server.asked.append(name)
        if name in ("missing", "broken"):
            self.send_error(404 if name == "missing" else 503)
            return
        if name == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if name == "silent":
            self.server.released.wait(5)
            return
        if name == "together":
            self.server.together.wait()
        self.send_response(200)
        if name != "nolength":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        cut = name == "truncated" or (name == "cut" and self.server.asked.count("cut") == 1)
        if name == "stuck" and self.server.asked.count("stuck") == 1:
            self.wfile.write(BODY[:300_000])
            self.wfile.flush()
            self.server.released.wait(20)
        else:
            self.wfile.write(BODY[:300_000] if cut else BODY)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = _Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "data.bin"


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.is_dir() else []


def test_a_file_arrives_whole(server: _Server, target: Path) -> None:
    assert download(server.url("ok"), target, known_sha256=SHA, size=len(BODY)) == target
    assert target.read_bytes() == BODY
    assert _left(target) == ["data.bin"]


def test_a_file_on_disk_is_not_fetched_again(server: _Server, target: Path) -> None:
    for _ in range(2):
        download(server.url("ok"), target, known_sha256=SHA)
    assert server.asked == ["ok"]


def test_a_file_that_changed_on_disk_is_fetched_again(server: _Server, target: Path) -> None:
    download(server.url("ok"), target, known_sha256=SHA)
    target.write_bytes(BODY[:1000])
    download(server.url("ok"), target, known_sha256=SHA)
    assert sha256(target) == SHA


def test_a_wrong_checksum_names_both_and_keeps_nothing(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match="another checksum") as caught:
        download(server.url("ok"), target, known_sha256=WRONG)
    assert f"Expected sha256 {WRONG}, got {SHA}." in str(caught.value)
    assert _left(target) == []


def test_a_wrong_checksum_leaves_the_older_file_alone(server: _Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"older")
    with pytest.raises(GnnmatError, match="another checksum"):
        download(server.url("ok"), target, known_sha256=WRONG)
    assert target.read_bytes() == b"older"


def test_a_wrong_size_keeps_nothing(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match="Expected 7 bytes, got 512000"):
        download(server.url("ok"), target, size=7)
    assert _left(target) == []


@pytest.mark.parametrize("known", [SHA, None], ids=["verified", "unverified"])
def test_an_answer_cut_short_keeps_nothing(
    server: _Server, target: Path, known: str | None
) -> None:
    with pytest.raises(GnnmatError, match="broke off before its end"):
        download(server.url("truncated"), target, known_sha256=known)
    assert _left(target) == []


def test_a_connection_cut_half_way_is_begun_again(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match="starts from its beginning"):
        download(server.url("cut"), target)
    download(server.url("cut"), target)
    assert target.read_bytes() == BODY


def test_a_missing_page_says_404(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match=r"There is no file at .*/missing \(HTTP 404\)"):
        download(server.url("missing"), target, known_sha256=SHA)
    assert _left(target) == []


def test_a_server_in_trouble_says_its_status(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match=r"refused .* \(HTTP 503\)"):
        download(server.url("broken"), target)


def test_silence_ends_after_the_timeout(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match=r"No answer from 127\.0\.0\.1:\d+ for 0\.3 s"):
        download(server.url("silent"), target, timeout=0.3)
    assert _left(target) == []


def test_silence_half_way_ends_after_the_timeout(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match=r"No answer from 127\.0\.0\.1:\d+ for 0\.3 s"):
        download(server.url("stuck"), target, timeout=0.3)
    assert _left(target) == []


def test_a_refused_connection_names_the_host(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(GnnmatError, match=f"No connection to 127.0.0.1:{port}"):
        download(f"http://127.0.0.1:{port}/x", target)


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://host/x", "doi:10.5281/zenodo.1/x", "x.csv", "sftp://h/x"]
)
def test_other_addresses_are_refused(url: str, target: Path) -> None:
    with pytest.raises(GnnmatError, match="only http and https"):
        download(url, target)
    assert _left(target) == []


def test_a_server_cannot_lead_to_another_kind_of_address(server: _Server, target: Path) -> None:
    with pytest.raises(GnnmatError, match="cannot be downloaded"):
        download(server.url("elsewhere"), target)
    assert _left(target) == []


def test_a_folder_that_cannot_be_made_is_named(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GnnmatError, match="cannot be written"):
        download(server.url("ok"), tmp_path / "file" / "data.bin")


def test_an_unverified_file_is_guarded_by_its_first_checksum(server: _Server, target: Path) -> None:
    download(server.url("nolength"), target)
    download(server.url("nolength"), target)
    assert server.asked == ["nolength"]
    target.write_bytes(BODY[:-1])
    with pytest.raises(GnnmatError, match="has changed since it was downloaded"):
        download(server.url("nolength"), target)


def test_two_downloads_at_once_do_not_collide(server: _Server, target: Path) -> None:
    def fetch(_: int) -> Path:
        return download(server.url("together"), target, known_sha256=SHA, quiet=True)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fetch, range(2))) == [target, target]
    assert server.asked == ["together", "together"]
    assert target.read_bytes() == BODY
    assert _left(target) == ["data.bin"]


def test_a_killed_download_leaves_no_file_of_that_name(server: _Server, target: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gnnmat.sources.download import download;"
        "download(sys.argv[1], Path(sys.argv[2]), quiet=True)"
    )
    running = subprocess.Popen([sys.executable, "-c", code, server.url("stuck"), str(target)])
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > 100_000 for path in target.parent.glob("*")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert len(_left(target)) == 1
    assert not target.exists()
    download(server.url("stuck"), target)
    assert target.read_bytes() == BODY


def test_the_cache_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("GNNMAT_CACHE")
    assert cache_folder().name == "gnnmat"
