"""Files fetched over http, whole and checked or not at all.

pooch downloads into a temporary file of its own in the same folder, compares the checksum and
only then moves the file to its name, so neither a broken download nor two processes at once
can leave a half file under that name. A broken download is begun again from its start.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gnnmat.errors import GnnmatError

if TYPE_CHECKING:
    from requests.exceptions import RequestException
    from rich.progress import Progress, TaskID


def cache_folder() -> Path:
    """Where downloads live: ``GNNMAT_CACHE``, or the platform's cache folder."""
    import pooch

    named = os.environ.get("GNNMAT_CACHE", "")
    return Path(named).expanduser() if named else Path(pooch.os_cache("gnnmat"))


def sha256(file: Path) -> str:
    """SHA-256 of a file, as 64 hex digits."""
    sha = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


def download(
    url: str,
    target: Path,
    *,
    known_sha256: str | None = None,
    size: int | None = None,
    timeout: float = 30.0,
    quiet: bool = False,
) -> Path:
    """The file at ``target``, fetched when it is absent or differs from its checksum.

    Args:
        url: http or https address.
        target: where the file shall lie.
        known_sha256: 64 hex digits; None: not checked.
        size: expected size in bytes, where known.
        timeout: seconds without an answer or a byte before giving up.
        quiet: no progress bar.

    Raises:
        GnnmatError: other kinds of address, no such page, no connection, an answer cut short,
            a wrong checksum or size. Nothing of a failed download is kept.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise GnnmatError(
            f"'{url}' cannot be downloaded: only http and https addresses can.",
            fix="Download it by hand and name the file with `path:` in a card of your own.",
        )
    if target.is_file() and known_sha256 is None:
        check_remembered(target)
        return target
    import pooch
    import requests

    # pooch would log the checksum on its own; `gnnmat.sources.card` says it.
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{known_sha256}" if known_sha256 else None,
            fname=target.name,
            path=target.parent,
            downloader=_Checked(timeout, known_sha256, size, quiet),
        )
    except requests.exceptions.RequestException as error:
        raise _explain(url, error, timeout) from error
    except OSError as error:
        raise GnnmatError(
            f"'{target}' cannot be written.",
            why=f"{error.strerror or error}.",
            fix="Free some space, or name another folder with GNNMAT_CACHE.",
        ) from error
    if known_sha256 is None:
        _remember(target)
    return target


def check_remembered(file: Path) -> None:
    """Refuse a file that changed since it was downloaded unverified.

    Raises:
        GnnmatError: its checksum is not the one written down after the download.
    """
    note = _note(file)
    if not note.is_file():
        return
    expected, found = note.read_text(encoding="ascii").strip(), sha256(file)
    if found != expected:
        raise GnnmatError(
            f"'{file}' has changed since it was downloaded.",
            why=f"Expected sha256 {expected}, got {found}.",
            fix=f"Delete it and '{note.name}' beside it, and fetch it again.",
        )


def _note(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _remember(file: Path) -> None:
    # Without a checksum in the card, the one of the first download guards the file from then on.
    handle, temporary = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(sha256(file) + "\n")
    os.replace(temporary, _note(file))


class _Checked:
    """A downloader for pooch that refuses a wrong size or checksum while the file is temporary."""

    def __init__(
        self, timeout: float, known_sha256: str | None, size: int | None, quiet: bool
    ) -> None:
        self._timeout = timeout
        self._sha256 = known_sha256
        self._size = size
        self._quiet = quiet

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        from pooch import HTTPDownloader

        with _progress(url, self._quiet) as bar:
            # 64 KiB: pooch flushes every piece, and its own 1 KiB is slow on large files.
            fetch = HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=self._timeout)
            fetch(url, output_file, None)
        self._check(url, Path(output_file))

    def _check(self, url: str, file: Path) -> None:
        length = file.stat().st_size
        if self._size is not None and length != self._size:
            raise GnnmatError(
                f"{url} gave a file of another size.",
                why=f"Expected {self._size} bytes, got {length}. Nothing was kept.",
                fix="Run the same command again; if it stays so, the file has changed there.",
            )
        if self._sha256 is None:
            return
        found = sha256(file)
        if found != self._sha256:
            raise GnnmatError(
                f"{url} gave a file with another checksum.",
                why=f"Expected sha256 {self._sha256}, got {found}. Nothing was kept.",
                fix="Run the same command again; if it stays so, the file has changed there.",
            )


class _Bar:
    """What pooch wants of a progress bar, drawn by rich."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._total = 0

    @property
    def total(self) -> int:
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self._total = total
        self._progress.update(self._task, total=total or None)

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Nothing: the bar ends with the block around it, also after an error."""


@contextmanager
def _progress(url: str, quiet: bool) -> Iterator[_Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    looks = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*looks, console=console, disable=quiet or not console.is_terminal) as progress:
        yield _Bar(progress, progress.add_task(f"Downloading {url}", total=None))


def _explain(url: str, error: RequestException, timeout: float) -> GnnmatError:
    from requests import exceptions

    host = urlsplit(url).netloc
    again = "Run the same command again; a download starts from its beginning."
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (404, 410):
            return GnnmatError(
                f"There is no file at {url} (HTTP {status}).",
                fix="Look for its new address at the source that the card names.",
            )
        return GnnmatError(f"{host} refused {url} (HTTP {status}).", fix=again)
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
        return GnnmatError(f"No answer from {host} for {timeout:g} s.", fix=again)
    if isinstance(error, exceptions.ChunkedEncodingError):
        return GnnmatError(
            f"The download of {url} broke off before its end.",
            why="Nothing was kept.",
            fix=again,
        )
    if isinstance(error, exceptions.ConnectionError):
        return GnnmatError(
            f"No connection to {host}.",
            why=f"{type(error).__name__} for {url}.",
            fix="Check the network and the proxy settings, then run the same command again.",
        )
    return GnnmatError(f"{url} cannot be downloaded.", why=f"{error}.", fix=again)
