"""What the gated model promises beyond the contracts: a smooth cutoff, states, what it is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Gated
from gnnmat.models.expansion import smooth_cutoff
from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.state import StateAttribute, StateSpec

from ..contracts import crystals

RADIUS = CrystalGraph(cutoff=4.0, neighbours=None)


def batch_of(*samples: Crystal, graph: CrystalGraph = RADIUS) -> Batch:
    made = []
    for raw in samples:
        fields = {name: torch.from_numpy(array) for name, array in graph.sample(raw).items()}
        made.append(Sample(**fields))
    return collate(made)


def pooled(model: Gated, batch: Batch, spec: DataSpec | None = None) -> Tensor:
    torch.manual_seed(0)
    encoder = model.build(spec or DataSpec(RADIUS.fields, neighbours=10.0)).double().eval()
    with torch.no_grad():
        found: Tensor = encoder(batch).pooled
    return found


def test_cutoff_falls_from_one_to_zero_and_has_no_corner() -> None:
    x = torch.linspace(0, 1, 1001, dtype=torch.float64, requires_grad=True)
    factor = smooth_cutoff(4.0 * x, 4.0)
    assert float(factor[0].detach()) == 1.0
    assert abs(float(factor[-1].detach())) < 1e-12
    assert bool((factor.diff() <= 1e-15).all())
    (slope,) = torch.autograd.grad(factor.sum(), x)
    assert abs(float(slope[0])) < 1e-12
    assert abs(float(slope[-1])) < 1e-12
    assert float(factor[500].detach()) == pytest.approx(0.5)


@pytest.mark.parametrize("envelope", [True, False])
def test_nothing_jumps_at_the_cutoff_with_an_envelope(envelope: bool) -> None:
    """Simple cubic cells whose second neighbours, at a sqrt(2), lie just inside and outside."""
    model = Gated.example().model_copy(update={"gaussian_cutoff": 4.0, "envelope": envelope})
    edge = 4.0 / np.sqrt(2)
    both = [as_crystal(np.eye(3) * (edge + step), [29], [[0, 0, 0]]) for step in (-1e-5, 1e-5)]
    inside, outside = (batch_of(one) for one in both)
    assert inside.edge_index.shape[1] > outside.edge_index.shape[1]
    jump = float((pooled(model, inside) - pooled(model, outside)).abs().max())
    assert (jump < 1e-3) == envelope


STATE = StateSpec((StateAttribute("temperature", "K", mean=300.0, spread=100.0),))


def with_state(value: float) -> Batch:
    batch = batch_of(crystals.perovskite())
    batch.state = torch.tensor([[value]], dtype=torch.float64)
    return batch


def test_a_prediction_depends_on_the_state() -> None:
    spec = DataSpec((*RADIUS.fields, "state"), neighbours=10.0, state=STATE)
    cold, warm = (pooled(Gated.example(), with_state(t), spec) for t in (100.0, 900.0))
    assert float((cold - warm).abs().max()) > 1e-4


def test_a_crystal_tells_its_atoms_what_it_is_made_of() -> None:
    """Two atoms out of each other's sight know of each other by the mean alone."""
    alone = [as_crystal(np.eye(3) * 30, [11, z], [[0, 0, 0], [0.5, 0.5, 0.5]]) for z in (17, 35)]
    for crystal, told in (("state", False), ("always", True)):
        model = Gated.example().model_copy(update={"crystal": crystal})
        torch.manual_seed(0)
        encoder = model.build(DataSpec(RADIUS.fields, neighbours=10.0)).double().eval()
        first, second = (encoder(batch_of(one)).local[0] for one in alone)
        assert bool((first - second).abs().max() > 1e-6) == told


def test_no_readout_is_built_where_atoms_alone_carry_labels() -> None:
    for level, built in (("atom", False), ("sample", True)):
        spec = DataSpec(RADIUS.fields, TargetSpec((Target("x", level=level),)), neighbours=10.0)
        assert (Gated.example().build(spec).readout is not None) == built
