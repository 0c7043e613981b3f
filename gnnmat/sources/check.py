"""Checks that a crystal can be a crystal, before anything is computed on it."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal

CLOSEST = 0.1  # Å; the shortest bond known, H2, is 0.74 Å, so anything closer is one atom twice
FLATTEST = 1e-6  # volume over the product of the lengths; below it the vectors lie in a plane
SMALLEST = 1e-3  # Å^3
MOST_IMAGES = 10_000  # neighbouring cells looked at in a very skewed cell
DIRECT_BELOW = 200  # atoms; below, all pairs at once are faster than a tree


def check_crystal(crystal: Crystal) -> Crystal:
    """The same crystal, if it is one.

    Raises:
        GnnmatError: no atoms; shapes that do not fit; a number that is not finite; a cell without
            volume; an atomic number outside 1 to 118; two atoms closer than 0.1 Å.
    """
    atoms = len(crystal.numbers)
    if atoms == 0:
        raise GnnmatError("The crystal has no atoms.")
    if crystal.lattice.shape != (3, 3):
        raise GnnmatError(f"The lattice has shape {crystal.lattice.shape}, expected (3, 3).")
    if crystal.frac.shape != (atoms, 3):
        raise GnnmatError(
            f"There are {atoms} atomic numbers, but the coordinates have shape "
            f"{crystal.frac.shape}, expected ({atoms}, 3)."
        )
    if not np.isfinite(crystal.lattice).all():
        raise GnnmatError("The lattice holds NaN or infinity.")
    if not np.isfinite(crystal.frac).all():
        site = int(np.flatnonzero(~np.isfinite(crystal.frac).all(axis=1))[0])
        raise GnnmatError(f"The coordinates of atom {site + 1} hold NaN or infinity.")
    wrong = crystal.numbers[(crystal.numbers < 1) | (crystal.numbers > 118)]
    if len(wrong):
        raise GnnmatError(f"Atomic number {int(wrong[0])} is outside 1 to 118.")
    _check_cell(crystal)
    _check_distances(crystal)
    return crystal


def _check_cell(crystal: Crystal) -> None:
    lengths = np.linalg.norm(crystal.lattice, axis=1)
    if crystal.volume < max(SMALLEST, FLATTEST * float(np.prod(lengths))):
        sides = ", ".join(f"{length:.4g}" for length in lengths)
        raise GnnmatError(
            f"The cell has no volume ({crystal.volume:.3g} Å^3; its sides are {sides} Å)."
        )


def _check_distances(crystal: Crystal) -> None:
    pair = closest_pair(crystal, CLOSEST)
    if pair is None:
        return
    first, second, distance = pair
    if first == second:
        raise GnnmatError(f"Atom {first + 1} is {distance:.3f} Å from its own periodic image.")
    raise GnnmatError(
        f"Atoms {first + 1} and {second + 1} are {distance:.3f} Å apart; "
        f"atoms closer than {CLOSEST} Å are one atom listed twice."
    )


def closest_pair(crystal: Crystal, cutoff: float) -> tuple[int, int, float] | None:
    """The closest pair of atoms nearer than the cutoff (positions, distance in Å), if any.

    Periodic and exact for any cell. A vector shorter than the cutoff has fractional components
    below cutoff / height of the cell, so unless a height is below twice the cutoff, rounding the
    differences of fractional coordinates finds the nearest image.
    """
    heights = 1.0 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    reach = np.floor(cutoff / heights + 0.5).astype(int)
    if np.prod(2.0 * reach + 1) > MOST_IMAGES:
        raise GnnmatError(
            f"The cell is too skewed: opposite faces are {heights.min():.2g} Å apart.",
            fix="give the crystal in a reduced cell.",
        )
    wrapped = crystal.frac - np.floor(crystal.frac)
    first, second = _candidates(wrapped, heights, cutoff, bool(reach.any()))
    difference = wrapped[second] - wrapped[first]
    difference -= np.round(difference)
    best: tuple[int, int, float] | None = None
    for image in product(*(range(-n, n + 1) for n in reach)):
        distance = np.linalg.norm((difference + image) @ crystal.lattice, axis=1)
        if not any(image):
            distance = np.where(first == second, np.inf, distance)
        place = int(np.argmin(distance)) if len(distance) else -1
        if place >= 0 and distance[place] < min(cutoff, best[2] if best else cutoff):
            best = (int(first[place]), int(second[place]), float(distance[place]))
    return best


def _candidates(
    wrapped: NDArray[np.float64], heights: NDArray[np.float64], cutoff: float, skewed: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs that may be closer than the cutoff; with each atom's own images if skewed."""
    atoms = len(wrapped)
    if atoms < DIRECT_BELOW or skewed:
        first, second = np.triu_indices(atoms, k=0 if skewed else 1)
        return first, second
    from scipy.spatial import cKDTree

    # Heights as box sides turn the cell into a rectangular torus in which no pair is farther
    # apart, along any side, than it is in space. `% 1` as a tiny negative number wraps to 1.0.
    tree = cKDTree((wrapped % 1.0) * heights, boxsize=heights)
    pairs = tree.query_pairs(cutoff, p=np.inf, output_type="ndarray")
    return pairs[:, 0], pairs[:, 1]
