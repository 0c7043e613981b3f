"""Batches that carry labels and nothing else, and tasks on features of width 4."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnnmat.sample import Batch, DataSpec, Features, Level, Sample, Target, TargetSpec, collate
from gnnmat.tasks import Classification, Regression
from gnnmat.tasks.classification import ClassificationTask
from gnnmat.tasks.head import Head
from gnnmat.tasks.regression import RegressionTask

NAN = float("nan")
WIDTH = 4
ATOMS = (2, 1, 3)  # of the samples of a batch with values an atom


def labelled(labels: list[list[float]] | Tensor, level: Level = "sample") -> Batch:
    """A batch with these labels, (rows, d); by atom, the rows are shared out as in `ATOMS`."""
    rows = torch.as_tensor(labels, dtype=torch.float32)
    if level == "sample":
        return collate([Sample(z=torch.ones(1, dtype=torch.int64), y_sample=r[None]) for r in rows])
    parts = rows.split(ATOMS)
    return collate(
        [Sample(z=torch.ones(len(part), dtype=torch.int64), y_atom=part) for part in parts]
    )


def features_of(batch: Batch, seed: int = 0) -> Features:
    """Random features for this batch."""
    random = torch.Generator().manual_seed(seed)
    local = torch.randn(batch.num_nodes, WIDTH, generator=random)
    return Features(local, torch.randn(batch.num_graphs, WIDTH, generator=random))


def spec_of(*targets: Target) -> DataSpec:
    """Data with these targets."""
    return DataSpec(fields=("z",), targets=TargetSpec(targets))


def regression(names: str = "gap", level: Level = "sample", **options: Any) -> RegressionTask:
    """A regression of these targets, one a letter or word."""
    torch.manual_seed(0)
    targets = [Target(name, "eV", level) for name in names.split()]
    config = Regression(head=Head(hidden=(8,)), **options)
    return config.build(spec_of(*targets), WIDTH)


METAL = Target("is_metal", classes=("no", "yes"))
SYSTEM = Target("system", classes=("cubic", "hexagonal", "triclinic"))


def classification(*targets: Target, **options: Any) -> ClassificationTask:
    """A classification of these targets, by default both of the above."""
    torch.manual_seed(0)
    config = Classification(head=Head(hidden=(8,)), **options)
    return config.build(spec_of(*(targets or (METAL, SYSTEM))), WIDTH)
