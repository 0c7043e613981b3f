"""The files of spectra in a folder, a pattern or a list, and what tells their contents apart."""

from __future__ import annotations

import contextlib
import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path

from gnnmat.errors import GnnmatError
from gnnmat.sources.paths import expand_path
from gnnmat.sources.spectrum_files import LISTS, SUFFIXES

HASHED = 2**26  # bytes; a longer file is known by its length and time


def find_spectra(given: Sequence[str]) -> list[tuple[Path, str]]:
    """Files of spectra with their relative paths, sorted.

    In a folder, lists of slices are passed over: name them, since their parts lie beside them.

    Raises:
        GnnmatError: a path that is not there, or nothing found.
    """
    found: dict[Path, str] = {}
    for text in given:
        path = expand_path(text)
        if path.is_dir():
            wanted = set(SUFFIXES) - set(LISTS)
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix.lower() in wanted:
                    found.setdefault(file, file.relative_to(path).as_posix())
        elif path.is_file():
            found.setdefault(path, path.name)
        else:
            matches = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
            if not matches:
                raise GnnmatError(f"There is no file or folder '{path}'.")
            for file in matches:
                if file.is_file() and file.suffix.lower() in SUFFIXES:
                    found.setdefault(file, file.as_posix())
    if not found:
        raise GnnmatError(
            f"No spectrum in '{', '.join(given)}'.", why=f"Looked for {', '.join(SUFFIXES)}."
        )
    return list(found.items())


def file_digest(path: Path) -> bytes:
    """Digest of a file and of the parts that it lists; what cannot be read has none."""
    files = [path]
    if path.suffix.lower() in LISTS:
        from gnnmat.sources.slice_stack import part_files

        with contextlib.suppress(GnnmatError):
            files += part_files(path)
    sha = hashlib.sha256()
    for file in files:
        try:
            stat = file.stat()
            if stat.st_size <= HASHED:
                sha.update(file.read_bytes())
            else:
                sha.update(f"{file} {stat.st_size} {stat.st_mtime_ns}".encode())
        except OSError:
            sha.update(str(file).encode())
    return sha.digest()
