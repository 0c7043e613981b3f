"""Suspect labels: planted ones are found, doubt of the models excuses, folders are read right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.train.config import RunConfig
from gnnmat.workflows.audit_page import audit_page
from gnnmat.workflows.cross_validation import cross_validate
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.label_audit import LabelAudit, audit_labels
from gnnmat.workflows.start_notes import begun_with
from gnnmat.workflows.suspicion import reason, score_rows

from ..train.tiny import config, crystals, graph_cache, records, trained, volumes  # noqa: F401

ROWS = 400


def write_run(
    folder: Path,
    prediction: Any,
    *,
    truth: Any,
    split: Any = "test",
    chosen: RunConfig | None = None,
) -> Path:
    """A folder with the config and the predictions of a run."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text((chosen or config()).to_yaml())
    table = pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(len(truth))],
            "formula": [f"X{n // 2}" for n in range(len(truth))],
            "split": split,
            "target": "gap",
            "unit": "eV",
            "truth": truth,
            "prediction": prediction,
        }
    )
    table.to_csv(folder / "predictions.csv", index=False)
    return folder


def planted(tmp_path: Path, voices: int = 3) -> tuple[list[Path], np.ndarray]:
    """Runs whose errors are 0.1; label 7 is 3 too high, and all agree but for label 11."""
    draw = np.random.default_rng(0)
    right = draw.uniform(1, 5, ROWS)
    truth = right.copy()
    truth[7] += 3
    truth[11] += 3
    common = right + 0.1 * draw.standard_normal(ROWS)
    runs = []
    for number in range(voices):
        said = common + 0.02 * draw.standard_normal(ROWS)
        said[11] += (-3, 0, 3)[number % 3]  # they do not know what to make of it
        runs.append(write_run(tmp_path / f"run{number}", said, truth=truth))
    return runs, truth


def test_planted_label_comes_first_and_doubt_excuses(tmp_path: Path) -> None:
    runs, truth = planted(tmp_path)
    found = audit_labels(runs)
    assert found.table["id"].iloc[0] == "r7"
    assert found.suspects["id"].tolist() == ["r7"]
    first = found.table.iloc[0]
    assert (first["voices"], first["label"]) == (3, pytest.approx(truth[7]))
    assert first["usual"] == pytest.approx(0.1, rel=0.3)
    assert first["score"] == pytest.approx(30, rel=0.4)
    # The twin: what a single model finds, which has no doubts.
    alone = audit_labels(runs[1:2])
    assert set(alone.suspects["id"]) == {"r7", "r11"}
    assert alone.table["spread"].isna().all()


def test_reason_is_in_words(tmp_path: Path) -> None:
    runs, truth = planted(tmp_path)
    text = audit_labels(runs).table["reason"].iloc[0]
    assert "eV above what 3 models say that have not seen it (" in text
    assert f"Other entries of X3: {truth[6]:.3g} eV." in text
    row = {"label": 8.0, "prediction": 2.0, "low": 1.5, "high": 9.0, "voices": 2, "usual": 1.25,
           "unit": "GPa", "formula": "AB"}  # fmt: skip
    assert reason(row, True, np.empty(0)) == (
        "4 times above what 2 models say that have not seen it (1.5 to 9 GPa); their usual error "
        "is a factor of 1.2. But one of them comes as far as the label."
    )


def test_usual_error_is_that_of_predictions_next_in_size() -> None:
    """Small values are known to 0.1, large ones to 2: an error of 2 tells among the small only."""
    draw = np.random.default_rng(1)
    mean = np.concatenate([draw.uniform(0, 1, 500), draw.uniform(100, 101, 500)])
    mean[900] = 100.5  # far from the gap between the two
    width = np.concatenate([np.full(500, 0.1), np.full(500, 2.0)])
    label = mean + width * draw.standard_normal(1000)
    label[3], label[900] = mean[3] + 4.0, mean[900] + 4.0
    usual, score = score_rows(label, mean, np.zeros(1000))
    assert score[900] == pytest.approx(2, rel=0.35)
    assert score[3] > 2 * score[900]
    # Never below the usual error of all: 0.6745 of the mixed absolute errors, by quantile.
    common = 1.4826 * np.median(np.abs(label - mean))
    assert usual[3] == pytest.approx(common)


def test_scores_of_gaussian_errors_are_gaussian() -> None:
    draw = np.random.default_rng(2)
    mean = draw.uniform(0, 1, 4000)
    _, score = score_rows(mean + 0.3 * draw.standard_normal(4000), mean, np.zeros(4000))
    assert np.mean(score < 1) == pytest.approx(0.683, abs=0.03)  # one sigma
    assert np.mean(score < 2) == pytest.approx(0.954, abs=0.02)


def test_wrong_zeros_among_many_right_ones_come_first() -> None:
    """Metals are predicted as zero exactly, so that the usual error is zero, too."""
    label = np.concatenate([np.zeros(60), np.linspace(1, 5, 40)])
    mean = label + np.concatenate([np.zeros(60), np.full(40, 0.1)])
    label[[3, 9, 20]] = 4.0
    _, score = score_rows(label, mean, np.zeros(100))
    assert set(np.argsort(score)[-3:]) == {3, 9, 20}
    assert score[3] > 5


def test_perfect_predictions_accuse_nobody() -> None:
    _, score = score_rows(np.ones(5), np.ones(5), np.zeros(5))
    assert score.tolist() == [0] * 5


def test_logarithmic_targets_are_judged_by_factors(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    right = np.exp(draw.uniform(0, 6, ROWS))
    said = right * np.exp(0.1 * draw.standard_normal(ROWS))
    truth = right.copy()
    small, large = int(np.argmin(right)), int(np.argmax(right))
    truth[small] *= 6  # a few units
    truth[large] *= 1.5  # a hundred units
    run = write_run(tmp_path / "r", said, truth=truth, chosen=config(task__scale="log"))
    found = audit_labels([run]).table
    assert found["id"].iloc[0] == f"r{small}"
    assert audit_labels([run], scale="linear").table["id"].iloc[0] == f"r{large}"
    assert found["prediction"].iloc[0] == pytest.approx(said[small], rel=1e-6)


def test_training_rows_are_left_out(tmp_path: Path) -> None:
    truth = np.linspace(1, 2, 6)
    said = truth + np.array([5, 0.1, 0.1, 0.1, 0.1, 0.1])
    split = ["train", "val", "test", "test", "val", "train"]
    found = audit_labels([write_run(tmp_path / "r", said, truth=truth, split=split)])
    assert sorted(found.table["id"]) == ["r1", "r2", "r3", "r4"]
    with pytest.raises(GnnmatError, match="no row that a model has not seen"):
        audit_labels([write_run(tmp_path / "t", said, truth=truth, split="train")])


def test_runs_on_other_data_are_refused(tmp_path: Path) -> None:
    one = write_run(tmp_path / "a", np.ones(4), truth=np.arange(4.0))
    two = write_run(tmp_path / "b", np.ones(4), truth=np.arange(4.0) + 1)
    with pytest.raises(GnnmatError, match="several labels of r0: 0 and 1"):
        audit_labels([one, two])


def test_what_cannot_be_audited_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", np.ones(4), truth=np.arange(4.0))
    with pytest.raises(GnnmatError, match="do not predict 'gaap'"):
        audit_labels([run], target="gaap")
    with pytest.raises(GnnmatError, match="not all positive"):
        audit_labels([run], scale="log")
    with pytest.raises(GnnmatError, match="not a finished run"):
        audit_labels([tmp_path / "nothing"])
    with pytest.raises(GnnmatError, match="at least one run"):
        audit_labels([])
    table = pd.read_csv(run / "predictions.csv").assign(probability=0.9)
    table.to_csv(run / "predictions.csv", index=False)
    with pytest.raises(GnnmatError, match="predicts classes"):
        audit_labels([run])


def begun(**options: Any) -> RunConfig:
    """A config that begins with a run for volumes."""
    return config(start__run=str(trained().folder), **options)


def test_labels_that_the_first_run_knew_are_noted(tmp_path: Path) -> None:
    """Six rows, of which the run to begin with was trained on three, by formula."""
    known = trained().predictions.query("split == 'train'")["formula"].unique()[:3]
    truth = np.linspace(1, 2, 6)
    said = truth + 0.1
    run = write_run(tmp_path / "r", said, truth=truth, chosen=begun())
    table = pd.read_csv(run / "predictions.csv")
    table["target"], table.loc[:2, "formula"] = "volume", known
    table.to_csv(run / "predictions.csv", index=False)
    found = audit_labels([run])
    noted = found.table.set_index("id")["reason"].str.contains("may have seen it")
    assert set(noted[noted].index) == {"r0", "r1", "r2"}
    unseen = found.table.set_index("id")["reason"].str.contains("that has not seen it")
    assert (unseen != noted).all()
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"3 labels may be training labels of {trained().folder}")
    # The twins: another target; and a run to begin with that is gone.
    table.assign(target="gap").to_csv(run / "predictions.csv", index=False)
    assert audit_labels([run]).notes == ()
    (run / "config.yaml").write_text(config(start__run="/gone").to_yaml())
    assert audit_labels([run]).notes[0].startswith("6 labels may be training labels of /gone")


def test_run_behind_the_first_run_counts_too(tmp_path: Path) -> None:
    shutil.copytree(trained().folder, tmp_path / "between")
    (tmp_path / "between" / "config.yaml").write_text(begun().to_yaml())
    spec = json.loads((tmp_path / "between" / "spec.json").read_text())
    spec["targets"]["targets"][0]["name"] = "another"
    (tmp_path / "between" / "spec.json").write_text(json.dumps(spec))
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(config(start__run=str(tmp_path / "between")).to_yaml())
    found = begun_with(run)
    assert [one.targets for one in found] == [{"another"}, {"volume"}]
    assert begun_with(trained().folder) == []


def test_folds_that_begin_with_a_run_are_noted(tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained().folder, old)
    chosen = config(start__run=str(old), trainer__epochs=1)
    with pytest.warns(GnnmatWarning, match="too good"):
        cross_validate(chosen, tmp_path / "cv", folds=2, records=records())
    known = audit_labels([tmp_path / "cv"]).notes[0]
    assert not known.startswith("30 labels")
    old.rename(tmp_path / "moved")  # its copy tells its target, but not its rows
    assert audit_labels([tmp_path / "cv"]).notes[0].startswith("30 labels may be training labels")


@pytest.fixture(scope="module")
def wrong() -> dict[str, list[float]]:
    """Volumes an atom, one of them 60 times too large."""
    made = volumes(crystals(30))
    made[4] *= 60
    return {"volume": made.tolist()}


def test_folds_find_a_wrong_label(wrong: dict[str, list[float]], tmp_path: Path) -> None:
    chosen = config(task__scale="log", trainer__epochs=10)
    cross_validate(chosen, tmp_path / "cv", folds=3, records=records(targets=wrong))
    found = gnnmat.audit(tmp_path / "cv")
    assert len(found.table) == 30
    assert found.table["label"].iloc[0] == pytest.approx(wrong["volume"][4], rel=1e-5)
    assert found.table["voices"].eq(1).all()


def test_members_of_an_ensemble_are_voices(tmp_path: Path) -> None:
    ensemble = train_ensemble(
        config(trainer__epochs=1), tmp_path / "e", members=2, records=records()
    )
    found = gnnmat.audit(ensemble.folder)
    assert found.table["voices"].eq(2).all()
    assert len(found.table) == 12  # of 30: a fifth each in val and test
    held = ensemble.members[0].predictions.query("split != 'train'")
    assert set(found.table["id"]) == set(held["id"])


def test_page_is_escaped_and_holds_the_rows(tmp_path: Path) -> None:
    runs, _ = planted(tmp_path)
    table = audit_labels(runs).table
    table.loc[0, "formula"] = "<script>alert(1)</script>"
    page = audit_page(LabelAudit(table, 3), top=5)
    assert page.count("<tr>") == 6
    assert "<script>" not in page
