"""What a model has learned from, kept beside it, so that nobody grades it on its own lessons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError

LEARNED = "learned.parquet"
# Crystals of one formula whose volumes differ by less are taken to be the same material: measured
# volumes are a few percent from computed ones. Polymorphs may pass for each other.
ALIKE = 0.05
# And by less for the same structure: sources round coordinates, and half a percent is less than
# what tells most polymorphs apart.
SAME = 5e-3

NEW, KNOWN, OUT_OF_FOLD = "", "learned", "out of fold"


@dataclass(frozen=True)
class Learned:
    """The crystals that a model has learned from.

    Args:
        table: ``formula``, ``volume`` (of an atom, Å^3), and by target what a model that has not
            learned from the row says of it, where somebody has asked one.
    """

    table: pd.DataFrame

    def find(
        self, formula: Sequence[str], volume: ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(rows,) the row of the table with the same material, the nearest in volume, else -1.

        And (rows,) whether it is the same structure, too.
        """
        wanted = np.asarray(volume, dtype=float)
        places: dict[str, list[int]] = {}
        for place, name in enumerate(self.table["formula"]):
            places.setdefault(str(name), []).append(place)
        volumes = self.table["volume"].to_numpy(dtype=float)
        found = np.full(len(wanted), -1, dtype=np.int64)
        same = np.zeros(len(wanted), dtype=bool)
        for row, (name, size) in enumerate(zip(formula, wanted, strict=True)):
            there = places.get(str(name))
            if not there:
                continue
            off = np.abs(volumes[there] / size - 1)
            nearest = int(off.argmin())
            if off[nearest] <= ALIKE:
                found[row], same[row] = there[nearest], off[nearest] <= SAME
        return found, same

    def said(self, target: str) -> NDArray[np.float64] | None:
        """(rows of the table,) values out of fold for a target; None if nobody has asked."""
        if target not in self.table:
            return None
        return self.table[target].to_numpy(dtype=float)


def save_learned(folder: Path, table: pd.DataFrame) -> Path:
    """Write what a model in ``folder`` has learned from; numbers keep four digits.

    Args:
        folder: of the model.
        table: as of `Learned`.
    """
    small = table.sort_values(["formula", "volume"], kind="stable").reset_index(drop=True)
    for name in small.columns.difference(["formula"]):
        small[name] = _rounded(small[name].to_numpy(dtype=float))
    buffer = BytesIO()
    small.to_parquet(buffer, compression="zstd", compression_level=19, index=False)
    return write_atomically(folder / LEARNED, buffer.getvalue())


def load_learned(folder: Path) -> Learned | None:
    """What `save_learned` wrote; None if nobody did.

    Raises:
        GnnmatError: it is damaged.
    """
    path = folder / LEARNED
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
        table[["formula", "volume"]]
    except Exception as error:  # pyarrow has error classes of its own for damaged files
        raise GnnmatError(f"{path} is damaged.", why=f"{type(error).__name__}: {error}") from error
    return Learned(table)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Four digits of each number: few distinct ones, which pack well."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (3 - np.floor(np.log10(np.abs(values))))
        found = np.round(values * scale) / scale
    return np.where(values == 0, 0.0, found).astype(np.float32)
