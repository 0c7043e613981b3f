"""Small made-up images of two classes, a network of a few weights, and an ensemble of it."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.sources.arrays import ArraysSource
from gnnmat.sources.records import Records
from gnnmat.train.config import RunConfig, parse_config
from gnnmat.workflows.ensemble import Ensemble, train_ensemble

SIZE = 12

BASE: dict[str, Any] = {
    "name": "pictures",
    "data": {"workers": 0, "targets": ["side"]},
    "input": {"kind": "image"},
    "split": {"kind": "random", "val": 0.3, "test": 0.2},
    "model": {"kind": "cnn", "widths": [6, 6]},
    "task": {"kind": "classification", "head": {"hidden": []}},
    "optimizer": {"lr": 0.02},
    "trainer": {"epochs": 6, "batch_size": 30, "accelerator": "cpu", "threads": 1, "logs": []},
}


def pictures(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """(n, 1, 12, 12) images with a bright band on the left or on the right, and which."""
    draw = np.random.default_rng(seed)
    images = draw.normal(0.0, 0.3, (count, 1, SIZE, SIZE)).astype(np.float32)
    left = draw.random(count) < 0.5
    for image, is_left in zip(images, left, strict=True):
        start = 2 if is_left else 8
        image[0, :, start : start + 2] += draw.uniform(1.0, 2.0)
    return images, np.where(left, "left", "right")


def picture_records(count: int = 200, seed: int = 0) -> Records:
    """Images with the column ``side``."""
    images, side = pictures(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.npz"
        np.savez(path, image=images, side=side, id=[f"p{seed}-{n}" for n in range(count)])
        return ArraysSource(path=str(path)).open()


def bare_records(images: NDArray[np.float32]) -> Records:
    """Images without any column."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, image=images)
        return ArraysSource(path=str(path)).open()


def picture_config(**options: Any) -> RunConfig:
    """The recipe; ``trainer__epochs=3`` stands for the option ``trainer.epochs``."""
    return parse_config(BASE, [f"{n.replace('__', '.')}={v}" for n, v in options.items()])


@lru_cache(maxsize=1)
def small_ensemble() -> Ensemble:
    """Three members that many tests look at and none changes."""
    folder = Path(tempfile.mkdtemp(prefix="gnnmat-pictures-")) / "run"
    return train_ensemble(picture_config(), folder, members=3, records=picture_records())


def held_out(run_predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows of the test part."""
    return run_predictions[run_predictions["split"] == "test"]
