"""What training does for DUQ: centroids move after steps, slopes are penalised, on any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from gnnmat.data.dataset import open_dataset
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, Features
from gnnmat.tasks import Loss
from gnnmat.tasks.duq import DuqTask
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.predictor import predict_rows
from gnnmat.workflows.training import train

from . import tiny
from .bumps import recipe

DUQ: dict[str, Any] = {"kind": "duq", "embedding": 4, "penalty": 0.1}


def test_centroids_follow_the_training_steps_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    loss, after, penalty = DuqTask.loss, DuqTask.after_step, DuqTask.penalty

    def spied_loss(self: DuqTask, prediction: Tensor, batch: Batch) -> Loss:
        said.append("loss" if torch.is_grad_enabled() else "judge")
        return loss(self, prediction, batch)

    def spied_penalty(self: DuqTask, prediction: Tensor, inputs: Tensor, batch: Batch) -> Tensor:
        assert inputs is batch.image
        said.append("penalty")
        return penalty(self, prediction, inputs, batch)

    def spied_after(self: DuqTask, features: Features, batch: Batch) -> None:
        before = self.total.clone()
        assert not features.pooled.requires_grad
        after(self, features, batch)
        assert not torch.equal(self.total, before)
        said.append("move")

    monkeypatch.setattr(DuqTask, "loss", spied_loss)
    monkeypatch.setattr(DuqTask, "penalty", spied_penalty)
    monkeypatch.setattr(DuqTask, "after_step", spied_after)
    train(recipe(tmp_path, "half", DUQ, trainer__epochs=1), tmp_path / "run")
    # 12 training rows in batches of 6, 6 validation rows; scoring asks for no loss.
    assert said == ["loss", "penalty", "move"] * 2 + ["judge"]


def test_without_a_penalty_no_slopes_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Tensor:
        raise AssertionError("slopes were taken")

    monkeypatch.setattr(DuqTask, "penalty", never)
    train(recipe(tmp_path, "half", DUQ | {"penalty": 0.0}, trainer__epochs=1), tmp_path / "run")


def test_a_penalty_is_part_of_the_loss_that_is_reported(tmp_path: Path) -> None:
    losses = []
    for weight in (0.0, 50.0):
        config = recipe(tmp_path, "half", DUQ | {"penalty": weight}, trainer__epochs=1)
        run = train(config, tmp_path / f"run-{weight:g}")
        losses.append(float(pd.read_csv(run.folder / "history.csv")["train_loss"].iloc[0]))
    assert losses[1] > losses[0] + 1


def test_a_trained_run_gives_the_same_scores_for_one_row_and_for_many(tmp_path: Path) -> None:
    run = train(recipe(tmp_path, "half", DUQ), tmp_path / "run")
    table = run.predictions
    shares = table["probability_lower"] + table["probability_upper"]
    np.testing.assert_allclose(shares, 1, rtol=1e-5)
    assert table["score"].between(0, 1).all()
    trained = load_trained(run.folder)
    assert isinstance(trained.task, DuqTask)
    dataset = open_dataset(trained.config.data.source.open(), trained.config.input, quiet=True)
    rows = table["id"].to_numpy().astype(np.int64)
    for size in (24, 1):
        decoded = predict_rows(trained.encoder, trained.task, dataset, rows, batch_size=size)
        np.testing.assert_allclose(decoded.amax(dim=1).numpy(), table["score"], rtol=1e-4)


def test_crystals_can_be_learned_with_it_too(tmp_path: Path) -> None:
    dense = tiny.volumes(tiny.crystals(30))
    names = np.where(dense > np.median(dense), "loose", "dense")
    options = {"trainer__epochs": 2, "task__kind": "duq", "task__penalty": 0.1}
    config = tiny.config("packing", **options)
    run = train(config, tmp_path / "run", records=tiny.records(30, {"packing": names}))
    assert run.predictions["score"].between(0, 1).all()


def test_compiling_with_a_penalty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError) as caught:
        train(recipe(tmp_path, "half", DUQ, trainer__compile="true"), tmp_path / "run")
    assert "cannot be used with a penalty on slopes" in caught.value.what
    assert "task.penalty=0" in caught.value.fix
