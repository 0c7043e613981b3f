"""A crystal to be drawn: which atoms and bonds, where, how large and in which colour."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.models.elements import covalent_radii

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Colour = tuple[int, int, int]

# From lowering over nothing to raising; told apart by every kind of colour vision, and read on
# light and on dark paper alike.
BLUE: Colour = (40, 116, 214)
NEUTRAL: Colour = (203, 207, 213)
RED: Colour = (222, 48, 44)

BALL = 0.42  # radius of a drawn atom over its covalent radius
BONDED = 1.15  # bonds up to this multiple of the sum of the covalent radii are drawn first
LONGER = 1.35  # and up to this multiple of the shortest bond of either atom
SHELL = 1.05  # lengths up to this multiple of the shortest are one shell
THIN, THICK = 0.045, 0.14  # Å: radius of a drawn bond that adds nothing, and most
STRONG = 0.1  # share of the bonds that count as the strongest, at least STRONG_LEAST
STRONG_LEAST = 6
BORDER = 1e-3  # fractional: an atom this close to a face is drawn on the opposite one as well
MOST_SEGMENTS = 6000  # of bonds in the drawing; the weakest are left out beyond


@dataclass(frozen=True)
class DrawnCrystal:
    """What is drawn of a crystal.

    Args:
        lattice: (3, 3) Å, vectors as rows.
        frac: (atoms, 3) fractional coordinates.
        numbers: (atoms,) atomic numbers.
        values: (atoms,) contributions.
        first: (bonds,) atom.
        second: (bonds,) atom.
        offset: (bonds, 3) cell of the second atom.
        length: (bonds,) Å.
        bond_values: (bonds,) contributions; None if there are none.
    """

    lattice: Floats
    frac: Floats
    numbers: Ints
    values: Floats
    first: Ints
    second: Ints
    offset: Ints
    length: Floats
    bond_values: Floats | None


def colour(value: float, limit: float) -> str:
    """The colour of a contribution on a scale from ``-limit`` over zero to ``limit``."""
    share = float(np.clip(value / limit, -1, 1)) if limit > 0 else 0.0
    end = RED if share > 0 else BLUE
    parts = (round(a + (b - a) * abs(share) ** 0.8) for a, b in zip(NEUTRAL, end, strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def limit(values: Floats | None) -> float:
    """The end of the colour scale: the largest size; 0 if there is nothing to show."""
    return 0.0 if values is None or not len(values) else float(np.abs(values).max())


def scene(
    crystal: DrawnCrystal,
    atom_words: Sequence[str],
    bond_words: Sequence[str],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Atoms, bonds and cell for the script of the page; plain lists, lengths in Å.

    Args:
        crystal: to draw.
        atom_words: (atoms,) shown at an atom, already fit for a figure.
        bond_words: (bonds,) shown at a bond, likewise.
        labels: (atoms,) short names.
    """
    shift = -np.floor(crystal.frac + BORDER).astype(np.int64)
    wrapped = crystal.frac + shift
    copies = _copies(wrapped)
    radius = BALL * covalent_radii()[crystal.numbers]
    scale = limit(crystal.values)
    atoms = [
        {
            "at": _rounded((wrapped[atom] + cell) @ crystal.lattice),
            "radius": round(float(radius[atom]), 3),
            "colour": colour(crystal.values[atom], scale),
            "words": atom_words[atom],
            "label": "" if cell.any() else labels[atom],
        }
        for atom, cell in copies
    ]
    segments = _segments(crystal, wrapped, shift, copies)
    return {
        "atoms": atoms,
        "bonds": _drawn_bonds(crystal, segments, bond_words),
        "cell": _cell(crystal.lattice),
        "lattice": [_rounded(vector) for vector in crystal.lattice],
    }


def _copies(wrapped: Floats) -> list[tuple[int, Ints]]:
    """The atoms of the cell, then those on its faces once more on the opposite ones."""
    home = [(atom, np.zeros(3, dtype=np.int64)) for atom in range(len(wrapped))]
    images = []
    for atom, place in enumerate(wrapped):
        ways = [(0, 1) if abs(part) < BORDER else (0,) for part in place]
        images += [
            (atom, np.array(cell, dtype=np.int64)) for cell in itertools.product(*ways) if any(cell)
        ]
    return home + images


def _segments(
    crystal: DrawnCrystal, wrapped: Floats, shift: Ints, copies: list[tuple[int, Ints]]
) -> list[tuple[int, Floats, Floats]]:
    """Bond, beginning and end (Å) of every line: whole bonds, and halves that leave the drawing."""
    drawn = {(atom, *cell.tolist()) for atom, cell in copies}
    ends: dict[int, list[tuple[int, int, Ints]]] = {}
    for bond, (first, second) in enumerate(zip(crystal.first, crystal.second, strict=True)):
        step = crystal.offset[bond] + shift[first] - shift[second]
        ends.setdefault(int(first), []).append((bond, int(second), step))
        ends.setdefault(int(second), []).append((bond, int(first), -step))
    seen, found = set(), []
    for atom, cell in copies:
        for bond, other, step in ends.get(atom, []):
            there = cell + step
            start = (wrapped[atom] + cell) @ crystal.lattice
            end = (wrapped[other] + there) @ crystal.lattice
            if (other, *there.tolist()) in drawn:
                key = (bond, *_rounded((start + end) / 2))
                if key not in seen:
                    found.append((bond, start, end))
                seen.add(key)
            elif not cell.any():
                found.append((bond, start, (start + end) / 2))
    return found


def _drawn_bonds(
    crystal: DrawnCrystal, segments: list[tuple[int, Floats, Floats]], words: Sequence[str]
) -> list[dict[str, Any]]:
    values = crystal.bond_values
    sizes = np.zeros(len(crystal.length)) if values is None else np.abs(values)
    scale = limit(values)
    near, strong = near_bonds(crystal), strong_bonds(sizes)
    if len(segments) > MOST_SEGMENTS:
        segments = sorted(segments, key=lambda one: -sizes[one[0]])[:MOST_SEGMENTS]
    return [
        {
            "from": _rounded(start),
            "to": _rounded(end),
            "radius": round(THIN + (THICK - THIN) * (sizes[bond] / scale if scale else 0), 3),
            "colour": colour(0.0 if values is None else values[bond], scale),
            "words": words[bond],
            "near": bool(near[bond]),
            "strong": bool(strong[bond]),
        }
        for bond, start, end in segments
    ]


def near_bonds(crystal: DrawnCrystal) -> NDArray[np.bool_]:
    """(bonds,) whether two atoms are bonded as far as lengths tell.

    As close as covalent radii allow, and not much longer than the shortest bond of either; an atom
    left without any has its nearest shell.
    """
    ends = (crystal.first, crystal.second)
    radii = covalent_radii()[crystal.numbers]
    shortest = np.full(len(crystal.numbers), np.inf)
    for end in ends:
        np.minimum.at(shortest, end, crystal.length)
    near = crystal.length <= BONDED * (radii[ends[0]] + radii[ends[1]])
    for end in ends:
        near &= crystal.length <= LONGER * shortest[end]
    alone = np.ones(len(crystal.numbers), dtype=bool)
    for end in ends:
        alone[end[near]] = False
    for end in ends:
        near |= alone[end] & (crystal.length <= SHELL * shortest[end])
    return np.asarray(near)


def strong_bonds(sizes: Floats) -> NDArray[np.bool_]:
    """(bonds,) the tenth with the largest contributions, equal ones together."""
    if not len(sizes):
        return np.zeros(0, dtype=bool)
    wanted = min(max(round(STRONG * len(sizes)), STRONG_LEAST), len(sizes))
    least = np.sort(sizes)[::-1][wanted - 1]
    return np.asarray(sizes >= least * (1 - 1e-6))


def _cell(lattice: Floats) -> list[list[list[float]]]:
    """The twelve edges of the cell, beginning and end."""
    corners = list(itertools.product((0, 1), repeat=3))
    return [
        [_rounded(np.array(one) @ lattice), _rounded(np.array(other) @ lattice)]
        for one, other in itertools.combinations(corners, 2)
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1
    ]


def _rounded(vector: Floats) -> list[float]:
    # Adding zero turns -0.0 into 0.0, so that equal places are equal.
    return [round(float(part), 4) + 0.0 for part in vector]
