"""Defects of clusters of atoms, and how a cluster is turned; each a plain, seeded function."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

LIGHTEST, HEAVIEST = 3, 83  # elements that a substituted atom may become
LEAST = 2  # atoms that are left of any cluster


def survivors(atoms: int, share: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Places of the atoms that are left, ascending, when a share of them is removed at random.

    The number removed is the nearest to ``share * atoms``.

    Args:
        atoms: of the cluster.
        share: of vacancies, 0 to 1.
        generator: of the sample.
    """
    removed = min(round(share * atoms), max(atoms - LEAST, 0))
    return np.sort(generator.permutation(atoms)[removed:])


def displacements(atoms: int, deviation: float, generator: np.random.Generator) -> Floats:
    """(atoms, 3) Å, each component Gaussian with this standard deviation in Å."""
    return deviation * generator.standard_normal((atoms, 3))


def substituted(
    numbers: NDArray[np.int64], share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Atomic numbers in which a share of the atoms, at random places, is of a random element."""
    count = round(share * len(numbers))
    out = numbers.copy()
    chosen = generator.permutation(len(numbers))[:count]
    out[chosen] = generator.integers(LIGHTEST, HEAVIEST + 1, count)
    return out


def random_strain(deviation: float, generator: np.random.Generator) -> Floats:
    """(3, 3) symmetric strain whose components have this standard deviation, a pure number."""
    drawn = generator.standard_normal((3, 3))
    strain = (drawn + drawn.T) / math.sqrt(2)
    strain[np.diag_indices(3)] /= math.sqrt(2)
    return deviation * strain


def random_turn(generator: np.random.Generator) -> Floats:
    """(3, 3) a rotation, evenly over all orientations.

    Source: Shoemake, Graphics Gems III (1992), 124: a unit quaternion drawn evenly.
    """
    w, x, y, z = _unit(generator.standard_normal(4))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def misorientation(degrees: float, generator: np.random.Generator) -> Floats:
    """(3, 3) a rotation by this angle about an axis drawn evenly over the sphere (Rodrigues)."""
    x, y, z = _unit(generator.standard_normal(3))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(degrees)
    turn: Floats = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return turn


def _unit(vector: Floats) -> Floats:
    found: Floats = vector / np.linalg.norm(vector)
    return found


def neighbour_distance(places: Tensor) -> Tensor:
    """Mean distance of the atoms (atoms, 3) to their nearest neighbour, in their unit."""
    away = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    return away.fill_diagonal_(math.inf).amin(dim=1).mean()
