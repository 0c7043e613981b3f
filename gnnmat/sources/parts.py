"""The structures inside one file, listed without reading them.

A CIF with several blocks, an extended XYZ or trajectory with several frames, an ASE database.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Number
from pathlib import Path
from typing import Any

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal_file import FilePart, crystal_format, read_bytes


@dataclass(frozen=True)
class Part:
    """One structure of a file.

    Args:
        raw: what `read_crystal` takes.
        number: counted from 1; 0 if the file holds this one only.
        info: the numbers and words the file gives with it.
    """

    raw: Any
    number: int = 0
    info: Mapping[str, Any] = field(default_factory=dict)


def file_parts(path: Path, content: bytes) -> list[Part]:
    """The structures of a file; a file that cannot be listed is one part, refused when read.

    Args:
        path: where it lies.
        content: its bytes, unpacked.
    """
    try:
        parts = _LISTERS.get(crystal_format(path) or "", _one)(path, content)
    except Exception:
        parts = []
    if len(parts) > 1:
        return parts
    return [Part(str(path), 0, parts[0].info if parts else {})]


def _one(path: Path, content: bytes) -> list[Part]:
    return [Part(str(path))]


def _cif_parts(path: Path, content: bytes) -> list[Part]:
    from gnnmat.sources.cif import cif_blocks

    if content.count(b"_atom_site_fract_x") < 2:
        return [Part(str(path))]
    blocks = len(cif_blocks(content.decode("utf-8-sig", errors="replace")))
    return [Part(FilePart(str(path), index), index + 1) for index in range(blocks)]


def _xyz_parts(path: Path, content: bytes) -> list[Part]:
    offsets = xyz_offsets(content)
    return [
        Part(FilePart(str(path), index, offset), index + 1, _xyz_info(content, offset))
        for index, offset in enumerate(offsets)
    ]


def xyz_offsets(content: bytes) -> list[int]:
    """Where the frames of an XYZ file begin, in bytes."""
    offsets: list[int] = []
    place = 0
    while place < len(content):
        end = content.find(b"\n", place)
        line = content[place : end if end >= 0 else len(content)]
        if not line.strip():
            place = end + 1 if end >= 0 else len(content)
            continue
        offsets.append(place)
        for _ in range(int(line) + 2):
            place = content.find(b"\n", place) + 1
            if place == 0:
                return offsets
    return offsets


def _xyz_info(content: bytes, offset: int) -> dict[str, Any]:
    from ase.io.extxyz import key_val_str_to_dict

    comment = (
        content[offset:].split(b"\n", 2)[1] if len(content) < 1 else _second_line(content, offset)
    )
    pairs = key_val_str_to_dict(comment.decode("utf-8", errors="replace"))
    if "Lattice" not in pairs:
        return {}  # a plain comment, whose words would become columns
    own = {"Lattice", "Properties", "pbc"}
    return _plain({name: value for name, value in pairs.items() if name not in own})


def _second_line(content: bytes, offset: int) -> bytes:
    start = content.find(b"\n", offset) + 1
    end = content.find(b"\n", start)
    return content[start : end if end >= 0 else len(content)].strip()


def xyz_frame(path: str, index: int, offset: int | None) -> str:
    """Text of one frame of an XYZ file; index -1: there must be one only."""
    content = read_bytes(path)
    if offset is None:
        try:
            offsets = xyz_offsets(content)
        except ValueError:
            raise GnnmatError("The first line of an XYZ frame is not a number of atoms.") from None
        if index < 0 and len(offsets) > 1:
            raise GnnmatError(f"The file holds {len(offsets)} structures, where one was expected.")
        if not offsets or index >= len(offsets):
            raise GnnmatError(f"The file holds {len(offsets)} structures.")
        offset = offsets[max(index, 0)]
    rest = content[offset:]
    count = int(rest.split(b"\n", 1)[0]) + 2
    frame = rest.split(b"\n", count)[:count]
    return b"\n".join(frame).decode("utf-8", errors="replace") + "\n"


def _json_parts(path: Path, content: bytes) -> list[Part]:
    plain = json.loads(content)
    if is_ase_database(plain):
        return _database_parts(path, content)
    if isinstance(plain, list):
        return [Part(FilePart(str(path), index), index + 1) for index in range(len(plain))]
    return [Part(str(path))]


def is_ase_database(plain: Any) -> bool:
    """Whether this JSON is one of ASE's databases."""
    return isinstance(plain, dict) and "ids" in plain and "nextid" in plain


def _database_parts(path: Path, content: bytes) -> list[Part]:
    rows = _connect(path).select(sort="id")
    return [
        Part(FilePart(str(path), index), index + 1, _plain(row.key_value_pairs))
        for index, row in enumerate(rows)
    ]


def database_row(path: str, index: int) -> Any:
    """One row of an ASE database; index -1: there must be one only."""
    database = _connect(Path(path))
    if index < 0 and database.count() != 1:
        raise GnnmatError(f"The file holds {database.count()} structures, where one was expected.")
    rows = list(database.select(sort="id", limit=1, offset=max(index, 0)))
    if not rows:
        raise GnnmatError(f"The file holds {database.count()} structures.")
    return rows[0]


def _connect(path: Path) -> Any:
    from ase.db import connect

    return connect(str(path), type="json" if crystal_format(path) == "json" else "db")


def _trajectory_parts(path: Path, content: bytes) -> list[Part]:
    from ase.io.trajectory import Trajectory

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Trajectory(str(path)) as frames:
            return [
                Part(FilePart(str(path), index), index + 1, _plain(frame.info))
                for index, frame in enumerate(frames)
            ]


def _plain(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """The single numbers and words among the pairs."""
    return {
        str(name): value.item() if hasattr(value, "item") else value
        for name, value in pairs.items()
        if isinstance(value, (Number, str)) or getattr(value, "shape", None) == ()
    }


_LISTERS = {
    "cif": _cif_parts,
    "xyz": _xyz_parts,
    "json": _json_parts,
    "db": _database_parts,
    "traj": _trajectory_parts,
}
