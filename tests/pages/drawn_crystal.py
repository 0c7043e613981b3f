"""A rock salt and what a page shows of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.inputs.neighbours import neighbours_within
from gnnmat.pages.crystal_explanation import CrystalPage
from gnnmat.pages.crystal_scene import DrawnCrystal
from gnnmat.sources.crystal import Crystal

CUBE = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
ROCK_SALT = Crystal(
    np.eye(3) * 5.64,
    np.array([11] * 4 + [17] * 4),
    np.concatenate([CUBE, CUBE + [0.5, 0, 0]]),
)


def drawn(crystal: Crystal = ROCK_SALT, cutoff: float = 3.0) -> DrawnCrystal:
    """The crystal with bonds up to a length; sodium raises, chlorine lowers."""
    pairs = neighbours_within(crystal, cutoff)
    forth = pairs.source > pairs.centre
    return DrawnCrystal(
        lattice=crystal.lattice,
        frac=crystal.frac,
        numbers=crystal.numbers,
        values=np.where(crystal.numbers == 11, 0.2, -0.1),
        first=pairs.centre[forth],
        second=pairs.source[forth],
        offset=pairs.offset[forth],
        length=pairs.length[forth],
        bond_values=np.linspace(-1, 2, int(forth.sum())),
    )


def page(**changes: Any) -> CrystalPage:
    """A page with everything on it."""
    crystal = drawn()
    symbols = np.where(crystal.numbers == 11, "Na", "Cl")
    count = len(crystal.length)
    atoms = pd.DataFrame(
        {
            "atom": range(8),
            "element": symbols,
            "wyckoff": np.where(symbols == "Na", "a", "b"),
            "contribution": crystal.values,
            "spread": 0.03,
        }
    )
    bonds = pd.DataFrame(
        {
            "first": crystal.first,
            "second": crystal.second,
            "first_element": symbols[crystal.first],
            "second_element": symbols[crystal.second],
            "length": crystal.length,
            "contribution": crystal.bond_values,
            "spread": 0.5,
        }
    )
    kinds = {"pair": ["Cl–Na"], "length": [2.82], "count": [count], "each": [0.5], "total": [12.0]}
    elements = {"element": ["Na", "Cl"], "count": [4, 4], "each": [0.2, -0.1], "total": [0.8, -0.4]}
    made = CrystalPage(
        title="salt",
        formula="NaCl",
        target="gap",
        prediction="5.1 eV",
        verdict="in domain",
        unit="eV",
        explained="gap",
        crystal=crystal,
        atoms=atoms,
        bonds=bonds,
        kinds=pd.DataFrame(kinds),
        elements=pd.DataFrame(elements),
        statements=[("atoms", "Exact."), ("atoms add up", "Completeness error 1e-16.")],
        facts=[("model", "runs/gap")],
    )
    return replace(made, **changes)
