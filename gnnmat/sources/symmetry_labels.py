"""What a space group is called, and which one a crystal has.

Symbols are those of spglib for the standard setting, one for each of the 230 groups, in the short
Hermann-Mauguin form with an underscore before a subscript: ``Fm-3m``, ``P6_3/mmc``, ``P2_1/c``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.symmetry_search import plain_spglib, symmetry_dataset

GROUPS = 230
# Last space group, name and family letter of each crystal system.
# Source: International Tables for Crystallography A, tables 2.1.1.1 and 2.1.2.1.
SYSTEMS = (
    (2, "triclinic", "a"),
    (15, "monoclinic", "m"),
    (74, "orthorhombic", "o"),
    (142, "tetragonal", "t"),
    (167, "trigonal", "h"),
    (194, "hexagonal", "h"),
    (230, "cubic", "c"),
)
COLUMNS = ("crystal_system", "space_group", "space_group_number", "bravais", "prototype")


def crystal_system(number: int) -> str:
    """The crystal system of a space group; trigonal and hexagonal are two of the seven."""
    return _system(number)[1]


def bravais(number: int) -> str:
    """The Bravais type of a space group, one of 14: ``cF``, ``hP``, ``hR``, ``oC``.

    A-centred cells are C-centred ones with other names for their axes, so there is no ``oA``.
    """
    centring = symbol(number)[0]
    return _system(number)[2] + ("C" if centring == "A" else centring)


def symbol(number: int) -> str:
    """The short Hermann-Mauguin symbol of a space group in its standard setting."""
    _system(number)
    return _settings()[number - 1][1]


def labels(numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Columns for the space groups of many crystals: `COLUMNS` but for the prototype.

    Args:
        numbers: (n,) of the space groups.
    """
    groups = [int(number) for number in numbers]
    return {
        "crystal_system": np.array([crystal_system(one) for one in groups], dtype=object),
        "space_group": np.array([symbol(one) for one in groups], dtype=object),
        "space_group_number": np.array(groups, dtype=np.int64),
        "bravais": np.array([bravais(one) for one in groups], dtype=object),
    }


@cache
def operations(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations (n, 3, 3) and translations (n, 3) of a space group, in its first setting."""
    _system(number)
    with plain_spglib() as spglib:
        found = spglib.get_symmetry_from_database(_settings()[number - 1][0])
    return found["rotations"].astype(np.float64), found["translations"].astype(np.float64)


def space_group(crystal: Crystal, symprec: float) -> int:
    """The number of the space group; 0 where spglib finds none.

    Args:
        crystal: ordered crystal.
        symprec: tolerance on positions, Å.
    """
    dataset = symmetry_dataset(crystal, symprec)
    return 0 if dataset is None else int(dataset.number)


def spglib_version() -> str:
    """The version of spglib: what is found near a tolerance may differ between them."""
    with plain_spglib() as spglib:
        return str(spglib.__version__)


def _system(number: int) -> tuple[int, str, str]:
    if not 1 <= number <= GROUPS:
        raise GnnmatError(f"There is no space group {number}.", why="They go from 1 to 230.")
    return next(one for one in SYSTEMS if number <= one[0])


@cache
def _settings() -> tuple[tuple[int, str], ...]:
    """By space group: number of its first Hall symbol, and its short symbol."""
    first: dict[int, tuple[int, str]] = {}
    with plain_spglib() as spglib:
        for hall in range(1, 531):
            kind = spglib.get_spacegroup_type(hall)
            first.setdefault(int(kind.number), (hall, str(kind.international_short)))
    return tuple(first[number] for number in range(1, GROUPS + 1))
