"""Families of superconductors, by which the learning curves are split: variants stay together."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def transfer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    here = Path(__file__).parent
    monkeypatch.syspath_prepend(str(here))
    return runpy.run_path(str(here / "transfer.py"))


@pytest.mark.parametrize(
    ("composition", "expected"),
    [
        ("Y1Ba2Cu3O7", "Ba-Cu-O-R"),
        ("Nd0.9Y0.1Ba2Cu2.95Zn0.05O6.9", "Ba-Cu-O-R"),  # 8% rare earths together, 0.4% zinc
        ("La1.85Sr0.15Cu1O4", "Cu-O-R"),
        ("Ba2Cu3O7", "Ba-Cu-O"),
        ("Nb3Sn1", "Nb-Sn"),
        ("Mg1B2", "B-Mg"),
        ("Pb1Mo6S8", "Mo-Pb-S"),
    ],
)
def test_family_holds_the_chief_elements(
    transfer: dict[str, Any], composition: str, expected: str
) -> None:
    assert transfer["family"](composition) == expected


def test_families_are_coarser_than_formulas(shared_data: Path, transfer: dict[str, Any]) -> None:
    import pandas as pd

    table = pd.read_parquet(shared_data / "superconductors_3dsc.parquet", columns=["formula_sc"])
    named = table.assign(family=[transfer["family"](text) for text in table["formula_sc"]])
    cuprates = named[named["family"] == "Ba-Cu-O-R"]
    assert cuprates["formula_sc"].nunique() > 10
