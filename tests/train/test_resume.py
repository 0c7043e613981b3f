"""Interrupted runs: killed in the middle of an epoch, taken up, ending as if nothing happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.train.hall import Hall
from gnnmat.workflows.run_folder import has_checkpoint, is_finished
from gnnmat.workflows.training import resume_training, train

from .slow_run import CountingEncoder
from .tiny import INTERRUPTED, assert_same_weights, config, graph_cache, records  # noqa: F401

EPOCHS, STEPS = 4, 3  # 18 training rows in batches of 6


def steps_of(marks: Path) -> int:
    return marks.stat().st_size if marks.is_file() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody interrupted."""
    home = tmp_path_factory.mktemp("whole")
    chosen = config(**INTERRUPTED, trainer__epochs=EPOCHS)
    train(chosen, home / "run", records=records(), model=CountingEncoder(home / "marks"))
    assert steps_of(home / "marks") == EPOCHS * STEPS
    return home / "run"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run killed in the second step of its third epoch."""
    home = tmp_path_factory.mktemp("killed")
    marks = home / "marks"
    script = Path(__file__).with_name("slow_run.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(home / "run"), str(marks), str(EPOCHS)],
        env={**os.environ, "PAUSE": "0.3"},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        began = time.monotonic()
        while steps_of(marks) < 2 * STEPS + 2:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() - began < 120, "the training does not get on"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    return home


def finished_epochs(folder: Path) -> list[int]:
    return pd.read_csv(folder / "history.csv")["epoch"].tolist()


def take_up(killed: Path, home: Path) -> tuple[Path, Path]:
    """A copy of the killed run, elsewhere, so that several tests can go on with it."""
    shutil.copytree(killed / "run", home / "run")
    return home / "run", home / "marks"


def test_kill_landed_inside_an_epoch(killed: Path) -> None:
    seen = steps_of(killed / "marks")
    assert 0 < seen % STEPS < STEPS
    assert finished_epochs(killed / "run") == list(range(1, seen // STEPS + 1))
    assert has_checkpoint(killed / "run")
    assert not is_finished(killed / "run")


def test_resumed_run_ends_like_an_uninterrupted_one(
    killed: Path, whole: Path, tmp_path: Path
) -> None:
    folder, marks = take_up(killed, tmp_path)
    done = len(finished_epochs(folder))
    torch.manual_seed(12345)  # whatever the process drew before does not matter
    resume_training(folder, records=records(), model=CountingEncoder(marks))
    assert steps_of(marks) == (EPOCHS - done) * STEPS  # finished epochs are not trained again
    assert_same_weights(whole, folder)
    found, expected = (json.loads((one / "metrics.json").read_text()) for one in (folder, whole))
    for name in ("metrics", "audit", "counts"):
        assert found[name] == expected[name]
    # Threads of the forest add up in any order.
    values = [row["value"] for row in expected["baselines"]]
    assert [row["value"] for row in found["baselines"]] == pytest.approx(values, rel=1e-9)
    ours, theirs = (pd.read_csv(one / "history.csv") for one in (folder, whole))
    assert ours["epoch"].tolist() == list(range(1, EPOCHS + 1))
    pd.testing.assert_frame_equal(ours.drop(columns="seconds"), theirs.drop(columns="seconds"))
    assert ours["seconds"].is_monotonic_increasing


def test_without_the_checkpoint_all_epochs_are_trained_again(killed: Path, tmp_path: Path) -> None:
    """What the test above sees where resuming does nothing."""
    folder, marks = take_up(killed, tmp_path)
    shutil.rmtree(folder / "checkpoints")
    resume_training(folder, records=records(), model=CountingEncoder(marks))
    assert steps_of(marks) == EPOCHS * STEPS


def test_resumed_run_needs_the_draws_of_the_epoch(
    killed: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout matters here: a run that does not begin its epochs alike ends elsewhere."""
    folder, marks = take_up(killed, tmp_path)
    monkeypatch.setattr(Hall, "on_train_epoch_start", lambda self: None)
    resume_training(folder, records=records(), model=CountingEncoder(marks))
    with pytest.raises(AssertionError):
        assert_same_weights(whole, folder)


def test_moved_run_still_knows_its_best_epoch(
    killed: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, marks = take_up(killed, tmp_path)
    # From here on every epoch is worse than those before the interruption.
    original = Hall.on_validation_epoch_end

    def worse(self: Hall) -> None:
        original(self)
        self.log("val_score", 1e6)

    monkeypatch.setattr(Hall, "on_validation_epoch_end", worse)
    before = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]
    resume_training(folder, records=records(), model=CountingEncoder(marks))
    after = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]
    assert after == before


def test_run_killed_between_training_and_scores_is_not_trained_again(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    for name in ("metrics.json", "weights.safetensors"):
        (tmp_path / "run" / name).unlink()
    resume_training(tmp_path / "run", records=records(), model=CountingEncoder(tmp_path / "marks"))
    assert steps_of(tmp_path / "marks") == 0
    assert_same_weights(whole, tmp_path / "run")


def test_run_without_validation_keeps_averaged_weights_when_taken_up_at_its_end(
    tmp_path: Path,
) -> None:
    chosen = config(**INTERRUPTED, split__val=0.0, trainer__epochs=2)
    train(chosen, tmp_path / "whole", records=records())
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    resume_training(tmp_path / "run", records=records())
    assert_same_weights(tmp_path / "whole", tmp_path / "run")


def test_run_that_lost_patience_stays_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Hall.on_validation_epoch_end

    def worse(self: Hall) -> None:
        original(self)
        self.log("val_score", 1.0 + self.current_epoch)

    monkeypatch.setattr(Hall, "on_validation_epoch_end", worse)
    chosen = config(trainer__patience=1, trainer__epochs=6)
    train(chosen, tmp_path / "run", records=records())
    assert finished_epochs(tmp_path / "run") == [1, 2]
    (tmp_path / "run" / "metrics.json").unlink()
    resume_training(tmp_path / "run", records=records())
    assert finished_epochs(tmp_path / "run") == [1, 2]


def test_best_epoch_before_the_interruption_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best epoch is the last one finished; the next ones are between it and the first."""
    folder = tmp_path / "run"
    original = Hall.on_validation_epoch_end

    def scored(self: Hall) -> None:
        original(self)
        self.log("val_score", [5.0, 1.0, 3.0, 4.0][self.current_epoch])

    def interrupt(self: Hall, _: object) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Hall, "on_validation_epoch_end", scored)
    with monkeypatch.context() as patch:
        patch.setattr(Hall, "on_before_optimizer_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config(trainer__epochs=4), folder, records=records())
    resume_training(folder, records=records())
    assert finished_epochs(folder) == [1, 2, 3, 4]
    assert torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 1


def test_finished_run_is_left_as_it_is(whole: Path, tmp_path: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    run = gnnmat.resume(whole)
    assert {path.name: path.stat().st_mtime_ns for path in whole.iterdir()} == before
    assert run.value("MAE") > 0


def test_other_data_are_refused(killed: Path, tmp_path: Path) -> None:
    folder, marks = take_up(killed, tmp_path)
    model: dict[str, Any] = {"model": CountingEncoder(marks)}
    with pytest.raises(GnnmatError, match="structures and the targets are not those"):
        resume_training(folder, records=records(29), **model)
    other = records(30, targets={"volume": records(30).table["volume"] + 1})
    with pytest.raises(GnnmatError, match=r"The targets are not those .* was begun with"):
        resume_training(folder, records=other, **model)
    assert finished_epochs(folder) == finished_epochs(killed / "run")


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="is not a run"):
        resume_training(tmp_path)
