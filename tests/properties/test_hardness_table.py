"""The table of measured hardness and toughness: sources, and moduli from elastic constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pymatgen.core import Composition

from gnnmat.properties.elastic import elastic_invariants

DATASETS = Path(__file__).parents[2] / "datasets"
TABLE = pd.read_csv(DATASETS / "hardness_toughness.csv").set_index("id")
SOURCES = ["cell_source", "moduli_source", "hardness_source", "toughness_source"]
AVOGADRO = 0.602214076  # 1e24


def sources() -> dict[str, dict[str, str]]:
    text = (DATASETS / "hardness_toughness_sources.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.safe_load(text)
    return found


def tensor(text: str) -> np.ndarray:
    given = {name: float(value) for name, _, value in (one.partition("=") for one in text.split())}
    c11, c12, c44 = given["C11"], given["C12"], given["C44"]
    c13, c33 = given.get("C13", c12), given.get("C33", c11)
    last = (c11 - c12) / 2 if "C33" in given else c44
    c = np.diag([c11, c11, c33, c44, c44, last])
    c14 = given.get("C14", 0.0)
    for i, j, value in ((0, 1, c12), (0, 2, c13), (1, 2, c13), (0, 3, c14), (1, 3, -c14)):
        c[i, j] = c[j, i] = value
    c[4, 5] = c[5, 4] = c14
    return c


def test_there_are_enough_materials_read_at_their_sources() -> None:
    checked = TABLE[TABLE["checked"]]
    assert checked["hardness"].count() >= 20
    assert checked["toughness"].count() >= 20
    assert TABLE.index.is_unique


def test_every_value_has_a_source_and_every_source_a_value() -> None:
    known = sources()
    used = {name for column in SOURCES for name in TABLE[column].dropna()}
    assert used == set(known)
    assert all(one["title"] and one["locator"] for one in known.values())
    for value in ("hardness", "toughness"):
        assert (TABLE[value].notna() == TABLE[f"{value}_source"].notna()).all()
    unread = {name for name, one in known.items() if one["locator"] == "not opened"}
    for column in SOURCES[1:]:
        assert not TABLE.loc[TABLE["checked"], column].isin(unread).any()


@pytest.mark.parametrize("name", TABLE.index)
def test_moduli_and_volume_follow_from_what_is_given(name: str) -> None:
    row = TABLE.loc[name]
    if isinstance(row["constants"], str):
        found = elastic_invariants(tensor(row["constants"]))
        assert row["K"] == pytest.approx(found["K_vrh"], abs=0.06)
        assert row["G"] == pytest.approx(found["G_vrh"], abs=0.06)
    if row["density"] > 0:
        formula = Composition(row["formula"])
        volume = formula.weight / (row["density"] * AVOGADRO) / formula.num_atoms
    else:
        hexagonal = row["a"] ** 2 * row["c"] * np.sqrt(3) / 2
        volume = (hexagonal if row["c"] > 0 else row["a"] ** 3) / row["atoms"]
    assert row["volume"] == pytest.approx(volume, abs=2e-3)
