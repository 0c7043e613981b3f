"""``gnnmat screen`` on crystals that come with it, and its twin in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.stages import Best, Derive, Filter, Predict

from ..train.tiny import write_cifs
from .invoking import Invoke

RECIPE = """
name: small
source: {kind: card, name: known_crystals}
stages:
  - {kind: filter, keep: atoms <= 2}
  - {kind: best, by: volume, keep: 7}
"""


def test_from_shipped_crystals_to_a_page(invoke: Invoke, tmp_path: Path) -> None:
    found = invoke("screen", "-o", tmp_path / "hard", "--propose", 3, "--workers", 1, "-q")
    assert found.exit_code == 0, found.output
    for said in ("predict elastic-moduli", "C-diamond", "To compute next", "screen.html"):
        assert said in found.output
    page = (tmp_path / "hard" / "screen.html").read_text()
    assert "Content-Security-Policy" in page
    shortlist = pd.read_csv(tmp_path / "hard" / "shortlist.csv")
    assert shortlist["id"][0] == "C-diamond"
    assert {"hardness", "toughness", "synthesizability"} <= set(shortlist)
    proposed = pd.read_csv(tmp_path / "hard" / "proposed.csv")
    assert len(proposed) == 3
    table = pd.read_parquet(tmp_path / "hard" / "candidates.parquet").set_index("id")
    assert (table["elastic_moduli_learned"] != "").any()
    assert (table.loc[proposed["id"], "elastic_moduli_learned"] == "").all()
    # In ten lines of Python it is the same.
    twin = gnnmat.screen(
        structures="known_crystals",
        stages=[
            Predict(run="elastic-moduli"),
            Derive(properties=("hardness", "toughness", "pugh")),
            Filter(keep="pugh <= 1.35"),
            Best(by="hardness", keep=100),
        ],
        output=tmp_path / "twin",
        workers=1,
    )
    assert list(twin.shortlist["id"]) == list(shortlist["id"])


def test_a_recipe_and_candidates_of_ones_own(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE)
    cifs = write_cifs(tmp_path / "cifs", 12)
    words = ["screen", tmp_path / "mine.yaml", "-s", cifs, "-o", tmp_path / "out", "-q"]
    found = invoke(*words, "--set", "stages.best.keep=3", "--set", "stages.0.keep=atoms > 0")
    assert found.exit_code == 0, found.output
    summary = json.loads((tmp_path / "out" / "screen.json").read_text())
    assert summary["candidates"] == 12
    assert summary["shortlist"] == 3
    assert len(list((tmp_path / "out" / "shortlist").glob("*.cif"))) == 3


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("stages.worst.keep=3", "there is no stage 'worst'"),
        ("stages.best.keeep=3", "Did you mean 'keep'"),
        ("stages.best.keep=-3", "stages.1.keep"),
        ("stages.filter.keep=hardness > 3", "needs a column 'hardness'"),
        ("stages=[{kind: fliter, keep: x}]", "Did you mean 'filter'"),
        ("source.name=unknown_crystals", "unknown_crystals"),
    ],
)
def test_mistakes_in_a_recipe_are_said(
    invoke: Invoke, tmp_path: Path, setting: str, said: str
) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE)
    found = invoke("screen", tmp_path / "mine.yaml", "-o", tmp_path / "out", "-q", "--set", setting)
    assert found.exit_code == 2
    assert said in found.output
    assert not (tmp_path / "out" / "screen.json").exists()


def test_an_unknown_engine_is_said(invoke: Invoke, tmp_path: Path) -> None:
    found = invoke("screen", "-o", tmp_path / "out", "--engine", "dask", "-q")
    assert found.exit_code == 2
    assert "local" in found.output


def test_no_candidates_in_python() -> None:
    with pytest.raises(GnnmatError, match="no candidate"):
        gnnmat.screen(structures=[])
    with pytest.raises(GnnmatError, match="without candidates"):
        gnnmat.screen(stages=[Best(by="volume")])
