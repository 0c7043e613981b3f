"""Intervals of runs on crystals: kinds of spread, groups kept together, the report beside them."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import load_committee
from gnnmat.train.judge import load_judge
from gnnmat.train.spread import NumberAnswer, number_answers
from gnnmat.train.trust import load_trust
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.intervals import Known, exchangeable_groups, group_name
from gnnmat.workflows.looks import Looking
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.trust import fit_trust
from gnnmat.workflows.uncertainty import in_halves, read_uncertainty

from ..train.tiny import FCC, config, crystals, graph_cache, volumes  # noqa: F401
from ..train.tiny import records as tiny_records

ROWS = 240
SPLIT: dict[str, Any] = {"split__val": 0.4, "split__test": 0.3, "task__head__dropout": 0.3}


def noisy_records(*, positive: bool = False) -> Records:
    """Volumes with noise that no network can know."""
    noise = np.random.default_rng(3).normal(0, 2.0, ROWS)
    values = volumes(crystals(ROWS)) + noise
    return tiny_records(ROWS, {"volume": np.exp(values / 30) if positive else values})


@lru_cache(maxsize=1)
def ensemble() -> Path:
    place = Path(tempfile.mkdtemp(prefix="gnnmat-intervals-")) / "run"
    options = config(trainer__epochs=2, trainer__batch_size=24, **SPLIT)
    return train_ensemble(options, place, members=2, records=noisy_records()).folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ensemble(), tmp_path / "run"))


def test_ensemble_predicts_with_intervals_of_its_disagreement(run: Path) -> None:
    trust = fit_trust(run, records=noisy_records())
    (interval,) = trust.intervals
    assert (interval.spread, interval.coverage, interval.rows) == ("disagreement", 0.9, 96)
    assert 20 < interval.groups < 40  # formulas of eight elements and their pairs
    assert trust.used == ("distance", "neighbours")  # of disagreement the width tells
    table = load_judge(run).predict(crystals(30))
    names = list(table.columns)
    assert names[names.index("prediction") + 1 :][:2] == ["interval_low", "interval_high"]
    half = interval.half_width(table["disagreement"])
    assert (table["prediction"] - table["interval_low"]).to_numpy() == pytest.approx(half, rel=1e-4)
    assert (table["interval_high"] - table["prediction"]).to_numpy() == pytest.approx(
        half, rel=1e-4
    )


def test_test_rows_are_covered_as_promised(run: Path) -> None:
    fit_trust(run, records=noisy_records(), coverage=0.8)
    report = read_uncertainty(run)
    assert report is not None
    (target,) = report["targets"]
    assert set(target["parts"]) == {"halves", "test"}
    test = target["parts"]["test"]
    assert test["scaled"]["rows"] == 72
    promised = 3 * np.hypot(test["scaled"]["se"], target["calibration_se"])
    assert abs(test["scaled"]["coverage"] - 0.8) < promised
    rows = [test["domain"][name]["rows"] for name in ("in", "out")]
    assert sum(rows) == 72
    assert len(test["scaled"]["fifths"]) == 5
    assert "chose the epoch" in report["note"]
    assert (run / "uncertainty.html").stat().st_size > 1000
    assert json.loads((run / "trust.json").read_text())["groups"] == "formula"


def test_single_run_takes_its_distance_and_dropout_its_draws(run: Path) -> None:
    member = run / "members" / "0"
    (interval,) = fit_trust(member, records=noisy_records()).intervals
    assert interval.spread == "distance"
    table = load_judge(member).predict(crystals(5))
    width = (table["interval_high"] - table["interval_low"]).to_numpy()
    assert width == pytest.approx(2 * interval.half_width(table["score_neighbours"]), rel=1e-4)
    (interval,) = fit_trust(member, records=noisy_records(), samples=8).intervals
    assert interval.spread == "dropout"
    table = load_judge(member).predict(crystals(5))
    width = (table["interval_high"] - table["interval_low"]).to_numpy()
    assert width == pytest.approx(2 * interval.half_width(table["disagreement"]), rel=1e-4)


def test_unseen_element_is_out_of_domain_whatever_the_scores_say(run: Path) -> None:
    fit_trust(run, records=noisy_records(), false_refusal=0.05)
    trust = load_trust(run)
    judge = load_judge(run)
    judge.trust = replace(trust, limit=1e9)  # every score is usual
    table = judge.predict([crystals(1)[0], Crystal(FCC * 5.0, np.array([93]), np.zeros((1, 3)))])
    assert table["in_domain"].tolist() == [True, False]
    assert table["verdict"].tolist()[1] == "out of domain: Np occurs in no training crystal"
    assert table["trust_score"].tolist()[1] == 0.0


def test_too_few_groups_leave_thresholds_without_intervals(run: Path) -> None:
    fit_trust(run, records=noisy_records())
    trust = fit_trust(run, records=noisy_records(), coverage=0.99)
    assert trust.intervals == ()
    assert "too few for 99% intervals of 'volume'" in trust.facts["without_interval"]["volume"]
    assert "interval_low" not in load_judge(run).predict(crystals(2))
    # What was said of the intervals before must not stay beside them.
    assert read_uncertainty(run) is None
    assert not (run / "uncertainty.html").exists()


def test_thresholds_of_an_earlier_version_are_read(run: Path) -> None:
    fit_trust(run, records=noisy_records())
    plain = json.loads((run / "trust.json").read_text())
    plain.pop("intervals")
    (run / "trust.json").write_text(json.dumps(plain))
    assert load_trust(run).intervals == ()


def test_groups_are_those_of_the_split_else_formulas(run: Path) -> None:
    plain = load_run_config(run)
    prepared = prepare(plain, noisy_records(), quiet=True)
    rows = prepared.rows("val")
    assert group_name(plain, prepared) == "formula"
    names = exchangeable_groups(plain, prepared, rows)
    assert set(names) <= set(exchangeable_groups(plain, prepared, np.arange(ROWS)))
    split = config(split__kind="group", split__by="prototype")
    assert group_name(split, prepared) == "prototype"
    kinds = exchangeable_groups(split, prepared, rows)
    assert len(set(kinds)) < len(set(names))
    held = config(split__kind="group", split__by="element")
    assert group_name(held, prepared) == "formula"


def known(rows: int, groups: int) -> Known:
    draw = np.random.default_rng(0)
    spread = draw.random(rows)
    answer = NumberAnswer(Target("gap"), np.zeros(rows), spread, "disagreement", False)
    truth = spread * draw.normal(size=rows)
    return Known(answer, truth, np.arange(rows) % groups, np.ones(rows, dtype=bool))


def test_halves_do_not_share_a_group() -> None:
    rows = known(300, 60)
    found = in_halves(rows, 0.9)
    assert found is not None
    scaled, constant, order = found
    assert sorted(order) == list(range(300))
    assert (scaled.truth == rows.truth[order]).all()
    first, second = set(scaled.groups[:150]), set(scaled.groups[150:])
    assert not first & second
    # The intervals of a half are those that the other half alone asks for.
    other = rows.take(order[150:]).calibrate(0.9)
    assert scaled.high[:150] == pytest.approx(other.half_width(scaled.spread[:150]))
    assert set(constant.high[:150]) == {other.constant}
    assert in_halves(known(300, 12), 0.9) is None


def test_curves_classes_and_atoms_have_no_interval(run: Path) -> None:
    committee = load_committee(run)
    looking = Looking(
        committee, load_run_config(run), prepare(load_run_config(run), noisy_records(), quiet=True)
    )
    task, seen = committee.trained.task, looking.val.seen
    assert set(number_answers(task, seen, looking.val.scores)) == {"volume"}
    task.level = "atom"
    try:
        assert number_answers(task, seen, {}) == {}
        with pytest.raises(GnnmatError, match="not of atoms"):
            Looking(committee, looking.config, looking.prepared)
    finally:
        task.level = "sample"


def test_logarithmic_targets_get_intervals_that_stay_positive(tmp_path: Path) -> None:
    options = config(trainer__epochs=2, trainer__batch_size=24, task__scale="log", **SPLIT)
    made = noisy_records(positive=True)
    folder = train_ensemble(options, tmp_path / "run", members=2, records=made).folder
    (interval,) = fit_trust(folder, records=made).intervals
    assert interval.logarithm
    table = load_judge(folder).predict(crystals(20))
    assert (table["interval_low"] > 0).all()
    ratio = table["interval_high"] * table["interval_low"] / table["prediction"] ** 2
    assert ratio.to_numpy() == pytest.approx(np.ones(20), rel=1e-5)
