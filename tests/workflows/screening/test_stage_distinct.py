"""De-duplication against pymatgen's matcher, and diversity by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.distinct import SAME, Distinct
from gnnmat.workflows.screening.table import rows_of

from ...contracts import crystals
from .formulas import candidates


def caesium_chloride(a: float = 3.4) -> Crystal:
    """NaCl in the other structure."""
    return as_crystal(np.eye(3) * a, [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def table() -> pd.DataFrame:
    made = [
        crystals.rock_salt(),
        crystals.rock_salt_primitive(5.8),
        caesium_chloride(),
        crystals.diamond(),
        crystals.rock_salt_primitive(5.7),
    ]
    return rows_of(list("abcde"), made).assign(score=[1.0, 3.0, 2.0, 0.0, np.nan])


def judged(table: pd.DataFrame, **options: Any) -> Judged:
    return Distinct(**options).open(Path())(table)


def test_one_of_each_structure_stays_whatever_its_cell(table: pd.DataFrame) -> None:
    found = judged(table)
    assert list(found.reasons) == ["", SAME, "", "", SAME]
    assert list(found.columns["copies"]) == [3, 1, 1, 1, 1]


@pytest.mark.parametrize(("largest", "best"), [(True, "b"), (False, "a")])
def test_the_best_by_a_column_stays(table: pd.DataFrame, largest: bool, best: str) -> None:
    found = judged(table, by="score", largest=largest)
    assert "".join(table["id"][found.reasons == ""]) == "".join(sorted(best + "cd"))


def test_it_agrees_with_the_matcher_on_every_pair() -> None:
    random = np.random.default_rng(0)
    made = []
    for amount in (0.0, 0.02, 0.2, 0.9):
        one = crystals.rock_salt()
        moved = one.frac + random.normal(0, amount / 5.64, one.frac.shape)
        made += [as_crystal(one.lattice, one.numbers, moved), caesium_chloride(3.4 + amount)]
    matcher = StructureMatcher()
    plain = [Structure(Lattice(one.lattice), one.numbers, one.frac) for one in made]
    for first in range(len(made)):
        for second in range(first):
            found = judged(rows_of(["a", "b"], [made[first], made[second]]))
            assert (found.reasons[1] == SAME) == matcher.fit(plain[second], plain[first])


def test_tolerances_are_handed_on(table: pd.DataFrame) -> None:
    stretched = crystals.rock_salt_primitive()
    lattice = stretched.lattice * [1, 1, 1.3]
    pair = rows_of(
        ["a", "b"],
        [crystals.rock_salt_primitive(), as_crystal(lattice, stretched.numbers, stretched.frac)],
    )
    assert judged(pair).reasons[1] == ""
    loose = judged(pair, length_tolerance=0.5, angle_tolerance=20.0)
    assert loose.reasons[1] == SAME


def test_one_broken_crystal_gets_a_reason_and_the_rest_go_on(table: pd.DataFrame) -> None:
    broken = table.copy()
    broken.at[0, "lattice"] = np.zeros(9)
    broken.at[2, "frac"] = np.full(6, np.nan)
    found = judged(broken)
    assert found.reasons[0].startswith("failed: comparing it raised")
    assert list(found.reasons[[1, 4]]) == ["", SAME]


def test_at_most_a_few_of_a_prototype(table: pd.DataFrame) -> None:
    some = table.assign(prototype=["AB_225_a_b", "AB_225_a_b", "AB", "A_227_a", "AB"])
    found = judged(some, match=False, by="score", per_prototype=1)
    # b is better than a; where no symmetry was found a crystal is like no other.
    assert list(found.reasons) == ["1 of its prototype are better", "", "", "", ""]


def test_at_most_a_few_of_a_chemical_system() -> None:
    table = candidates("CaTiO3", "Ca2TiO4", "TiO2", "CaTi2O5", score=[1.0, 2.0, 0.0, 3.0])
    found = judged(table, match=False, by="score", per_system=2)
    assert list(found.reasons) == ["2 of its chemical system are better", "", "", ""]


def test_a_duplicate_takes_no_place_of_its_kind(table: pd.DataFrame) -> None:
    # b and a are one structure, so that with two places Na-Cl has room for c.
    found = judged(table, by="score", per_system=2)
    assert list(found.reasons) == [SAME, "", "", "", SAME]


def test_missing_columns_are_named(table: pd.DataFrame) -> None:
    with pytest.raises(GnnmatError, match="no column 'hardness'"):
        judged(table, by="hardness")
    with pytest.raises(GnnmatError, match="no column 'prototype'"):
        judged(table, per_prototype=1)
    assert list(Distinct(by="x", per_prototype=1).needs()) == ["x", "prototype"]
