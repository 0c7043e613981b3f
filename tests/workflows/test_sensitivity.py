"""Strained and rattled crystals, and how far predictions move."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.sources.crystal import Crystal
from gnnmat.train.judge import load_model
from gnnmat.train.predictor import Predictor
from gnnmat.workflows.run_folder import open_run
from gnnmat.workflows.sensitivity import sensitivity, summarise
from gnnmat.workflows.small_changes import changes, rattled, strained
from gnnmat.workflows.trust import fit_trust

from ..train.tiny import FCC, crystals, graph_cache, records, trained, write_cifs  # noqa: F401
from .explained_crystals import with_state


def quartz() -> Crystal:
    draw = np.random.default_rng(0)
    return Crystal(np.diag([4.0, 5.0, 6.0]), np.full(200, 14), draw.random((200, 3)))


def test_strain_scales_the_volume_and_leaves_fractions() -> None:
    made = strained(quartz(), 0.02)
    assert made.volume == pytest.approx(quartz().volume * 1.02**3)
    assert (made.frac == quartz().frac).all()


def test_rattle_has_the_size_asked_for_and_comes_again_by_its_seed() -> None:
    crystal = quartz()
    moves = rattled(crystal, 0.05, 1).positions - crystal.positions
    assert moves.std() == pytest.approx(0.05, rel=0.1)
    assert moves.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    again = rattled(crystal, 0.05, 1).positions - crystal.positions
    assert (moves == again).all()
    larger = rattled(crystal, 0.1, 1).positions - crystal.positions
    assert larger == pytest.approx(2 * moves)
    assert not np.allclose(rattled(crystal, 0.05, 2).frac, rattled(crystal, 0.05, 1).frac)


def test_changes_are_counted() -> None:
    made = list(changes(quartz(), (-0.01, 0.01), (0.02,), 3))
    assert [(kind, amount, seed) for kind, amount, seed, _ in made] == [
        ("strain", -0.01, 0),
        ("strain", 0.01, 0),
        ("rattle", 0.02, 0),
        ("rattle", 0.02, 1),
        ("rattle", 0.02, 2),
    ]


def test_change_is_the_prediction_of_the_changed_crystal_minus_that_of_the_given_one() -> None:
    given = crystals(3)
    found = sensitivity(trained().folder, given, strains=(0.04,), rattles=(), seeds=1)
    predictor = trained().load()
    before = predictor.predict(given)["prediction"].to_numpy()
    after = predictor.predict([strained(one, 0.04) for one in given])["prediction"].to_numpy()
    assert found.table["change"].to_numpy() == pytest.approx(after - before, rel=1e-4, abs=1e-5)
    (row,) = found.summary.to_dict("records")
    assert row["mean_change"] == pytest.approx(np.abs(after - before).mean(), rel=1e-4)
    assert row["of_error"] == pytest.approx(
        row["mean_change"] / open_run(trained().folder).value("MAE"), rel=1e-6
    )
    assert "beyond" not in row


def test_change_stands_against_the_interval_where_there_is_one(tmp_path: Path) -> None:
    place = shutil.copytree(trained().folder, tmp_path / "run")
    fit_trust(place, records=records(), false_refusal=0.2, coverage=0.7)
    found = sensitivity(place, crystals(3), strains=(0.01, 0.1), rattles=(), seeds=1)
    table = found.table
    leaves = table[table["amount"] == 0.1]
    inside = leaves["prediction"].between(leaves["interval_low"], leaves["interval_high"])
    expected = 1 - inside.mean()
    row = found.summary.set_index("amount").loc[0.1]
    assert row["beyond"] == expected
    assert 0 <= row["in_domain"] <= 1


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cif"
    bad.write_text("this is no crystal")
    good = write_cifs(tmp_path / "cifs", 1)
    found = sensitivity(trained().folder, [bad, good], strains=(0.01,), rattles=(), seeds=1)
    assert [one.id for one in found.refused] == ["bad"]
    assert len(found.table) == 1
    with pytest.raises(GnnmatError, match="nothing to predict"):
        sensitivity(trained().folder, [bad])


def test_amounts_that_are_not_small_are_refused() -> None:
    run = trained().folder
    with pytest.raises(GnnmatError, match="A strain of 2 is no small change"):
        sensitivity(run, crystals(1), strains=(2.0,))
    with pytest.raises(GnnmatError, match="Displacements of 3 Å"):
        sensitivity(run, crystals(1), rattles=(3.0,))
    with pytest.raises(GnnmatError, match="Nothing is to be changed"):
        sensitivity(run, crystals(1), strains=(), rattles=())


def test_models_that_read_no_crystals_or_predict_no_number_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = trained().load()
    spec = replace(predictor.trained.spec, elements=())
    blind = Predictor(replace(predictor.trained, spec=spec))
    monkeypatch.setattr("gnnmat.workflows.sensitivity.find_model", Path)
    monkeypatch.setattr("gnnmat.workflows.sensitivity.load_model", lambda run: blind)
    with pytest.raises(GnnmatError, match="does not read crystals"):
        sensitivity("run", crystals(1))
    predictor.trained.task.targets = (Target("metal", classes=("no", "yes")),)
    monkeypatch.setattr("gnnmat.workflows.sensitivity.load_model", lambda run: predictor)
    monkeypatch.setattr(predictor, "predict", lambda *_, **__: pd.DataFrame({"refused": [""]}))
    with pytest.raises(GnnmatError, match="predicts no number a crystal") as caught:
        sensitivity("run", crystals(1))
    assert "metal" in caught.value.why


def changes_of(**columns: Any) -> pd.DataFrame:
    """Two crystals strained alike."""
    alike = {"target": "gap", "unit": "eV", "kind": "strain", "amount": 0.01}
    return pd.DataFrame({"id": ["a", "b"], **alike, **columns})


def test_summary_is_a_mean_over_crystals() -> None:
    table = changes_of(
        change=[0.1, -0.3],
        half_width=0.2,
        prediction=[1.1, 0.7],
        interval_low=0.8,
        interval_high=1.2,
        in_domain=[True, False],
    )
    (row,) = summarise(table, {"gap": 0.4}).to_dict("records")
    assert row["mean_change"] == pytest.approx(0.2)
    assert row["largest"] == pytest.approx(0.3)
    assert row["bias"] == pytest.approx(-0.1)
    assert row["of_error"] == pytest.approx(0.5)
    assert row["of_half_width"] == pytest.approx(1.0)
    assert (row["beyond"], row["in_domain"], row["crystals"]) == (0.5, 0.5, 2)


def test_an_interval_that_is_a_factor_is_left_by_what_lies_outside() -> None:
    """1 within 0.37 .. 2.72: 0.2 lies outside, 2.5 inside, though it is further off."""
    table = changes_of(
        change=[-0.8, 1.5],
        half_width=1.175,
        prediction=[0.2, 2.5],
        interval_low=0.37,
        interval_high=2.72,
    )
    for row, beyond in ((table[:1], 1.0), (table[1:], 0.0)):
        assert summarise(row, {}).iloc[0]["beyond"] == beyond


def test_the_state_stays_while_crystals_change() -> None:
    given, state = crystals(2), {"temperature": [0, 900], "functional": "SCAN"}
    options: dict[str, Any] = {"strains": (0.04,), "rattles": (), "seeds": 1}
    found = sensitivity(with_state(), given, state=state, **options).table
    predictor = load_model(with_state())
    before = predictor.predict(given, state=state)["prediction"].to_numpy()
    moved = [strained(one, 0.04) for one in given]
    after = predictor.predict(moved, state=state)["prediction"].to_numpy()
    assert found["before"].to_numpy() == pytest.approx(before, rel=1e-5)
    assert found["prediction"].to_numpy() == pytest.approx(after, rel=1e-5)
    with pytest.raises(GnnmatError, match="'temperature' has 3 values for 2 crystals"):
        sensitivity(with_state(), given, state={**state, "temperature": [1, 2, 3]}, **options)
