"""What a forest is told of a crystal: statistics over its elements, without their places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def composition_features(numbers: Sequence[NDArray[np.int64]], table: Floats) -> Floats:
    """(n, 5 p) statistics over the atoms of each crystal: mean, std, min, max, range.

    Each is weighted by the number of atoms, so that any cell of a crystal gives the same. A
    property that an element lacks is the median over the elements that have it.

    Args:
        numbers: n arrays (atoms,) of atomic numbers, none empty.
        table: (119, p) elemental properties by atomic number, NaN where not known.

    Source: after Ward et al., npj Comput. Mater. 2, 16028 (2016), "Elemental Property
    Attributes"; differs in: standard instead of mean absolute deviation, no mode.
    """
    properties = imputed(np.asarray(table, dtype=np.float64))
    if not len(numbers):
        return np.empty((0, 5 * properties.shape[1]))
    counts = np.array([len(atoms) for atoms in numbers])
    starts = np.cumsum(counts) - counts
    values = properties[np.concatenate(list(numbers))]
    mean = np.add.reduceat(values, starts) / counts[:, None]
    deviation = (values - np.repeat(mean, counts, axis=0)) ** 2
    std = np.sqrt(np.add.reduceat(deviation, starts) / counts[:, None])
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.concatenate([mean, std, low, high, high - low], axis=1)


def imputed(table: Floats) -> Floats:
    """The table with each missing property replaced by the median of its column."""
    known = np.isfinite(table)
    medians = np.array(
        [
            np.median(column[mask]) if mask.any() else 0.0
            for column, mask in zip(table.T, known.T, strict=True)
        ]
    )
    return np.where(known, table, medians)
