"""What candidates are compared by, and what a cheap model learns from: elements and packing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.models.elements import covalent_radii, element_properties
from gnnmat.workflows.composition import composition_features

Floats = NDArray[np.float64]


def candidate_features(table: pd.DataFrame) -> Floats:
    """(rows, f) statistics over the elements of each crystal, and how densely they are packed.

    The last four columns are: logarithm of the volume of an atom (Å^3), share of the volume that
    spheres of covalent radius fill (bonded ones overlap, and are counted twice), mass density
    (u/Å^3), sites in the cell. Any cell of a crystal gives the same but for the last.

    Args:
        table: candidates with ``numbers``, ``volume``, ``mass`` and ``atoms``.

    Source: composition as in `composition_features`; radii from Cordero et al., Dalton Trans. 2832
        (2008).
    """
    numbers = [np.asarray(one, dtype=np.int64) for one in table["numbers"]]
    composition = composition_features(numbers, element_properties()[0])
    volume, mass, atoms = (
        table[name].to_numpy(dtype=np.float64) for name in ("volume", "mass", "atoms")
    )
    balls = 4 / 3 * np.pi * covalent_radii() ** 3
    filled = np.array([balls[one].mean() for one in numbers], dtype=np.float64)
    packing = [np.log(volume), filled / volume, mass / volume, atoms]
    return np.concatenate([composition, np.stack(packing, axis=1)], axis=1)
