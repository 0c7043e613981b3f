"""Crystals written as a prototype and its lattice parameters.

A prototype is a space group with one Wyckoff site for each species of the formula, so a
formula and one to three numbers make a crystal. The crystals come out as **primitive** cells:
the smallest cell holds every atom once, gives the smallest graph, and is the cell that large
computed databases publish, so atom counts and lattices compare without conversion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import GnnmatError, did_you_mean
from .crystal import Crystal, as_crystal

if TYPE_CHECKING:
    from pymatgen.core import Lattice, Structure

Coordinate = float | Literal["u"]
Site = tuple[Coordinate, Coordinate, Coordinate]

THIRD, HALF, QUARTER = 1.0 / 3.0, 1.0 / 2.0, 1.0 / 4.0
ORIGIN: Site = (0.0, 0.0, 0.0)
CENTRE: Site = (HALF, HALF, HALF)
TETRAHEDRAL_HOLE: Site = (QUARTER, QUARTER, QUARTER)


@dataclass(frozen=True)
class Prototype:
    """A structure type.

    Args:
        strukturbericht: the classic designation, ``B1`` for rock salt.
        space_group: Hermann-Mauguin symbol; sites are given in its standard setting.
        number: number of the space group in the International Tables.
        family: ``cubic`` (needs a), ``tetragonal`` or ``hexagonal`` (need a and c).
        counts: atoms of each species in one formula unit, in the order of the formula.
        sites: one representative site for each species, fractional; ``u`` is the internal
            parameter.
        atoms: atoms in the primitive cell.
        u: ideal or typical value of the internal parameter, used where none is given.
    """

    strukturbericht: str
    space_group: str
    number: int
    family: Literal["cubic", "tetragonal", "hexagonal"]
    counts: tuple[int, ...]
    sites: tuple[Site, ...]
    atoms: int
    u: float | None = None


# Source: fluorite (C1) as in the AFLOW Encyclopedia of Crystallographic Prototypes, label
# AB2_cF12_225_a_c; rutile (C4) as on the NRL Crystal Lattice Structures page; wurtzite with the
# parameters of AFLOW label AB_hP4_186_b_b as quoted in the OpenKIM Crystal Genome documentation.
# The other sites have no freedom; symmetry and coordination of all are counted in the tests.
# Body-centred tetragonal is A6 (indium, c/a above 1) and A_a (protactinium, c/a below 1) at once.
# u of wurtzite: 3/8 makes the four bonds equal at c/a = sqrt(8/3). u of rutile: that of TiO2.
PROTOTYPES: dict[str, Prototype] = {
    "fcc": Prototype("A1", "Fm-3m", 225, "cubic", (1,), (ORIGIN,), 1),
    "bcc": Prototype("A2", "Im-3m", 229, "cubic", (1,), (ORIGIN,), 1),
    "hcp": Prototype("A3", "P6_3/mmc", 194, "hexagonal", (1,), ((THIRD, 2 * THIRD, QUARTER),), 2),
    "sc": Prototype("A_h", "Pm-3m", 221, "cubic", (1,), (ORIGIN,), 1),
    "bct": Prototype("A6", "I4/mmm", 139, "tetragonal", (1,), (ORIGIN,), 1),
    "diamond": Prototype("A4", "Fd-3m", 227, "cubic", (1,), (ORIGIN,), 2),
    "rocksalt": Prototype("B1", "Fm-3m", 225, "cubic", (1, 1), (ORIGIN, CENTRE), 2),
    "cscl": Prototype("B2", "Pm-3m", 221, "cubic", (1, 1), (ORIGIN, CENTRE), 2),
    "zincblende": Prototype("B3", "F-43m", 216, "cubic", (1, 1), (ORIGIN, TETRAHEDRAL_HOLE), 2),
    "wurtzite": Prototype(
        "B4",
        "P6_3mc",
        186,
        "hexagonal",
        (1, 1),
        ((THIRD, 2 * THIRD, 0.0), (THIRD, 2 * THIRD, "u")),
        4,
        u=3.0 / 8.0,
    ),
    "fluorite": Prototype("C1", "Fm-3m", 225, "cubic", (1, 2), (ORIGIN, TETRAHEDRAL_HOLE), 3),
    "antifluorite": Prototype("C1", "Fm-3m", 225, "cubic", (2, 1), (TETRAHEDRAL_HOLE, ORIGIN), 3),
    "rutile": Prototype(
        "C4", "P4_2/mnm", 136, "tetragonal", (1, 2), (ORIGIN, ("u", "u", 0.0)), 6, u=0.305
    ),
    "perovskite": Prototype(
        "E2_1", "Pm-3m", 221, "cubic", (1, 1, 3), (ORIGIN, CENTRE, (HALF, HALF, 0.0)), 5
    ),
}


def build_prototype(
    prototype: str, formula: str, a: float, c: float | None = None, u: float | None = None
) -> Crystal:
    """A `Crystal`: the primitive cell of a prototype with the species of a formula.

    Args:
        prototype: a key of `PROTOTYPES`.
        formula: species in the order of the prototype's sites, cations first: ``NaCl``,
            ``CaF2``, ``Mg2Si`` (antifluorite), ``SrTiO3`` (A, B, X).
        a: lattice parameter of the conventional cell, Å.
        c: second lattice parameter, Å; only for tetragonal and hexagonal prototypes.
        u: internal parameter, fractional; the prototype's own where left out.

    Returns:
        lattice (3, 3) in Å, numbers (atoms,) in the order of the formula, frac (atoms, 3).

    Raises:
        GnnmatError: the prototype is unknown, the formula does not fit it, or a parameter is
            missing, superfluous or not a length.
    """
    kind = PROTOTYPES.get(prototype)
    if kind is None:
        raise GnnmatError(
            f"Unknown prototype '{prototype}'.",
            why=f"A crystal of {formula} was asked for in it.",
            fix=did_you_mean(prototype, PROTOTYPES),
        )
    species = _species(prototype, kind, formula)
    _check_parameters(prototype, kind, formula, a, c, u)
    inner = kind.u if u is None else u
    sites = [_place(site, inner) for site in kind.sites]
    return _primitive(kind, species, sites, a, c)


def _primitive(
    kind: Prototype, species: Sequence[str], sites: Sequence[list[float]], a: float, c: float | None
) -> Crystal:
    """The primitive cell, atoms sorted in the order of the formula."""
    from pymatgen.core import Structure

    _keep_space_group(kind.space_group)
    conventional = Structure.from_spacegroup(kind.space_group, _lattice(kind, a, c), species, sites)
    cell: Structure = conventional.get_primitive_structure()
    if len(cell) != kind.atoms:
        raise GnnmatError(
            f"A cell of {'-'.join(species)} has {len(cell)} atoms instead of {kind.atoms}.",
            why=f"The internal parameter puts atoms of {kind.space_group} on top of each other.",
            fix="Give another u, or leave it out for the prototype's own.",
        )
    order = sorted(range(len(cell)), key=lambda site: species.index(cell[site].specie.symbol))
    numbers = [cell[site].specie.Z for site in order]
    frac = np.asarray(cell.frac_coords, dtype=np.float64)[order] % 1.0
    frac[np.isclose(frac, 1.0, atol=1e-9)] = 0.0
    return as_crystal(cell.lattice.matrix, numbers, frac)


@cache
def _keep_space_group(symbol: str) -> object:
    """The space group, held so that pymatgen makes its operations once (half a second) only."""
    from pymatgen.symmetry.groups import SpaceGroup

    return SpaceGroup(symbol)


def _lattice(kind: Prototype, a: float, c: float | None) -> Lattice:
    """The conventional lattice in Å."""
    from pymatgen.core import Lattice

    if kind.family == "cubic" or c is None:
        return Lattice.cubic(a)
    return Lattice.tetragonal(a, c) if kind.family == "tetragonal" else Lattice.hexagonal(a, c)


def _place(site: Site, u: float | None) -> list[float]:
    """(3,) fractional coordinates with the internal parameter put in."""
    return [float(u if u is not None else 0.0) if x == "u" else float(x) for x in site]


def _species(prototype: str, kind: Prototype, formula: str) -> list[str]:
    """Element symbols in the order of the formula, after checking that the formula fits."""
    from pymatgen.core import Element

    pairs = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    symbols = [symbol for symbol, _ in pairs]
    counts = tuple(int(count or 1) for _, count in pairs)
    spelled = "".join(symbol + count for symbol, count in pairs)
    strange = [symbol for symbol in symbols if not Element.is_valid_symbol(symbol)]
    if spelled != formula or counts != kind.counts or strange or len(set(symbols)) != len(symbols):
        wanted = "".join(
            letter + (str(count) if count > 1 else "")
            for letter, count in zip("ABX", kind.counts, strict=False)
        )
        raise GnnmatError(
            f"'{formula}' does not fit the prototype '{prototype}'.",
            why=f"The prototype takes a formula of the form {wanted}, one element for each letter.",
            fix="Write the elements in that order with their counts, or choose another prototype.",
        )
    return symbols


def _check_parameters(
    prototype: str, kind: Prototype, formula: str, a: float, c: float | None, u: float | None
) -> None:
    """Refuse lengths that are no lengths, and parameters that are missing or superfluous."""
    if kind.family != "cubic" and c is None:
        raise GnnmatError(
            f"{formula} in '{prototype}' has no c.",
            why=f"The prototype is {kind.family}: symmetry does not fix c.",
            fix="Give c in Å.",
        )
    extra = [
        name
        for name, given, known in (("c", c, kind.family != "cubic"), ("u", u, kind.u))
        if given is not None and not known
    ]
    if extra:
        raise GnnmatError(
            f"{formula} in '{prototype}' was given {' and '.join(extra)}.",
            why="The symmetry of the prototype leaves no such parameter.",
            fix="Leave it out.",
        )
    for name, value in (("a", a), ("c", c)):
        if value is not None and not (isfinite(value) and value > 0):
            raise GnnmatError(
                f"{formula} in '{prototype}' has {name} = {value} Å.",
                why="A lattice parameter is a length above 0.",
                fix=f"Give {name} in Å.",
            )
