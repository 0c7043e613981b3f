"""Made-up crystals, two thirds of the halides positive, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records
from gnnmat.workflows.pu.folder import PuRun
from gnnmat.workflows.pu.options import PuConfig, parse_pu
from gnnmat.workflows.pu.run import learn_pu

from ...train.tiny import crystals

COUNT = 60
HALOGENS = (9, 17, 35)


def halide(count: int = COUNT) -> np.ndarray:
    """(count,) the hidden truth: whether a crystal could be made."""
    return np.array([bool(np.isin(one.numbers, HALOGENS).any()) for one in crystals(count)])


def labels(count: int = COUNT) -> list[int]:
    """1 for two thirds of the halides, 0 for everything else."""
    known = np.random.default_rng(1).random(count) < 2 / 3
    return (halide(count) & known).astype(int).tolist()


def made_records(column: Sequence[Any] | None = None, count: int = COUNT) -> Records:
    """The crystals with labels ``made`` and a column that ranks them wrongly."""
    values = labels(count) if column is None else list(column)
    table = {"made": values, "hull": np.linspace(0, 1, count).tolist()}
    return records_from_objects(crystals(count), ids=[str(n) for n in range(count)], targets=table)


def recipe(*overrides: str) -> PuConfig:
    """Two rounds of two folds of a tiny network."""
    plain = {
        "name": "tiny",
        "data": {"targets": ["made"]},
        "input": {"cutoff": 5.0, "neighbours": 8},
        "model": {"kind": "cgcnn", "width": 8, "layers": 1},
        "task": {"kind": "pu", "head": {"hidden": []}},
        "optimizer": {"lr": 0.02},
        "trainer": {
            "epochs": 2,
            "batch_size": 16,
            "accelerator": "cpu",
            "threads": 1,
            "logs": [],
        },
        "pu": {"fits": 4, "folds": 2, "val": 0.1, "trees": 0},
    }
    return parse_pu(plain, list(overrides))


def learned(folder: Path, *overrides: str, records: Records | None = None, **more: Any) -> PuRun:
    """A finished run of the recipe."""
    given = made_records() if records is None else records
    return learn_pu(recipe(*overrides), folder, records=given, **more)
