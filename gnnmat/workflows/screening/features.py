"""What candidates are compared by, and what a cheap model learns from: elements and packing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.train.descriptors import elements_and_packing

Floats = NDArray[np.float64]


def candidate_features(table: pd.DataFrame) -> Floats:
    """(rows, f) as `elements_and_packing`, then the sites in the cell.

    Any cell of a crystal gives the same but for the last.

    Args:
        table: candidates with ``numbers``, ``volume`` and ``atoms``.
    """
    numbers = [np.asarray(one, dtype=np.int64) for one in table["numbers"]]
    volume, atoms = (table[name].to_numpy(dtype=np.float64) for name in ("volume", "atoms"))
    return np.concatenate([elements_and_packing(numbers, volume), atoms[:, None]], axis=1)
