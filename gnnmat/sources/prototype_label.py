"""What a crystal is called: its formula, its space group and its prototype label."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from gnnmat.sources import symmetry_labels
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.symmetry_labels import GROUPS
from gnnmat.sources.symmetry_search import symmetry_dataset

# Symbols by atomic number, from 1.
SYMBOLS: tuple[str, ...] = tuple(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
    "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og".split()
)

# Symbols by rising Pauling electronegativity, ties and elements without a value by symbol.
# Source: `pymatgen.core.Element.X` (2026.10), which orders pymatgen's formulas.
BY_ELECTRONEGATIVITY: tuple[str, ...] = tuple(
    "Fr Cs K Rb Ba Ra Na Sr Li Ca Ac La Tb Yb Ce Pm Pr Nd Sm Eu Gd Dy Y Ho Er Tm Lu Pu Am Bk Cf "
    "Cm Es Fm Hf Lr Md No Th Mg Zr Np Sc U Pa Ta Ti Mn Be Nb Al Tl V Zn Cr Cd In Ga Fe Co Cu Re "
    "Si Tc Ni Ag Sn Hg Po Ge Bi B Sb Te Mo As P At H Ir Os Pd Rn Ru Pt Rh Pb W Au C Se S Xe I Br "
    "Kr N Cl O F Ar Bh Cn Db Ds Fl He Hs Lv Mc Mt Ne Nh Og Rf Rg Sg Ts".split()
)

_RANK = {symbol: rank for rank, symbol in enumerate(BY_ELECTRONEGATIVITY)}
_ORDER = np.array([_RANK[symbol] for symbol in SYMBOLS])


# What people call the commonest labels; the labels are those of `prototypes.PROTOTYPES`.
# Fluorite and antifluorite differ in which species is the anion, and share a label.
COMMON: dict[str, str] = {
    "A_225_a": "fcc", "A_229_a": "bcc", "A_194_c": "hcp", "A_221_a": "sc", "A_139_a": "bct",
    "A_227_a": "diamond", "AB_225_a_b": "rocksalt", "AB_221_a_b": "cscl",
    "AB_216_a_c": "zincblende", "AB_186_b_b": "wurtzite", "AB2_225_a_c": "fluorite",
    "AB2_136_a_f": "rutile", "ABC3_221_a_b_c": "perovskite",
}  # fmt: skip


@dataclass(frozen=True)
class Symmetry:
    """What kind of structure a crystal has.

    Args:
        space_group: number; 0 if none was found.
        crystal_system: one of seven, or ``unknown``.
        prototype: label, see `describe`.
        sites: atoms in the primitive cell; in the given one if no symmetry was found.
        orbits: sets of equivalent atoms; every atom is one if no symmetry was found.
    """

    space_group: int
    crystal_system: str
    prototype: str
    sites: int
    orbits: int


def formula(numbers: NDArray[np.int64]) -> str:
    """Reduced formula, least electronegative element first: ``NaCl``, ``Al2O3``, ``CaTiO3``.

    As pymatgen's, but without its groups in brackets and its exceptions for molecules: calcium
    phosphate is ``Ca3P2O8`` and oxygen is ``O``.

    Args:
        numbers: (atoms,) atomic numbers, 1 to 118.
    """
    counts = _reduced_counts(numbers)
    ordered = sorted(counts, key=lambda number: _ORDER[number - 1])
    return "".join(SYMBOLS[number - 1] + _amount(counts[number]) for number in ordered)


def anonymous_formula(numbers: NDArray[np.int64]) -> str:
    """Reduced formula with letters for elements, rarest first: ``AB`` for NaCl, ``AB2C4``.

    Args:
        numbers: (atoms,) atomic numbers.
    """
    amounts = sorted(_reduced_counts(numbers).values())
    return "".join(_letter(place) + _amount(amount) for place, amount in enumerate(amounts))


def describe(crystal: Crystal, symprec: float = 0.01) -> Symmetry:
    """Space group, crystal system and prototype label of a crystal.

    The label is the anonymous formula, the space group and the Wyckoff letters of each element
    with the number of occupied positions, as in ``AB_225_a_b`` for rock salt. It depends
    neither on which elements are present nor on cell, atom order or origin: of all settings of
    the space group that only rename Wyckoff positions, and of all orders of elements with
    equal amounts, the label with the lowest letters is taken.

    Limits: free coordinates and axial ratios are not part of the label, so that crystals with
    different coordination can share one; the two hands of a chiral structure differ in space
    group; where spglib finds no symmetry the label is the anonymous formula alone.

    Args:
        crystal: ordered crystal.
        symprec: tolerance on positions, Å.

    Source: the idea of the label from the AFLOW prototype library, Mehl et al., Comput. Mater.
    Sci. 136, S1 (2017), section 2; renamed settings from `pymatgen.analysis.prototypes`.
    """
    found = symmetry_dataset(crystal, symprec)
    if found is None:
        return without_symmetry(crystal.numbers)
    group, places = int(found.number), found.crystallographic_orbits.tolist()
    positions = _positions(crystal.numbers, places, list(found.wyckoffs))
    pattern = _lowest_pattern(group, positions, _reduced_counts(crystal.numbers))
    return Symmetry(
        group,
        crystal_system(group),
        f"{anonymous_formula(crystal.numbers)}_{group}_{pattern}",
        len(set(found.mapping_to_primitive.tolist())),
        len(set(places)),
    )


def without_symmetry(numbers: NDArray[np.int64]) -> Symmetry:
    """Of a crystal in which no symmetry was found.

    Args:
        numbers: (atoms,) atomic numbers.
    """
    return Symmetry(0, "unknown", anonymous_formula(numbers), len(numbers), len(numbers))


def orbits(
    crystal: Crystal, symprec: float = 0.01
) -> tuple[int, Sequence[int], Sequence[str]] | None:
    """Space group, orbit of each atom and Wyckoff letter of each atom; None where not found."""
    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None:
        return None
    return int(dataset.number), dataset.crystallographic_orbits.tolist(), list(dataset.wyckoffs)


def crystal_system(space_group: int) -> str:
    """The crystal system of a space group number; ``unknown`` outside 1 to 230."""
    return symmetry_labels.crystal_system(space_group) if 1 <= space_group <= GROUPS else "unknown"


def _reduced_counts(numbers: NDArray[np.int64]) -> dict[int, int]:
    counts = Counter(numbers.tolist())
    common = gcd(*counts.values()) or 1
    return {number: count // common for number, count in counts.items()}


def _amount(amount: int) -> str:
    return "" if amount == 1 else str(amount)


def _letter(place: int) -> str:
    # More than 26 elements in one crystal: Z1, Z2, ... keep the formula unique.
    return ascii_uppercase[place] if place < 26 else f"Z{place - 25}:"


def _positions(
    numbers: NDArray[np.int64], orbits: Sequence[int], letters: Sequence[str]
) -> dict[int, Counter[str]]:
    """How often each element occupies each Wyckoff letter; an orbit counts once."""
    positions: dict[int, Counter[str]] = {}
    for number, _, letter in sorted(set(zip(numbers.tolist(), orbits, letters, strict=True))):
        positions.setdefault(number, Counter())[letter] += 1
    return positions


def _lowest_pattern(
    space_group: int, positions: Mapping[int, Counter[str]], amounts: Mapping[int, int]
) -> str:
    patterns = []
    for renamed in _relabellings(space_group):
        score = 0
        tokens = []
        for number, occupied in positions.items():
            ranks = sorted((renamed[letter], count) for letter, count in occupied.items())
            score += sum(rank * count for rank, count in ranks)
            tokens.append((amounts[number], tuple(ranks)))
        patterns.append((score, sorted(tokens)))
    _, lowest = min(patterns)
    return "_".join(
        "".join(_amount(count) + _wyckoff_letter(rank) for rank, count in ranks)
        for _, ranks in lowest
    )


def _wyckoff_letter(rank: int) -> str:
    # Space group 47 has 27 positions; the last is called A.
    return chr(ord("a") + rank) if rank < 26 else "A"


def _wyckoff_rank(letter: str) -> int:
    return 26 if letter == "A" else ord(letter) - ord("a")


@cache
def _settings() -> dict[str, list[str]]:
    """By space group: the new names of positions a, b, c, ... in each equivalent setting.

    Source: `pymatgen.analysis.prototypes.WYCKOFF_POSITION_RELAB_DICT` (pymatgen 2026.10, MIT),
    written as one string a setting; copied because reading it there imports for seconds.
    """
    path = Path(__file__).with_name("wyckoff_settings.json")
    settings: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return settings


@cache
def _relabellings(space_group: int) -> list[dict[str, int]]:
    """New rank of each Wyckoff letter, for every setting that maps the space group to itself."""
    return [
        {_wyckoff_letter(rank): _wyckoff_rank(new) for rank, new in enumerate(renamed)}
        for renamed in _settings()[str(space_group)]
    ]
