"""Parent structures of halide films: space groups, sites, and how large such crystals are.

All five are perovskites of corner- or face-sharing octahedra of halogen, one of them straight,
one with turned octahedra, three with two metals or with a third of them missing. Their cells are
multiples of nearly the same cube; what tells them apart are weak lines between those of the cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from gnnmat.sources.check import check_crystal
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.prototype_set import CENTRED
from gnnmat.sources.symmetry_labels import operations

Floats = NDArray[np.float64]
Range = tuple[float, float]
# A coordinate: a number, or place of an inner parameter, factor and offset.
Coordinate = float | tuple[int, float, float]
Site = tuple[int, Coordinate, Coordinate, Coordinate]  # place of its species, and where it is

# Halogens and the edges of the cube that their films have: chlorides, bromides, iodides.
HALOGENS: dict[int, Range] = {17: (5.2, 5.8), 35: (5.4, 6.15), 53: (5.85, 6.5)}
# Organic cations stand as the element with as many electrons: methylammonium 18, formamidinium 24.
ORGANIC = (18, 24)
ALKALI = (19, 37, 55)
WRITTEN = 5  # decimals of inner parameters; halves of them occur in primitive cells,
SAME = 7  # so positions that agree to this many are those of one atom


@dataclass(frozen=True)
class Parent:
    """A structure that films are thought to have.

    Args:
        number: of the space group.
        edge: range of the edge of the cube that its cell is a multiple of, Å.
        cell: a and c over that edge in the undistorted structure.
        ratio: range of c/a over that of the undistorted structure.
        species: choices of atomic numbers, for each species but the halogen, which comes last.
        sites: in the standard setting of the space group.
        inner: ranges of the inner parameters, fractional.
    """

    number: int
    edge: Range
    cell: tuple[float, float]
    species: tuple[tuple[int, ...], ...]
    sites: tuple[Site, ...]
    ratio: Range = (1.0, 1.0)
    inner: tuple[Range, ...] = ()


TWO_THIRDS = 2 / 3
# Ranges are a little wider than what is known at room temperature.
# Pm-3m: CH3NH3PbCl3 5.68 to HC(NH2)2PbI3 6.36 Å. Source: Poglitsch & Weber, J. Chem. Phys. 87,
#   6373 (1987); Weller et al., J. Phys. Chem. Lett. 6, 3209 (2015).
# I4/mcm: CH3NH3PbI3, a 8.85, c 12.64 Å, and its solid solutions that are not yet cubic.
#   Source: Kawamura et al., J. Phys. Soc. Jpn. 71, 1694 (2002); Noh et al., Nano Lett. 13, 1764
#   (2013), who find MAPb(I,Br)3 cubic from 13 to 20% bromine on.
# Fm-3m: Cs2AgBiCl6 10.78 to Cs2AgBiBr6 11.27 Å. Source: McClure et al., Chem. Mater. 28, 1348
#   (2016). One of the metals may be absent, as in Cs2SnI6, 11.65 Å.
# P-3m1: Cs3Bi2Br9, a 7.97, c 9.86 Å, and its relatives. Source: Lazarini, Acta Cryst. B 33, 2961
#   (1977); here with the sites of mp-27544, mp-28222 and mp-541014.
# P6_3/mmc: Cs3Bi2I9 and Cs3Sb2I9, a 8.4, c 21.2 Å, with the sites of mp-624214 and mp-23029.
PARENTS: dict[str, Parent] = {
    "Pm-3m": Parent(
        221, (5.55, 6.45), (1.0, 1.0), ((*ORGANIC, 37, 55), (50, 82)),
        ((0, 0.0, 0.0, 0.0), (1, 0.5, 0.5, 0.5), (2, 0.5, 0.5, 0.0)),
    ),
    "I4/mcm": Parent(
        140, (6.15, 6.4), (sqrt(2), 2.0), ((*ORGANIC, 37, 55), (50, 82)),
        (
            (0, 0.0, 0.5, 0.25), (1, 0.0, 0.0, 0.0), (2, 0.0, 0.0, 0.25),
            (2, (0, 1.0, 0.0), (0, 1.0, 0.5), 0.0),
        ),
        ratio=(0.985, 1.035), inner=((0.19, 0.235),),
    ),
    "Fm-3m": Parent(
        225, (5.2, 6.0), (2.0, 2.0), ((37, 55), (0, 11, 47), (51, 83)),
        (
            (0, 0.25, 0.25, 0.25), (1, 0.5, 0.5, 0.5), (2, 0.0, 0.0, 0.0),
            (3, (0, 1.0, 0.0), 0.0, 0.0),
        ),
        inner=((0.235, 0.265),),
    ),
    "P-3m1": Parent(
        164, (5.3, 6.15), (sqrt(2), sqrt(3)), (ALKALI, (51, 83)),
        (
            (0, 0.0, 0.0, 0.0), (0, 1 / 3, TWO_THIRDS, (0, 1.0, 0.0)),
            (1, 1 / 3, TWO_THIRDS, (1, 1.0, 0.0)), (2, 0.5, 0.5, 0.0),
            (2, (2, 1.0, 0.0), (2, 2.0, 0.0), (3, 1.0, 0.0)),
        ),
        ratio=(0.985, 1.03),
        inner=((0.32, 0.345), (0.80, 0.82), (0.160, 0.175), (0.655, 0.675)),
    ),
    "P6_3/mmc": Parent(
        194, (5.6, 6.15), (sqrt(2), 2.04 * sqrt(3)), (ALKALI, (51, 83)),
        (
            (0, 0.0, 0.0, 0.25), (0, 1 / 3, TWO_THIRDS, (0, 1.0, 0.0)),
            (1, 1 / 3, TWO_THIRDS, (1, 1.0, 0.0)),
            (2, (2, 1.0, 0.0), (2, 2.0, 0.0), (3, 1.0, 0.0)),
            (2, (4, 1.0, 0.0), (4, 2.0, 0.0), 0.25),
        ),
        ratio=(0.985, 1.03),
        inner=((0.42, 0.43), (0.84, 0.847), (0.160, 0.172), (0.578, 0.586), (0.49, 0.51)),
    ),
}  # fmt: skip
"""By the symbol of the space group."""


@dataclass(frozen=True)
class DrawnParent:
    """A crystal that was drawn.

    Args:
        group: key of `PARENTS`.
        numbers: atomic number of each species, 0 where the site is empty.
        a: lattice parameter, Å.
        c: Å; that of a in cubic crystals.
        inner: internal parameters, fractional.
    """

    group: str
    numbers: tuple[int, ...]
    a: float
    c: float
    inner: tuple[float, ...]


def draw_parent(group: str, random: np.random.Generator) -> DrawnParent:
    """One crystal: its length first, then elements that have such lengths.

    Args:
        group: key of `PARENTS`.
        random: decides the draw.
    """
    parent = PARENTS[group]
    edge = random.uniform(*parent.edge)
    halogens = [z for z, (low, high) in HALOGENS.items() if low <= edge <= high]
    numbers = [int(random.choice(choices)) for choices in (*parent.species, tuple(halogens))]
    ratio = random.uniform(*parent.ratio)
    # The volume stays: one axis is as much longer as the other two are shorter.
    a, c = parent.cell[0] * edge * ratio ** (-1 / 3), parent.cell[1] * edge * ratio ** (2 / 3)
    inner = tuple(round(float(random.uniform(*one)), WRITTEN) for one in parent.inner)
    return DrawnParent(group, tuple(numbers), round(float(a), 6), round(float(c), 6), inner)


def build_parent(drawn: DrawnParent) -> Crystal:
    """The primitive cell of a crystal that was drawn."""
    parent = PARENTS[drawn.group]
    vectors = CENTRED[drawn.group[0]]
    rotations, translations = operations(parent.number)
    numbers: list[int] = []
    places: list[Floats] = []
    for species, *coordinates in parent.sites:
        if not drawn.numbers[species]:
            continue
        start = np.array([_value(one, drawn.inner) for one in coordinates])
        images = (rotations @ start + translations) @ np.linalg.inv(vectors)
        _, first = np.unique(np.round(images % 1, SAME) % 1, axis=0, return_index=True)
        kept = np.sort(first)
        numbers += [drawn.numbers[species]] * len(kept)
        places.append(images[kept] % 1)
    lattice = vectors @ _conventional(parent.number, drawn.a, drawn.c)
    return check_crystal(as_crystal(lattice, np.array(numbers), np.concatenate(places)))


def _value(coordinate: Coordinate, inner: tuple[float, ...]) -> float:
    if isinstance(coordinate, tuple):
        place, factor, offset = coordinate
        return factor * inner[place] + offset
    return coordinate


def _conventional(number: int, a: float, c: float) -> Floats:
    """(3, 3) conventional lattice vectors as rows, Å; hexagonal axes for these groups."""
    if 143 <= number <= 194:
        return np.array([[a, 0, 0], [-a / 2, a * sqrt(3) / 2, 0], [0, 0, c]])
    return np.diag([a, a, c])
