"""Symmetry of candidates: space groups of known crystals, and which of them stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.symmetry import SymmetryStage
from gnnmat.workflows.screening.table import rows_of

from ...contracts import crystals

# Space groups of the International Tables: rock salt, diamond, hcp, cubic perovskite, bcc.
GROUPS = [225, 227, 194, 221, 229]
SYSTEMS = ["cubic", "cubic", "hexagonal", "cubic", "cubic"]


@pytest.fixture
def table() -> pd.DataFrame:
    made = [
        crystals.rock_salt(),
        crystals.diamond(),
        crystals.magnesium(),
        crystals.perovskite(),
        crystals.iron(),
    ]
    return rows_of(list("abcde"), made)


def judged(table: pd.DataFrame, **options: Any) -> Judged:
    return SymmetryStage(**options).open(Path())(table)


def test_columns_are_those_of_the_international_tables(table: pd.DataFrame) -> None:
    found = judged(table)
    assert list(found.columns["space_group"]) == GROUPS
    assert list(found.columns["crystal_system"]) == SYSTEMS
    assert found.columns["prototype"].iloc[0] == "AB_225_a_b"
    assert not found.reasons.any()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"space_groups": [225, 194]}, "ac"),
        ({"space_groups": ["Fm-3m", "P6_3/mmc"]}, "ac"),
        ({"space_groups": "P63/mmc"}, "c"),
        ({"crystal_systems": "hexagonal"}, "c"),
        ({"prototypes": "AB_225_a_b"}, "a"),
        ({"crystal_systems": ["cubic"], "space_groups": [194]}, ""),
    ],
)
def test_what_is_kept(table: pd.DataFrame, options: dict[str, Any], kept: str) -> None:
    found = judged(table, **options)
    assert "".join(table["id"][found.reasons == ""]) == kept


def test_the_tolerance_is_that_asked_for() -> None:
    # The second atom 0.05 Å off: no longer diamond within 0.01 Å, but within 0.2 Å.
    one = crystals.diamond()
    frac = one.frac + [[0, 0, 0], [0.02, 0, 0]]
    table = rows_of(["a"], [as_crystal(one.lattice, one.numbers, frac)])
    assert judged(table).columns["space_group"].iloc[0] != 227
    assert judged(table, symprec=0.2).columns["space_group"].iloc[0] == 227


def test_reasons_name_what_was_not_met(table: pd.DataFrame) -> None:
    assert judged(table, space_groups=[1]).reasons[0] == "its space group is not among those kept"
    found = judged(table, crystal_systems="cubic")
    assert found.reasons[2] == "its crystal system is not among those kept"
    found = judged(table, prototypes="A_1_a")
    assert found.reasons[0] == "its prototype is not among those kept"


def test_one_broken_crystal_gets_a_reason_and_the_rest_go_on(table: pd.DataFrame) -> None:
    broken = table.copy()
    broken.at[1, "lattice"] = np.arange(4.0)  # not nine numbers
    broken.at[2, "lattice"] = np.zeros(9)  # no volume
    found = judged(broken, space_groups=[225, 221])
    wanted = ["", "failed: its symmetry raised ValueError", "no symmetry was found", ""]
    assert list(found.reasons[:4]) == wanted
    assert list(found.columns["space_group"][:4]) == [225, 0, 0, 221]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"space_groups": [231]}, "from 1 to 230"),
        ({"space_groups": [0]}, "from 1 to 230"),
        ({"space_groups": ["Fm-3n"]}, "Did you mean 'Fm-3"),
        ({"crystal_systems": ["round"]}, "cubic"),
    ],
)
def test_what_does_not_exist_is_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        SymmetryStage(**options)
