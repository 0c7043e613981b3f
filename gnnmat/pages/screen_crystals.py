"""The crystals of a screen as its page shows and hands them out: drawings and CIF files."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnnmat.inputs.neighbours import neighbours_within
from gnnmat.models.elements import covalent_radii, element_table
from gnnmat.pages.crystal_scene import BONDED, SHELL, DrawnCrystal, scene
from gnnmat.sources.crystal import Crystal

DIGITS = 8  # of numbers in CIF files


def drawing(crystal: Crystal) -> dict[str, Any]:
    """Atoms, bonds and cell in flat lists, Å.

    Returns ``atoms`` (x, y, z, atomic number, ...), ``bonds`` (six numbers each: both ends),
    ``cell`` (twelve edges, likewise), ``lattice`` (nine numbers).
    """
    bonded = _bonded(crystal)
    # The drawing of explanations tells its words back: here they are the atomic numbers.
    words = [str(number) for number in crystal.numbers]
    made = scene(bonded, words, [""] * len(bonded.length), words)
    bonds = [one for one in made["bonds"] if one["near"]]
    atoms = [[*one["at"], int(one["words"])] for one in made["atoms"]]
    return {
        "atoms": _flat(atoms),
        "bonds": _flat([[*one["from"], *one["to"]] for one in bonds]),
        "cell": _flat([[*start, *end] for start, end in made["cell"]]),
        "lattice": _flat(made["lattice"]),
    }


def _bonded(crystal: Crystal) -> DrawnCrystal:
    """The crystal with every pair that can be a bond by covalent radii."""
    longest = 2 * float(covalent_radii()[crystal.numbers].max())
    pairs = neighbours_within(crystal, longest * BONDED * SHELL)
    forth = _once(pairs.centre, pairs.source, pairs.offset)
    return DrawnCrystal(
        lattice=crystal.lattice,
        frac=crystal.frac,
        numbers=crystal.numbers,
        values=np.zeros(len(crystal.numbers)),
        first=pairs.centre[forth],
        second=pairs.source[forth],
        offset=pairs.offset[forth],
        length=pairs.length[forth],
        bond_values=None,
    )


def _once(first: Any, second: Any, offset: Any) -> Any:
    """(pairs,) true for one of the two directions of every pair."""
    leading = np.zeros(len(first), dtype=np.int64)
    for axis in range(3):
        leading = np.where(leading == 0, np.sign(offset[:, axis]), leading)
    return (first < second) | ((first == second) & (leading > 0))


def _flat(rows: list[list[float]]) -> list[float]:
    # Thousandths of an Å are finer than a pixel, and half as long in the file.
    return [round(value, 3) for row in rows for value in row]


def cif(crystal: Crystal) -> str:
    """The crystal as the text of a CIF file, without symmetry (P 1)."""
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifWriter

    structure = Structure(crystal.lattice, crystal.numbers, crystal.frac)
    return str(CifWriter(structure, significant_figures=DIGITS))


def elements() -> dict[str, Any]:
    """Symbols, covalent radii (Å) and colours by atomic number, nothing at 0.

    Colours are those of Jmol, as ASE tabulates them.
    """
    from ase.data.colors import jmol_colors

    rows = element_table()
    colours = [
        "#" + "".join(f"{round(255 * float(part)):02x}" for part in jmol_colors[i])
        if i < len(jmol_colors)
        else "#e60000"
        for i in range(len(rows) + 1)
    ]
    return {
        "symbols": ["", *(row["symbol"] for row in rows)],
        "radii": [round(float(radius), 2) for radius in covalent_radii()],
        "colours": colours,
    }
