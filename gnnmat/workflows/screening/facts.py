"""What follows from the elements of a crystal alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray

from gnnmat.sources.prototype_label import formula

Numbers = Sequence[NDArray[np.int64]]


def reduced_formulas(numbers: Numbers) -> list[str]:
    """Reduced formula of each crystal, from its (atoms,) atomic numbers."""
    return [formula(one) for one in numbers]


def mean_masses(numbers: Numbers) -> NDArray[np.float64]:
    """(crystals,) mean mass of an atom in atomic mass units.

    Source: standard atomic weights of IUPAC (2016) as ASE tabulates them.
    """
    return np.array([float(atomic_masses[one].mean()) for one in numbers], dtype=np.float64)
