"""Crystals whose target one element alone, or one bond length alone, decides; small networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.cgcnn import Cgcnn
from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.sources.crystal import Crystal
from gnnmat.tasks.head import Head
from gnnmat.tasks.regression import Regression
from gnnmat.train.checkpoint import Trained
from gnnmat.train.config import parse_config

LI, F, NA, CL = 3, 9, 11, 17
ELEMENTS = (LI, F, NA, CL)
GRAPH = CrystalGraph(cutoff=3.2, neighbours=None)
SPEC = DataSpec(
    fields=GRAPH.fields,
    targets=TargetSpec((Target("planted", unit="eV"),)),
    elements=ELEMENTS,
    neighbours=4.0,
)
MODEL = Cgcnn(width=16, layers=2, gaussians=12, gaussian_cutoff=3.5, gaussian_width=0.3)
LINEAR = Regression(head=Head(hidden=()))
DEEP = Regression(head=Head(hidden=(16,)))


def sample(crystal: Crystal, value: float | None = None) -> Sample:
    """A crystal as a sample in float32."""
    fields: dict[str, Any] = {}
    for name, array in GRAPH.sample(crystal).items():
        tensor = torch.from_numpy(np.array(array))
        fields[name] = tensor.float() if tensor.is_floating_point() else tensor
    if value is not None:
        fields["y_sample"] = torch.tensor([[value]], dtype=torch.float32)
    row = torch.zeros(1, dtype=torch.int64)
    return Sample(**fields, row=row, num_nodes=len(crystal.numbers))


def one(crystal: Crystal) -> Batch:
    """A batch of this crystal."""
    return collate([sample(crystal)])


def mixed(count: int, seed: int) -> list[tuple[Crystal, float]]:
    """Simple cubic boxes of eight random atoms; the target is the share of chlorine."""
    draw = np.random.default_rng(seed)
    places = np.array([(x, y, z) for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)])
    made = []
    for _ in range(count):
        numbers = draw.choice(ELEMENTS, 8)
        lattice = np.eye(3) * draw.uniform(4.6, 5.8)
        made.append((Crystal(lattice, numbers, places), float((numbers == CL).mean())))
    return made


def pairs(count: int, seed: int) -> list[tuple[Crystal, float]]:
    """Two lonely pairs a box, Li-F and Na-Cl, or none; the target is 3 Å - d(Li-F), or 0."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        far = draw.random(2) < 0.3
        lengths = np.where(far, 5.0, draw.uniform(1.5, 3.0, 2))
        frac = np.zeros((4, 3))
        frac[1, 0], frac[3, 0] = lengths / 12
        frac[2:, 1] = 0.5
        value = max(3.0 - float(lengths[0]), 0.0)
        made.append((Crystal(np.eye(3) * 12, np.array([LI, F, NA, CL]), frac), value))
    return made


def network(task: Regression = LINEAR, seed: int = 0, model: Any = MODEL) -> Trained:
    """A network with the weights it begins with."""
    torch.manual_seed(seed)
    encoder = model.build(SPEC)
    config = parse_config({"model": model.model_dump(), "task": task.model_dump()})
    return Trained(config, SPEC, encoder.eval(), task.build(SPEC, encoder.width).eval())


def learned(data: list[tuple[Crystal, float]], trained: Trained, steps: int = 150) -> Trained:
    """The network after some steps on these crystals, all in one batch."""
    batch = collate([sample(crystal, value) for crystal, value in data])
    encoder, task = trained.encoder.train(), trained.task.train()
    task.prepare(batch.y_sample)
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(task(encoder(batch), batch), batch).mean().backward()
        optimizer.step()
    return replace(trained, encoder=encoder.eval(), task=task.eval())
