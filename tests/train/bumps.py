"""Images with one bright row, upper or lower, and recipes for runs on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.train.config import RunConfig, parse_config

SHAPE = (12, 36)
COUNT = 24


def archive(folder: Path) -> Path:
    """The images with the half and the row of the bright line."""
    draw = np.random.default_rng(0)
    rows = draw.permutation(np.arange(COUNT) % SHAPE[0])
    images = 0.2 * draw.random((COUNT, 1, *SHAPE))
    images[np.arange(COUNT), 0, rows] += 1
    np.savez(
        folder / "bumps.npz",
        image=images.astype(np.float32),
        half=np.where(rows < SHAPE[0] // 2, "upper", "lower"),
        line=rows.astype(float),
    )
    return folder / "bumps.npz"


def recipe(folder: Path, target: str, task: dict[str, Any], **options: Any) -> RunConfig:
    """A run of two epochs; ``trainer__epochs=3`` stands for ``trainer.epochs``."""
    path = folder / "bumps.npz"
    plain = {
        "name": "bumps",
        "data": {
            "source": {"kind": "arrays", "path": str(path if path.is_file() else archive(folder))},
            "targets": [target] if target else [],
            "workers": 0,
        },
        "input": {"kind": "image"},
        "model": {"kind": "slices", "width": 6, "features": 8},
        "task": task,
        "split": {"kind": "random", "val": 0.25, "test": 0.25},
        "optimizer": {"lr": 0.01},
        "trainer": {
            "epochs": 2, "batch_size": 6, "accelerator": "cpu", "threads": 1, "logs": [],
        },
    }  # fmt: skip
    lines = [f"{name.replace('__', '.')}={value}" for name, value in options.items()]
    return parse_config(plain, lines)
