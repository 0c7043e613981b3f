"""Two processes on the CPU train what one process trains on the joined batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gnnmat.train.config import RunConfig
from gnnmat.workflows.training import train

from .tiny import assert_same_weights, config, crystals, graph_cache, volumes, write_table  # noqa: F401

GNNMAT = str(Path(sys.executable).with_name("gnnmat"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Two targets; one lacks most labels, so that processes hold different numbers of them."""
    count = 37  # 23 training rows in batches of 9, 9 and 5: an odd number in each
    volume = volumes(crystals(count))
    sparse = np.where(np.arange(count) % 3 == 0, volume**2, np.nan)
    table = pd.DataFrame({"volume": volume, "square": sparse})
    path = write_table(tmp_path_factory.mktemp("table") / "crystals.parquet", table)
    return config(
        ["volume", "square"],
        data__source={"kind": "table", "path": str(path)},
        model__form="paper",  # batch normalisation would see other batches
        optimizer__kind="sgd",
        optimizer__lr=0.02,
        trainer__batch_size=9,
        trainer__precision="64-true",
        trainer__ema=0.5,
        trainer__clip=1.0,
    )


@pytest.fixture(scope="module")
def alone(recipe: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    return train(recipe, tmp_path_factory.mktemp("alone") / "run").folder


def command(recipe: RunConfig, home: Path, *program: str) -> subprocess.CompletedProcess[str]:
    """``gnnmat train`` with two processes, by options alone."""
    file = home / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    line = [*program, "train", str(file), "--output", str(home / "run"), "--quiet"]
    for option in ("devices=2", "accelerator=cpu", "strategy=ddp"):
        line += ["--set", f"trainer.{option}"]
    env = {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"}
    return subprocess.run(line, env=env, text=True, capture_output=True, timeout=200)


def assert_same_run(alone: Path, other: Path) -> None:
    assert_same_weights(alone, other, 1e-6)
    ours, theirs = (
        pd.read_csv(one / "history.csv").drop(columns="seconds") for one in (other, alone)
    )
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5)
    ours, theirs = (json.loads((one / "metrics.json").read_text()) for one in (other, alone))
    assert ours["counts"] == theirs["counts"]
    for one, two in zip(ours["metrics"], theirs["metrics"], strict=True):
        assert one["metric"] == two["metric"]
        if two["value"] is None:  # of a single labelled row, such as R2
            assert one["value"] is None
        else:
            assert one["value"] == pytest.approx(two["value"], rel=1e-4)


def test_two_processes_equal_one(recipe: RunConfig, alone: Path, tmp_path: Path) -> None:
    done = command(recipe, tmp_path, GNNMAT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("Report:") == 1  # the second process says nothing
    assert done.stdout.count("37 read") == 1
    assert_same_run(alone, tmp_path / "run")
    chosen = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert chosen["trainer"]["devices"] == 2
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == sorted(path.name for path in alone.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.yaml", "run"]


@pytest.mark.slow
def test_mean_of_means_is_noticed(recipe: RunConfig, alone: Path, tmp_path: Path) -> None:
    """What the test above would see if each process divided by its own number of labels."""
    program = Path(__file__).with_name("ddp_run.py")
    done = command(recipe, tmp_path, sys.executable, str(program))
    assert done.returncode == 0, done.stderr
    with pytest.raises(AssertionError):
        assert_same_weights(alone, tmp_path / "run", 1e-4)


@pytest.mark.slow
def test_two_spawned_processes_equal_one(recipe: RunConfig, alone: Path, tmp_path: Path) -> None:
    trainer = recipe.trainer.model_copy(update={"devices": 2, "strategy": "ddp_spawn"})
    train(recipe.model_copy(update={"trainer": trainer}), tmp_path / "run")
    assert_same_run(alone, tmp_path / "run")
