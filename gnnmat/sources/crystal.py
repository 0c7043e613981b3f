"""A crystal as plain arrays, and the record that carries it.

Plain arrays pickle, hash and travel to worker processes without pymatgen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Crystal:
    """An ordered periodic crystal.

    Args:
        lattice: (3, 3) float64, lattice vectors as rows, Å.
        numbers: (atoms,) int64, atomic numbers.
        frac: (atoms, 3) float64, fractional coordinates.
    """

    lattice: NDArray[np.float64]
    numbers: NDArray[np.int64]
    frac: NDArray[np.float64]

    @property
    def positions(self) -> NDArray[np.float64]:
        """(atoms, 3) Cartesian positions in Å."""
        return self.frac @ self.lattice

    @property
    def volume(self) -> float:
        """Volume of the cell in Å^3."""
        return float(abs(np.linalg.det(self.lattice)))

    def digest(self) -> bytes:
        """SHA-256 of the arrays, for cache keys."""
        sha = hashlib.sha256()
        for array in (self.lattice, self.numbers, self.frac):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.digest()


def as_crystal(lattice: object, numbers: object, frac: object) -> Crystal:
    """A `Crystal` from anything numpy can read; flat arrays are reshaped.

    Args:
        lattice: 9 numbers or (3, 3), Å.
        numbers: (atoms,) atomic numbers.
        frac: (atoms, 3) or flat.
    """
    return Crystal(
        np.asarray(lattice, dtype=np.float64).reshape(3, 3),
        np.asarray(numbers, dtype=np.int64).reshape(-1),
        np.asarray(frac, dtype=np.float64).reshape(-1, 3),
    )
