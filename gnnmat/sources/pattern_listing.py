"""The powder patterns in a folder or a .zip archive, read member by member and never unpacked."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from gnnmat.errors import GnnmatError
from gnnmat.sources.paths import expand_path
from gnnmat.sources.powder_files import LARGEST, READERS, check_kind
from gnnmat.sources.records import Refusal

MOST_MEMBERS = 5_000  # of an archive
ARCHIVE = ".zip"
LARGEST_ARCHIVE = 4_000_000_000  # bytes of all members together
# What people keep beside their patterns and mean no pattern by.
NOT_MEANT = {".md", ".rst", ".yaml", ".yml", ".html", ".pdf", ".py", ".ipynb", ".sh", ".log"}
READ_ME = {"README", "LICENSE", "LICENCE", "MANIFEST"}


@dataclass(frozen=True)
class PatternFile:
    """One file with a pattern.

    Args:
        relative: path below the folder, or in the archive, with slashes.
        file: the file itself, or the archive.
        member: name in the archive; empty for a file.
    """

    relative: str
    file: str
    member: str = ""

    @property
    def origin(self) -> str:
        """Where it lies, for messages."""
        return f"{self.file}: {self.member}" if self.member else self.file

    @property
    def folder(self) -> str:
        """Name of the folder that it lies in; empty at the top."""
        return PurePosixPath(self.relative).parent.name

    def read(self) -> bytes:
        """What the file holds.

        Raises:
            GnnmatError: it is gone, damaged, locked or too large.
        """
        try:
            content = _read_member(self.file, self.member) if self.member else _read_file(self.file)
        except (OSError, zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise GnnmatError(f"'{self.origin}' cannot be read.", why=str(error)) from error
        except RuntimeError as error:  # a password, or a compression that Python does not know
            raise GnnmatError(f"'{self.origin}' cannot be unpacked.", why=str(error)) from error
        return content


def list_patterns(given: str, beside: str | None = None) -> tuple[list[PatternFile], list[Refusal]]:
    """The patterns in a folder (with its sub-folders), in an archive, or one file, sorted.

    Args:
        given: the path; ``$VARIABLES`` are filled in.
        beside: a table of values that may lie in the folder, and is no pattern.

    Returns:
        The files of patterns, and the others, each with the reason why it is none.

    Raises:
        GnnmatError: no such path, no archive, or no pattern in it.
    """
    path = expand_path(given)
    refused: list[Refusal] = []
    if path.is_dir():
        table = None if beside is None else expand_path(beside).resolve()
        found = [
            PatternFile(one.relative_to(path).as_posix(), str(one))
            for one in sorted(path.rglob("*"))
            if one.is_file() and one.resolve() != table
        ]
    elif path.is_file() and path.suffix.lower() == ARCHIVE:
        found, refused = _members(path)
    elif path.is_file():
        found = [PatternFile(path.name, str(path))]
    else:
        raise GnnmatError(f"There is no file or folder '{path}'.")
    kept = []
    for one in found:
        if not is_meant(one.relative):
            continue
        try:
            check_kind(one.relative, one.relative)
            kept.append(one)
        except GnnmatError as error:
            refused.append(Refusal(one.relative, one.origin, error.sentence))
    if not kept:
        others = f" {len(refused)} other files: {refused[0].reason}" if refused else ""
        raise GnnmatError(
            f"No powder pattern in '{path}'.", why=f"Looked for {', '.join(READERS)}.{others}"
        )
    return kept, refused


def digest(files: list[PatternFile]) -> str:
    """Hex digest of what the files hold and of how they are read, in order."""
    sha = hashlib.sha256()
    for one in files:
        try:
            content = one.read()
        except GnnmatError:
            content = one.origin.encode()
        suffix = PurePosixPath(one.relative).suffix.lower()
        sha.update(f"{suffix} {len(content)} ".encode() + content)
    return sha.hexdigest()


def is_meant(relative: str) -> bool:
    """Whether a path below a folder may be meant as a pattern: no hidden file, no README."""
    path = PurePosixPath(relative)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not (hidden or path.suffix.lower() in NOT_MEANT or path.stem.upper() in READ_ME)


def _members(path: Path) -> tuple[list[PatternFile], list[Refusal]]:
    """The files in an archive, sorted; a name that leads out of it is refused."""
    found, refused = [], []
    try:
        members = [one for one in _open(str(path)).infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise GnnmatError(f"'{path}' is not a readable .zip archive.", why=str(error)) from error
    if len(members) > MOST_MEMBERS or sum(one.file_size for one in members) > LARGEST_ARCHIVE:
        size = sum(one.file_size for one in members) / 1e9
        raise GnnmatError(
            f"'{path}' holds {len(members):,} files of {size:.1f} GB together.",
            why=f"An archive may hold {MOST_MEMBERS:,} files of {LARGEST_ARCHIVE / 1e9:.0f} GB.",
            fix="Unpack it, and name the folder.",
        )
    for one in sorted(members, key=lambda member: member.filename):
        name = one.filename.replace("\\", "/")
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
            reason = "its name leads out of the archive"
            refused.append(Refusal(name, f"{path}: {name}", reason))
        else:
            found.append(PatternFile(name, str(path), one.filename))
    return found, refused


def _open(path: str) -> zipfile.ZipFile:
    """The open archive, one a process: its list is read once, however many members are."""
    found = os.stat(path)
    return _opened(path, (found.st_mtime_ns, found.st_size, found.st_ino), os.getpid())


@lru_cache(maxsize=2)
def _opened(path: str, state: tuple[int, ...], process: int) -> zipfile.ZipFile:
    """``state`` tells a replaced file from the one it replaced.

    Forked processes share the place in a file where the next byte is read; each needs its own.
    """
    return zipfile.ZipFile(path)


def _read_member(path: str, name: str) -> bytes:
    with _open(path).open(name) as stream:
        # One byte more than allowed: an archive may lie about how long its members are.
        return _short(stream.read(LARGEST + 1), f"{path}: {name}")


def _read_file(path: str) -> bytes:
    with open(path, "rb") as stream:
        return _short(stream.read(LARGEST + 1), path)


def _short(content: bytes, place: str) -> bytes:
    if len(content) > LARGEST:
        raise GnnmatError(f"'{place}' is longer than {LARGEST / 1e6:.0f} MB: it is no pattern.")
    return content
