"""Candidates as a table: one row a crystal, its arrays in three columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gnnmat.sources.crystal import Crystal, as_crystal

# Columns of every table of candidates. ``volume`` is that of an atom in Å^3, ``mass`` the mean
# mass of an atom in atomic mass units, ``atoms`` the number of sites.
ARRAYS = ("lattice", "numbers", "frac")
FACTS = ("id", "formula", "atoms", "volume", "mass")


def crystals_of(table: pd.DataFrame) -> list[Crystal]:
    """The crystals of the rows, in order."""
    columns = (table[name] for name in ARRAYS)
    return [as_crystal(*row) for row in zip(*columns, strict=True)]


def rows_of(ids: Sequence[str], crystals: Sequence[Crystal]) -> pd.DataFrame:
    """The table of some crystals, with the columns that every stage may use.

    Args:
        ids: unique names.
        crystals: as many.
    """
    from gnnmat.workflows.screening.facts import mean_masses, reduced_formulas

    numbers = [one.numbers for one in crystals]
    return pd.DataFrame(
        {
            "id": list(ids),
            "formula": reduced_formulas(numbers),
            "atoms": [len(one) for one in numbers],
            "volume": [one.volume / max(1, len(one.numbers)) for one in crystals],
            "mass": mean_masses(numbers),
            "lattice": [one.lattice.ravel() for one in crystals],
            "numbers": [np.asarray(one) for one in numbers],
            "frac": [one.frac.ravel() for one in crystals],
        }
    )
