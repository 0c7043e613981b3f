"""Cells and directions from the numbers people write down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError


def cell_vectors(numbers: Sequence[float] | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """(3, 3) lattice vectors in Å, one a row.

    Args:
        numbers: a, b, c, or a, b, c, alpha, beta, gamma in degrees, or three vectors.

    Raises:
        GnnmatError: another count of numbers, or no volume.
    """
    array = np.array(numbers, dtype=float)
    if array.shape == (3,):
        array = np.diag(array)
    elif array.shape == (6,):
        array = _from_angles(array)
    elif array.shape != (3, 3):
        raise GnnmatError(
            f"The lattice has {array.size} numbers.", fix="Give 3, 6 or three vectors of 3."
        )
    if not abs(np.linalg.det(array)) > 1e-6:
        raise GnnmatError(f"The lattice {np.array(numbers).tolist()} has no volume.")
    return array


def unit(vector: Sequence[float], what: str) -> NDArray[np.float64]:
    """The vector with length one."""
    array = np.array(vector, dtype=float)
    length = np.linalg.norm(array)
    if length == 0:
        raise GnnmatError(f"The direction of {what} has no length.")
    scaled: NDArray[np.float64] = array / length
    return scaled


def _from_angles(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) vectors: a along x, b in the xy plane."""
    a, b, c = parameters[:3]
    alpha, beta, gamma = np.cos(np.deg2rad(parameters[3:]))
    sine = np.sqrt(1 - gamma**2)
    x = beta
    y = (alpha - beta * gamma) / sine
    return np.array(
        [[a, 0, 0], [b * gamma, b * sine, 0], [c * x, c * y, c * np.sqrt(1 - x**2 - y**2)]]
    )
