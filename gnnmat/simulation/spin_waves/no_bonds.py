"""Rules for bonds that find none: what is wrong with them, and what lies nearby."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]
SHOWN = 4  # distances


def check_vector(coupling: str, vector: Sequence[float], positions: Floats, match: float) -> None:
    """Refuse a vector that leads from no site of the cell to another.

    Args:
        coupling: whose bond it is.
        vector: in fractions of the cell.
        positions: (n, 3) sites, in fractions of the cell.
        match: how exactly it must meet a site, in fractions.

    Raises:
        GnnmatError: it meets none.
    """
    apart = positions[:, None] + np.array(vector) - positions[None]
    if (np.abs(apart - np.round(apart)).max(axis=-1) < match).any():
        return
    shown = ", ".join(f"{number:g}" for number in vector)
    raise GnnmatError(
        f"Coupling '{coupling}': the vector [{shown}] leads from no site to another.",
        why="Vectors are fractions of the magnetic cell.",
        fix="Correct the vector, or the positions of the sites.",
    )


def nearest_lengths(pairs: Sequence[tuple[int, int]], positions: Floats, cell: Floats) -> Floats:
    """(n,) lengths in Å, ascending, between pairs of sites in this cell and those around it."""
    cells = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    lengths = [
        np.linalg.norm((positions[j] - positions[i] + cells) @ cell, axis=1) for i, j in pairs
    ]
    found: Floats = np.unique(np.concatenate([np.zeros(1), *lengths]).round(3))
    return found[found > 0][:SHOWN]


def joins_nothing(
    coupling: str,
    ends: tuple[Sequence[str], Sequence[str]],
    spin: str,
    distance: float | None,
    nearest: Floats,
) -> GnnmatError:
    """The error for a rule that finds no bond.

    Args:
        coupling: whose bonds they are.
        ends: names of the sites at both ends, as they were given.
        spin: same, opposite or any.
        distance: in Å; None for vectors.
        nearest: distances there are, in Å; none if no spins point as wanted.
    """
    start, end = ("'" + "', '".join(one) + "'" for one in ends)
    fix = "Vectors are fractions of the magnetic cell; distances are in Å."
    which = "" if (start, end) == ("'*'", "'*'") else f" from {start} to {end}"
    if not len(nearest):
        why = f"No two spins{which} point along {spin} directions."
        fix = "Correct 'spin' of the bonds, or 'direction' of the sites."
    elif distance is None:
        aligned = "" if spin == "any" else f" between {spin} spins"
        why = f"None of its vectors leads{which or ' from one site to another'}{aligned}."
    else:
        there = ", ".join(f"{length:.4g}" for length in nearest)
        aligned = "" if spin == "any" else f" with {spin} spins"
        why = f"No two sites{which}{aligned} are {distance:g} Å apart; there are {there} Å."
    return GnnmatError(f"Coupling '{coupling}' joins no sites.", why=why, fix=fix)
