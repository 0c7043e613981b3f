"""Two numbers that tell structures of one formula and volume apart, however a cell is chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.inputs.neighbours import neighbours_within
from gnnmat.sources.crystal import Crystal

REACH = 2.0  # of the cube root of the volume of an atom; beyond it a pair adds less than 1e-3
STEEP = 2.0


def likeness(crystal: Crystal) -> NDArray[np.float64]:
    """(2,) how closely atoms are packed around each other, and how much so heavy ones.

    With s the cube root of the volume of an atom, the mean over atoms of the sum over neighbours of
    exp(-2 (d / s)^2); and the same with every pair weighted by z_i z_j over the square of the mean
    z. They change smoothly with positions and do not depend on cell, origin, order or scale.

    Args:
        crystal: any.
    """
    size = (crystal.volume / len(crystal.numbers)) ** (1 / 3)
    pairs = neighbours_within(crystal, REACH * size)
    near = np.exp(-STEEP * (pairs.length / size) ** 2)
    z = crystal.numbers.astype(float) / crystal.numbers.mean()
    weighted = near * z[pairs.centre] * z[pairs.source]
    return np.array([near.sum(), weighted.sum()]) / len(crystal.numbers)
