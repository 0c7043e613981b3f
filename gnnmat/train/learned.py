"""What a model has learned from, kept beside it, so that nobody grades it on its own lessons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

LEARNED = "learned.parquet"
# Crystals of one formula whose volumes differ by less are taken to be the same material: measured
# volumes are a few percent from computed ones. Polymorphs may pass for each other.
ALIKE = 0.05
# The same structure has the same volume but for rounded coordinates, and the same likeness.
SAME, LIKE = 5e-3, 1e-2
LIKENESS = ("packing", "contrast")

NEW, KNOWN, OUT_OF_FOLD = "", "learned", "out of fold"


@dataclass(frozen=True)
class Learned:
    """The crystals that a model has learned from.

    Args:
        table: ``formula``, ``volume`` (of an atom, Å^3), ``packing`` and ``contrast`` (see
            `gnnmat.data.likeness`), and by target what a model that has not
            learned from the row says of it, where somebody has asked one.
    """

    table: pd.DataFrame

    def find(
        self,
        formula: Sequence[str],
        volume: ArrayLike,
        likeness: Callable[[int], NDArray[np.float64]],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(rows,) the row of the table with the same material, else -1.

        And (rows,) whether it is the same structure, too.

        Args:
            formula: reduced, one a row.
            volume: (rows,) of an atom, Å^3.
            likeness: of a row, (2,); asked where formula and volume are the same.
        """
        wanted = np.asarray(volume, dtype=float)
        volumes = self.table["volume"].to_numpy(dtype=float)
        found = np.full(len(wanted), -1, dtype=np.int64)
        same = np.zeros(len(wanted), dtype=bool)
        for row, (name, size) in enumerate(zip(formula, wanted, strict=True)):
            there = self._places.get(str(name))
            if there is None:
                continue
            off = np.abs(volumes[there] / size - 1)
            if off.min() > ALIKE:
                continue
            found[row] = there[int(off.argmin())]
            near = there[off <= SAME]
            if len(near):
                strange = np.abs(self._likeness[near] / likeness(row) - 1).max(axis=1)
                if strange.min() <= LIKE:
                    found[row], same[row] = near[int(strange.argmin())], True
        return found, same

    @cached_property
    def _places(self) -> dict[str, NDArray[np.int64]]:
        groups = self.table.groupby("formula", sort=False).indices
        return {str(name): np.asarray(rows, dtype=np.int64) for name, rows in groups.items()}

    @cached_property
    def _likeness(self) -> NDArray[np.float64]:
        return self.table[list(LIKENESS)].to_numpy(dtype=float)

    def said(self, target: str) -> NDArray[np.float64] | None:
        """(rows of the table,) values out of fold for a target; None if nobody has asked."""
        if target not in self.table:
            return None
        return self.table[target].to_numpy(dtype=float)


def save_learned(folder: Path, table: pd.DataFrame) -> Path:
    """Write what a model in ``folder`` has learned from.

    Volumes keep four digits, all other numbers three.

    Args:
        folder: of the model.
        table: as of `Learned`.
    """
    small = table.sort_values(["formula", "volume"], kind="stable").reset_index(drop=True)
    for name in small.columns.difference(["formula"]):
        digits = 4 if name == "volume" else 3
        small[name] = _rounded(small[name].to_numpy(dtype=float), digits)
    buffer = BytesIO()
    pq.write_table(
        pa.Table.from_pandas(small, preserve_index=False),
        buffer,
        compression="zstd",
        compression_level=19,
        # Sorted formulas begin alike; of rounded numbers there are few.
        use_dictionary=[str(one) for one in small.columns if one != "formula"],
        column_encoding={"formula": "DELTA_BYTE_ARRAY"},
    )
    return write_atomically(folder / LEARNED, buffer.getvalue())


def load_learned(folder: Path) -> Learned | None:
    """What `save_learned` wrote; None if nobody did.

    Raises:
        GnnmatError: it is damaged.
    """
    table = read_beside(folder, LEARNED, ("formula", "volume", *LIKENESS))
    return None if table is None else Learned(table)


def read_beside(folder: Path, name: str, columns: Sequence[str]) -> pd.DataFrame | None:
    """A table that `gnnmat trust` wrote beside a model; None if it did not.

    Args:
        folder: of the model.
        name: of the file.
        columns: that it must have.

    Raises:
        GnnmatError: it is damaged.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
        table[list(columns)]
    except Exception as error:  # pyarrow has error classes of its own for damaged files
        raise GnnmatError(
            f"{path} is damaged, or of another version.",
            why=f"{type(error).__name__}: {error}",
            fix=f"gnnmat trust {folder}",
        ) from error
    return table


def _rounded(values: NDArray[np.float64], digits: int) -> NDArray[np.float32]:
    """So many digits of each number: few distinct ones, which pack well."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
        found = np.round(values * scale) / scale
    return np.where(values == 0, 0.0, found).astype(np.float32)
