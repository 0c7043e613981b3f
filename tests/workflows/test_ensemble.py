"""An ensemble: other seeds, the same rows, kept members, and one table of what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gnnmat.data.splits import RandomSplit
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import Committee, load_committee
from gnnmat.train.predictor import Predictor
from gnnmat.workflows import ensemble as ensembles
from gnnmat.workflows.ensemble import Ensemble, resume_ensemble, train_ensemble
from gnnmat.workflows.evaluating import evaluate_run
from gnnmat.workflows.run_folder import Run, open_run
from gnnmat.workflows.training import train

from ..train.tiny import assert_same_weights, graph_cache, weights  # noqa: F401
from .pictures import (
    bare_records,
    held_out,
    picture_config,
    picture_records,
    pictures,
    small_ensemble,
)


@pytest.fixture(scope="module")
def found() -> Ensemble:
    return small_ensemble()


@pytest.fixture
def copy(found: Ensemble, tmp_path: Path) -> Path:
    return Path(shutil.copytree(found.folder, tmp_path / "copy"))


def test_members_differ_and_judge_the_same_rows(found: Ensemble) -> None:
    seeds = [load_run_config(run.folder).trainer.seed for run in found.members]
    assert seeds == [0, 1, 2]
    first, second = (weights(run.folder) for run in found.members[:2])
    assert any(not first[name].equal(second[name]) for name in first)
    rows = [held_out(run.predictions)["id"].tolist() for run in found.members]
    assert rows[0] == rows[1] == held_out(found.run.predictions)["id"].tolist()


def test_probability_is_the_mean_over_the_members(found: Ensemble) -> None:
    mean = np.mean([run.predictions["probability_left"] for run in found.members], axis=0)
    together = found.run.predictions
    assert together["probability_left"].to_numpy() == pytest.approx(mean, abs=1e-5)
    assert (together["disagreement"] >= 0).all()
    assert {"mutual_information", "truth", "split"} <= set(together.columns)
    assert found.run.value("accuracy") > 0.9
    assert found.run.report.read_text().count("members")


def test_finished_ensemble_is_opened_not_trained(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensembles, "finish_run", None)
    again = train_ensemble(picture_config(), copy, members=3, records=picture_records())
    assert again.run.metrics == open_run(copy).metrics
    assert resume_ensemble(copy).run.metrics == again.run.metrics


def test_a_member_more_keeps_the_others_and_forgets_old_thresholds(
    found: Ensemble, copy: Path
) -> None:
    (copy / "trust.json").write_text("{}")
    told: list[int] = []
    with pytest.warns(GnnmatWarning, match="intervals were for 3 members") as caught:
        more = train_ensemble(
            picture_config(),
            copy,
            members=4,
            records=picture_records(),
            on_member=lambda number, _: told.append(number),
        )
    (said,) = [str(one.message) for one in caught]
    assert f"`gnnmat trust {copy}` again" in said
    assert told == [0, 1, 2, 3]
    assert len(load_committee(copy).members) == 4
    for number in range(3):
        assert_same_weights(more.members[number].folder, found.members[number].folder)
    assert not (copy / "trust.json").exists()


def test_interrupted_ensemble_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> Run:
        raise KeyboardInterrupt("Go on with: gnnmat train --resume a member")

    monkeypatch.setattr(ensembles, "finish_run", interrupt)
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match=f"--resume {folder}$"):
        train_ensemble(picture_config(), folder, members=3, records=picture_records())


def test_other_config_fewer_members_and_one_member_are_refused(copy: Path) -> None:
    with pytest.raises(GnnmatError, match="an ensemble of another configuration"):
        train_ensemble(picture_config(optimizer__lr=0.5), copy, members=3)
    with pytest.raises(GnnmatError, match="has 3 members already, more than 2"):
        train_ensemble(picture_config(), copy, members=2)
    with pytest.raises(GnnmatError, match="nobody to disagree with"):
        train_ensemble(picture_config(), copy, members=1)
    with pytest.raises(GnnmatError, match="no ensemble to resume"):
        resume_ensemble(copy / "members" / "0")


def test_run_in_the_place_of_an_ensemble_leaves_no_members(copy: Path) -> None:
    config = picture_config(trainer__epochs=1)
    train(config, copy, records=picture_records(40), overwrite=True)
    assert not list((copy / "members").glob("*"))
    assert type(open_run(copy).load()) is Predictor


def test_ensemble_predicts_what_it_was_not_given(found: Ensemble) -> None:
    images, side = pictures(30, seed=5)
    committee = found.run.load()
    assert isinstance(committee, Committee)
    table = committee.predict(bare_records(images))
    assert (table["prediction"].to_numpy() == side).mean() > 0.9
    assert (table["refused"] == "").all()


def test_limited_rows_are_the_same_for_all_members(tmp_path: Path) -> None:
    config = picture_config(data__limit=60, trainer__epochs=1)
    assert isinstance(config.split, RandomSplit)
    made = train_ensemble(config, tmp_path / "run", members=2, records=picture_records())
    ids = [set(run.predictions["id"]) for run in made.members]
    assert len(ids[0]) == 60
    assert ids[0] == ids[1]


def test_ensemble_is_scored_on_new_rows(found: Ensemble) -> None:
    new = evaluate_run(found.folder, picture_records(40, seed=8))
    (accuracy,) = [row["value"] for row in new.metrics if row["metric"] == "accuracy"]
    assert accuracy > 0.9
    assert "disagreement" in new.predictions
