"""Rows of a structure table, held as flat arrays and cut out one by one when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.read import CifText

if TYPE_CHECKING:
    import pyarrow as pa

ARRAYS = ("lattice", "numbers", "frac")


@dataclass(frozen=True)
class ArrayRows(Sequence[tuple[Any, Any, Any]]):
    """Lattice, numbers and frac of many crystals; a row is three views, small to pickle.

    Args:
        values: flat numbers of all rows, by column.
        offsets: (rows + 1,) where a row begins in them, by column.
    """

    values: dict[str, NDArray[Any]]
    offsets: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.offsets["numbers"]) - 1

    def __getitem__(self, row: Any) -> Any:
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        row %= len(self)
        return tuple(
            self.values[name][self.offsets[name][row] : self.offsets[name][row + 1]]
            for name in ARRAYS
        )

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        return (self[row] for row in range(len(self)))

    def reasons(self) -> NDArray[np.object_]:
        """(rows,) why a row is no crystal, empty where it may be one."""
        lengths = {name: np.diff(self.offsets[name]) for name in ARRAYS}
        reasons = np.full(len(self), "", dtype=object)
        for row in np.flatnonzero(lengths["frac"] != 3 * lengths["numbers"]):
            reasons[row] = (
                f"there are {lengths['numbers'][row]} atomic numbers but {lengths['frac'][row]} "
                f"coordinates, expected {3 * lengths['numbers'][row]}"
            )
        for row in np.flatnonzero(lengths["lattice"] != 9):
            reasons[row] = f"the lattice has {lengths['lattice'][row]} numbers, expected 9"
        for name in ARRAYS:
            for row in np.flatnonzero(lengths[name] == 0):
                reasons[row] = f"{name} is missing or empty"
        return reasons

    def fingerprint(self) -> str:
        """Hex digest of the structures."""
        sha = hashlib.sha256()
        for name in ARRAYS:
            sha.update(np.ascontiguousarray(np.diff(self.offsets[name])).data)
            sha.update(np.ascontiguousarray(self.values[name]).data)
        return sha.hexdigest()


@dataclass(frozen=True)
class CifRows(Sequence[CifText]):
    """CIF text of many crystals."""

    texts: pa.ChunkedArray

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, row: Any) -> Any:
        return CifText(self.texts[row].as_py() or "")

    def reasons(self) -> NDArray[np.object_]:
        """(rows,) why a row is no crystal, empty where it may be one."""
        empty = np.asarray(self.texts.is_null(nan_is_null=True).to_numpy(), dtype=bool)
        return np.where(empty, "the cif is missing", "").astype(object)

    def fingerprint(self) -> str:
        """Hex digest of the structures."""
        sha = hashlib.sha256()
        for text in self.texts:
            content = str(text.as_py() or "").encode()
            sha.update(len(content).to_bytes(8, "little"))
            sha.update(content)
        return sha.hexdigest()


def read_table(path: Path) -> pa.Table:
    """The table of a parquet, JSON lines or CSV file (then every column is text).

    Raises:
        GnnmatError: another kind of file, or one that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet

    from gnnmat.sources.columns import read_csv

    try:
        if path.suffix == ".parquet":
            table = pyarrow.parquet.read_table(path)
        elif path.suffix in {".jsonl", ".ndjson"}:
            table = pyarrow.json.read_json(path)
        elif path.suffix in {".csv", ".tsv"}:
            table = pa.Table.from_pandas(read_csv(path), preserve_index=False)
        else:
            raise GnnmatError(f"'{path}' is no table.", fix="give a .parquet, .jsonl or .csv file.")
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise GnnmatError(f"'{path}' is not a readable table: {reason}.") from error
    kept = [name for name in table.column_names if not name.startswith("__index_level_")]
    return table.select(kept)


def structure_columns(names: Sequence[str], path: Path) -> list[str]:
    """The columns that hold the structures: lattice, numbers, frac, or cif.

    Raises:
        GnnmatError: neither is there, or one of the three is missing.
    """
    present = [name for name in ARRAYS if name in names]
    if len(present) == len(ARRAYS):
        return present
    if "cif" in names:
        return ["cif"]
    missing = [name for name in ARRAYS if name not in names]
    what = f"column '{missing[0]}'" if present else "structures"
    raise GnnmatError(
        f"'{path}' has no {what}.",
        why=f"Expected the columns lattice, numbers, frac, or cif; found: {', '.join(names)}.",
    )


def structure_rows(table: pa.Table, path: Path) -> ArrayRows | CifRows:
    """The structures of the table.

    Raises:
        GnnmatError: a column is not made of lists of numbers, or of text.
    """
    import pyarrow as pa

    columns = structure_columns(table.column_names, path)
    if columns == ["cif"]:
        texts = table.column("cif")
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            raise GnnmatError(f"'{path}': column 'cif' is {texts.type}, expected text.")
        return CifRows(texts)
    flat = {name: _flat_lists(table.column(name), name, path) for name in columns}
    return ArrayRows(
        {name: values for name, (values, _) in flat.items()},
        {name: offsets for name, (_, offsets) in flat.items()},
    )


def _flat_lists(
    column: pa.ChunkedArray, name: str, path: Path
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Numbers of all rows one after the other, and where each row begins."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    offsets = np.arange(len(array) + 1, dtype=np.int64)
    while pa.types.is_nested(array.type):
        import pyarrow.compute as pc

        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        offsets = ends[offsets]
        array = array.flatten()
    if column.type == array.type or not (
        pa.types.is_floating(array.type) or pa.types.is_integer(array.type)
    ):
        raise GnnmatError(f"'{path}': column '{name}' is {column.type}, expected lists of numbers.")
    # A missing number inside a list becomes NaN, which the checks of a crystal refuse. A copy, so
    # that the table's memory can go back to the system.
    return array.to_numpy(zero_copy_only=False).copy(), offsets


def release_table() -> None:
    """Give the memory of tables that are gone back to the system; Arrow would keep it."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
