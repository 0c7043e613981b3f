"""Thresholds fixed on validation rows, and the verdict in words."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.arrays import ArraysSource
from gnnmat.train.committee import load_committee
from gnnmat.train.config import parse_config
from gnnmat.train.judge import Judge, load_judge, load_model
from gnnmat.train.trust import Trust, Verdicts, load_trust
from gnnmat.train.trust_scores import Usual
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.training import train
from gnnmat.workflows.trust import fit_trust, judge

from ..train.tiny import graph_cache, records, trained  # noqa: F401
from .pictures import (
    BASE,
    SIZE,
    bare_records,
    picture_config,
    picture_records,
    pictures,
    small_ensemble,
)

NAMES = {"confidence", "mutual_information", "distance", "neighbours", "statistics"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trust") / "run"
    shutil.copytree(small_ensemble().folder, place)
    fit_trust(place, records=picture_records())
    return place


def test_images_like_the_training_data_are_trusted(folder: Path) -> None:
    table = judge(folder, bare_records(pictures(200, seed=9)[0]))
    # The limit is the 59th of 60 validation rows: 3.3% of new ones on average.
    assert table["in_distribution"].mean() > 0.85
    trusted = table[table["in_distribution"]]
    assert set(trusted["verdict"]) == {"in distribution"}
    assert (table["trust_score"].between(0, 1)).all()


def test_noise_is_not_trusted_and_the_reason_is_said(folder: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (20, 1, SIZE, SIZE)).astype(np.float32)
    table = judge(folder, bare_records(noise))
    assert not table["in_distribution"].any()
    assert table["verdict"].str.startswith("do not trust: ").all()
    assert table["verdict"].str.contains("unlike those of the training data").all()
    assert (table["trust_score"] < 0.05).all()
    assert {f"score_{name}" for name in NAMES} <= set(table.columns)


def test_what_is_written_is_read_back(folder: Path) -> None:
    plain = json.loads((folder / "trust.json").read_text())
    trust = load_trust(folder)
    assert set(trust.used) == set(trust.usual) == set(plain["thresholds"]) == NAMES
    assert plain["false_refusal"] == trust.false_refusal == 0.05
    assert plain["rows"] == {"train": 100, "val": 60, "draws": 1}
    for name, value in plain["thresholds"].items():
        assert trust.threshold(name) == pytest.approx(value, rel=1e-4)
    assert len(trust.densities["features"]) == 3


def test_calibration_is_better_after_than_before(folder: Path) -> None:
    calibration = load_trust(folder).facts["calibration"]
    assert calibration["target"] == "side"
    assert calibration["after"]["ece"] < calibration["before"]["ece"]
    assert sum(one["count"] for one in calibration["after"]["bins"]) == 60


def test_probabilities_of_a_judge_are_calibrated_and_name_the_same_class(folder: Path) -> None:
    images = bare_records(pictures(20, seed=3)[0])
    plain = small_ensemble().load().predict(images)
    found = Judge(load_committee(folder), replace(load_trust(folder), temperature=2.0))
    table = found.predict(images)
    assert table["prediction"].tolist() == plain["prediction"].tolist()
    left, right = table["probability_left"], table["probability_right"]
    assert (left + right).to_numpy() == pytest.approx(np.ones(20))
    odds = np.log(plain["probability_left"] / plain["probability_right"])
    assert np.log(left / right).to_numpy() == pytest.approx(odds.to_numpy() / 2, rel=1e-3)
    assert table["probability"].to_numpy() == pytest.approx(np.maximum(left, right).to_numpy())


def test_a_run_loads_with_its_verdicts(folder: Path) -> None:
    assert isinstance(load_model(folder), Judge)
    with pytest.raises(GnnmatError, match="fixed with 0 draws of dropout, not with 4") as caught:
        load_model(folder, samples=4)
    assert caught.value.fix == f"gnnmat trust {folder} --dropout-samples 4"


def test_only_chosen_scores_count(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "run")
    trust = fit_trust(place, records=picture_records(), scores=["confidence"], draws=2)
    assert trust.used == ("confidence",)
    assert set(trust.usual) == NAMES
    assert len(trust.usual["confidence"].values) == 120
    with pytest.raises(GnnmatError, match="no score 'confidense'") as caught:
        fit_trust(place, records=picture_records(), scores=["confidense"])
    assert "confidence" in caught.value.fix
    with pytest.raises(GnnmatError, match="At least one score"):
        fit_trust(place, records=picture_records(), scores=[])


def test_rates_that_cannot_be_are_refused(folder: Path) -> None:
    with pytest.raises(GnnmatError, match="false-refusal rate 1.5 is no share between 0 and 1"):
        fit_trust(folder, records=picture_records(), false_refusal=1.5)
    with pytest.raises(GnnmatError, match="coverage 90 is no share between 0 and 1"):
        fit_trust(folder, records=picture_records(), coverage=90)


def test_run_without_thresholds_says_how_to_fix_them(tmp_path: Path) -> None:
    run = train(picture_config(trainer__epochs=1), tmp_path / "run", records=picture_records(60))
    with pytest.raises(GnnmatError, match="does not know what is in distribution") as caught:
        load_judge(run.folder)
    assert caught.value.fix == f"gnnmat trust {run.folder}"
    with pytest.raises(GnnmatError, match="18 validation rows are too few"):
        fit_trust(run.folder, records=picture_records(60))


def test_damaged_thresholds_are_refused(folder: Path, tmp_path: Path) -> None:
    place = shutil.copytree(folder, tmp_path / "run")
    (place / "trust.safetensors").write_bytes(b"nothing")
    with pytest.raises(GnnmatError, match="is damaged"):
        load_trust(place)


def test_regression_of_crystals_can_be_judged(tmp_path: Path) -> None:
    """No class, no ensemble: the density of the features remains."""
    place = shutil.copytree(trained().folder, tmp_path / "run")
    trust = fit_trust(place, records=records(), false_refusal=0.2)
    assert trust.used == ("distance", "neighbours")
    table = judge(place, records().take([0, 1, 2]))
    assert table["verdict"].str.match("in domain|out of domain: ").all()
    assert "in_distribution" not in table
    assert "disagreement" not in table


def verdicts(values: dict[str, float]) -> Verdicts:
    usual = {name: Usual.of(np.arange(100.0)) for name in ("distance", "confidence")}
    trust = Trust(usual, ("distance", "confidence"), Usual.of(np.arange(100.0) / 20), 4.0, 0.05)
    return trust.judge({name: np.array([value]) for name, value in values.items()})


def test_reasons_stand_in_the_order_of_their_surprise() -> None:
    words = verdicts({"distance": 200.0, "confidence": 900.0}).words[0]
    assert words.index("no class is likely") < words.index("unlike those of the training data")
    assert "200" in words
    assert verdicts({"distance": 200.0, "confidence": 3.0}).words[0].count(";") == 0
    assert verdicts({"distance": 2.0, "confidence": 3.0}).words == ["in distribution"]


def test_score_that_is_no_number_is_not_trusted() -> None:
    found = verdicts({"distance": float("nan"), "confidence": 3.0})
    assert not found.in_distribution[0]
    assert found.words[0].startswith("do not trust")
    assert found.trust[0] == 0.0
    assert replace(load_fixed(), limit=1e9).judge({"a": np.array([5.0])}).in_distribution[0]


def load_fixed() -> Trust:
    return Trust({"a": Usual.of(np.arange(30.0))}, ("a",), Usual.of(np.arange(30.0)), 1.0, 0.05)


def test_errors_of_a_judge_are_as_large_as_the_validation_says(tmp_path: Path) -> None:
    images, _ = pictures(120, seed=9)
    # The brightest column with noise, which no network can know: its deviation is the error.
    noise = np.random.default_rng(1).normal(0, 2.0, len(images))
    path = tmp_path / "bright.npz"
    np.savez(path, image=images, bright=images.mean((1, 2)).max(-1) + noise)
    bright = ArraysSource(path=str(path)).open()
    plain = {**BASE, "data": {"workers": 0, "targets": ["bright"]}, "task": {"kind": "gaussian"}}
    run = train_ensemble(parse_config(plain), tmp_path / "run", members=2, records=bright).folder
    before = load_committee(run).predict(bare_records(images))
    trust = fit_trust(run, records=bright)
    after = load_judge(run).predict(bare_records(images))
    factor = trust.facts["error_factors"]["bright"]
    assert np.allclose(after["error"], factor * before["error"])
    assert np.allclose(after["prediction"], before["prediction"])
    table = pd.read_csv(run / "predictions.csv")
    rows = table[table["split"] == "val"]
    pulls = (rows["truth"].astype(float) - rows["prediction"]) / rows["error"]
    assert factor == pytest.approx(np.sqrt((pulls**2).mean()), rel=1e-3)
