"""Crystals out of the JSON files of matminer and JARVIS, row by row.

The largest of these files unpacks to gigabytes; as Python dictionaries they would need many
times that. So a row is turned into plain arrays as soon as it has been read.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.sources.converted import Reading
from gnnmat.sources.crystal import Crystal, as_crystal

_ENDS = tuple(" \t\r\n,:]}")


class _Values:
    """JSON values taken one at a time from a stream of text."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._ended = False
        self._decoder = json.JSONDecoder()

    def _more(self, size: int) -> bool:
        text = self._file.read(size)
        self._ended = not text
        self._text = self._text[self._at :] + text
        self._at = 0
        return bool(text)

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(1 << 20):
                return ""

    def skip(self, *expected: str) -> str:
        """Step over one character, which must be one of these."""
        found = self.peek()
        if found not in expected or not found:
            raise ValueError(f"expected {' or '.join(expected)}, got {found or 'the end'}")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next whole value."""
        size = 1 << 20
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                # At the end of the buffer "1." decodes as 1: a value is whole once its end is seen.
                if self._ended or self._text[end : end + 1] in _ENDS:
                    self._at = end
                    return value
            except json.JSONDecodeError:
                if self._ended:
                    raise
            self._more(size)
            size *= 2

    def items(self) -> Iterator[Any]:
        """The items of a list, one after another."""
        self.skip("[")
        if self.peek() == "]":
            self.skip("]")
            return
        while True:
            yield self.value()
            if self.skip(",", "]") == "]":
                return


def read_matminer(path: Path, structure: str) -> tuple[list[Reading], pd.DataFrame]:
    """Crystals and the other columns of a matminer file.

    The file holds a pandas table in "split" form, ``{index, columns, data}``, with pymatgen
    structures as dictionaries; gzip or plain.

    Args:
        path: the file.
        structure: name of the column with structures.

    Raises:
        GnnmatError: the file is cut short, is something else, or has no such column.

    Source: matminer, src/matminer/utils/io.py, ``store_dataframe_as_json``.
    """
    parts: dict[str, Any] = {}
    with _opened(path) as file:
        values = _Values(file)
        values.skip("{")
        while True:
            key = values.value()
            values.skip(":")
            if key == "data":
                parts["data"] = [[_compact(cell) for cell in row] for row in values.items()]
            else:
                parts[key] = values.value()
            if values.skip(",", "}") == "}":
                break
    names, rows = parts.get("columns"), parts.get("data")
    if names is None or rows is None or structure not in names:
        raise GnnmatError(
            f"'{path.name}' has no table with a column '{structure}'.",
            why=f"Columns: {', '.join(map(str, names or ())) or 'none'}.",
        )
    place = names.index(structure)
    readings = [
        row[place] if isinstance(row[place], (Crystal, str)) else "It holds no structure."
        for row in rows
    ]
    others = {name: [row[i] for row in rows] for i, name in enumerate(names) if i != place}
    return readings, pd.DataFrame(others, index=pd.RangeIndex(len(rows)))


def read_jarvis(path: Path) -> tuple[list[Reading], pd.DataFrame]:
    """Crystals and the single-valued columns of a JARVIS file: a JSON list, zipped or plain.

    Raises:
        GnnmatError: the file is cut short or is something else.

    Source: jarvis-tools, jarvis/db/figshare.py, ``get_request_data``; jarvis/core/atoms.py,
        ``Atoms.to_dict``.
    """
    readings: list[Reading] = []
    rows: list[dict[str, Any]] = []
    with _opened(path) as file:
        for item in _Values(file).items():
            if not isinstance(item, dict):
                raise ValueError(f"expected a list of dictionaries, got {type(item).__name__}")
            readings.append(_crystal_or_reason(crystal_of_atoms, item.get("atoms")))
            rows.append({key: value for key, value in item.items() if _single(value)})
    return readings, pd.DataFrame(rows, index=pd.RangeIndex(len(rows)))


def crystal_of_structure(structure: Mapping[str, Any]) -> Crystal:
    """The crystal of a pymatgen ``Structure`` dictionary.

    Raises:
        GnnmatError: partial occupancy.
    """
    numbers = []
    for site in structure["sites"]:
        species = site["species"]
        if len(species) != 1 or abs(species[0].get("occu", 1.0) - 1.0) > 1e-8:
            raise GnnmatError("A site is disordered (partial occupancy).")
        numbers.append(_number(species[0]["element"]))
    frac = [site["abc"] for site in structure["sites"]]
    return as_crystal(structure["lattice"]["matrix"], numbers, frac)


def crystal_of_atoms(atoms: Mapping[str, Any]) -> Crystal:
    """The crystal of a JARVIS ``Atoms`` dictionary."""
    lattice = np.asarray(atoms["lattice_mat"], dtype=np.float64)
    coordinates = np.asarray(atoms["coords"], dtype=np.float64).reshape(-1, 3)
    frac = coordinates @ np.linalg.inv(lattice) if atoms.get("cartesian") else coordinates
    return as_crystal(lattice, [_number(symbol) for symbol in atoms["elements"]], frac)


def _number(symbol: str) -> int:
    from ase.data import atomic_numbers

    # Deuterium and tritium are hydrogen to a graph.
    element = {"D": "H", "T": "H"}.get(symbol.strip(), symbol.strip())
    if element not in atomic_numbers or element == "X":
        raise GnnmatError(f"'{symbol}' is not a chemical element.")
    return int(atomic_numbers[element])


def _crystal_or_reason(read: Callable[[Any], Crystal], plain: Any) -> Reading:
    try:
        return read(plain)
    except GnnmatError as error:
        return error.sentence
    except (KeyError, TypeError, ValueError, AttributeError, np.linalg.LinAlgError) as error:
        return f"Its structure cannot be read: {type(error).__name__} {error}."


def _compact(cell: Any) -> Any:
    if isinstance(cell, dict) and "sites" in cell and "lattice" in cell:
        return _crystal_or_reason(crystal_of_structure, cell)
    return cell


def _single(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The text of a plain, gzipped or zipped JSON file; the first bytes tell which."""
    try:
        with path.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if start[:2] == b"\x1f\x8b":
                with gzip.open(raw, "rt", encoding="utf-8") as text:
                    yield text
            elif start == b"PK\x03\x04":
                with zipfile.ZipFile(raw) as archive, archive.open(_member(archive)) as member:
                    yield io.TextIOWrapper(member, encoding="utf-8")
            else:
                yield io.TextIOWrapper(raw, encoding="utf-8")
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise GnnmatError(
            f"'{path.name}' cannot be read: it is cut short or is not the JSON file expected.",
            why=f"{type(error).__name__}: {error}.",
            fix=f"Delete '{path}' and fetch it again.",
        ) from error


def _member(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if name.endswith(".json")]
    if len(names) != 1:
        raise ValueError(f"{len(names)} JSON files in the archive, expected one")
    return names[0]
