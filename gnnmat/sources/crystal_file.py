"""Files of crystals: what kind one is by its name, and what it holds as bytes or text."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from gnnmat.errors import GnnmatError

SUFFIXES = {
    ".cif": "cif",
    ".mcif": "cif",
    ".vasp": "poscar",
    ".poscar": "poscar",
    ".contcar": "poscar",
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".json": "json",
    ".db": "db",
    ".traj": "traj",
    ".xsf": "xsf",
    ".gen": "gen",
    ".res": "res",
}
# Read by ASE under the same name. A closed list: some ASE formats run or unpickle the file.
ASE_FORMATS = {"traj", "xsf", "gen", "res"}


@dataclass(frozen=True)
class FilePart:
    """One structure of a file that holds several.

    Args:
        path: the file.
        index: which structure, counted from 0 (it is called ``name#1``, counted from 1).
        offset: where it begins, in bytes, if known; saves reading what comes before.
    """

    path: str
    index: int
    offset: int | None = None


def crystal_format(path: str | Path) -> str | None:
    """Kind of crystal file, by its name; None if it is not known as one."""
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    if name.upper().startswith(("POSCAR", "CONTCAR")):
        return "poscar"
    return SUFFIXES.get(Path(name).suffix.lower())


def read_text(path: str | Path) -> str:
    """Text of a file, unpacked if its name ends in .gz; bytes that are no text are replaced."""
    return read_bytes(path).decode("utf-8-sig", errors="replace")


def read_bytes(path: str | Path) -> bytes:
    """Content of a file, unpacked if its name ends in .gz.

    Raises:
        GnnmatError: the file is missing or cannot be read.
    """
    try:
        content = Path(path).read_bytes()
        return gzip.decompress(content) if str(path).lower().endswith(".gz") else content
    except FileNotFoundError:
        raise GnnmatError(f"There is no file '{path}'.") from None
    except (OSError, EOFError) as error:
        raise GnnmatError(f"The file '{path}' cannot be read: {error}.") from error
