"""Neighbours of every atom in a periodic crystal, by radius or by whole shells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.sources.crystal import Crystal

# Distances that are equal by symmetry differ by rounding, about 1e-14 Å. The radius is widened
# by this much so that a shell lying exactly on the cutoff is taken whole or not at all.
ROUNDING = 1e-6  # Å


@dataclass(frozen=True)
class Neighbours:
    """Directed neighbour pairs, sorted by centre, then by distance.

    Args:
        source: (edges,) index of the neighbour.
        centre: (edges,) index of the atom whose neighbour it is, ascending.
        offset: (edges, 3) cell of the neighbour, in lattice vectors.
        length: (edges,) distance in Å.
    """

    source: NDArray[np.int64]
    centre: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.float64]


def neighbours_within(crystal: Crystal, cutoff: float) -> Neighbours:
    """All neighbour pairs not farther apart than ``cutoff`` (Å), periodic images included."""
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff + ROUNDING, full_list=True)
    centre, source, offset, length = search.compute(
        points=crystal.positions, box=crystal.lattice, periodic=True, quantities="ijSd"
    )
    centre = centre.astype(np.int64)
    order = np.lexsort((length, centre))
    return Neighbours(
        source.astype(np.int64)[order],
        centre[order],
        offset.astype(np.int64)[order],
        length.astype(np.float64)[order],
    )


def nearest_shells(
    crystal: Crystal, cutoff: float, neighbours: int, shell_tolerance: float
) -> Neighbours:
    """The nearest ``neighbours`` of every atom, completed to whole shells, within ``cutoff``.

    A shell ends at the first gap between successive distances that is wider than
    ``shell_tolerance``, so that equivalent neighbours are kept together or dropped together
    and the choice does not depend on the cell or on rounded coordinates.

    Args:
        crystal: the crystal.
        cutoff: largest distance in Å; an atom with fewer neighbours keeps those it has.
        neighbours: number wanted for each atom; the last shell may exceed it.
        shell_tolerance: Å.

    Source: Xie & Grossman, PRL 120, 145301 (2018), 12 nearest neighbours; differs in: ties are
    never cut.
    """
    # Searching the full cutoff costs far more than the few nearest shells need, so begin with
    # a sphere that holds about twice the number wanted and widen it until every shell closes.
    radius = (1.5 * neighbours * crystal.volume / (np.pi * max(len(crystal.numbers), 1))) ** (1 / 3)
    while True:
        radius = min(radius, cutoff)
        found = neighbours_within(crystal, radius)
        keep, closed = _whole_shells(
            found, len(crystal.numbers), neighbours, shell_tolerance, radius
        )
        if closed or radius >= cutoff:
            return Neighbours(
                found.source[keep], found.centre[keep], found.offset[keep], found.length[keep]
            )
        radius *= 1.3


def _whole_shells(
    found: Neighbours, atoms: int, wanted: int, tolerance: float, radius: float
) -> tuple[NDArray[np.bool_], bool]:
    """Which pairs to keep, and whether every atom's last shell is known to be complete."""
    count = np.bincount(found.centre, minlength=atoms)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    rank = np.arange(len(found.centre)) - start[found.centre]
    # A pair is kept if it is among the first `wanted`, or if no gap separates it from them.
    gap = np.diff(found.length, prepend=0.0) > tolerance
    breaks = np.cumsum(gap & (rank >= wanted))
    before = np.concatenate([[0], breaks])[start[found.centre]]
    keep = (rank < wanted) | (breaks == before)
    kept = np.bincount(found.centre[keep], minlength=atoms)
    if bool((kept < wanted).any()):
        return keep, False
    last = found.length[start + kept - 1]
    return keep, bool((last + tolerance < radius).all())
