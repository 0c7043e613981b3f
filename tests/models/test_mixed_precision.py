"""The gated model in 16 bits and with lonely nodes, whatever its options."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnmat.inputs import CrystalGraph
from gnnmat.models import Gated
from gnnmat.models.folded import summed
from gnnmat.models.node_norm import NodeNorm
from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.sources.crystal import Crystal

from ..contracts import crystals

PAIR = (crystals.perovskite(), crystals.low_symmetry())
OPTIONS = list(
    product((True, False), ("learned", "properties", "both"), (True, False), ("attention", "mean"))
)


def batch_of(graph: CrystalGraph, *samples: Crystal) -> Batch:
    made = []
    for raw in samples:
        fields = {name: torch.from_numpy(array) for name, array in graph.sample(raw).items()}
        plain = {k: v.float() if v.is_floating_point() else v for k, v in fields.items()}
        made.append(Sample(**plain))
    return collate(made)


@pytest.mark.parametrize(("fold", "atoms", "envelope", "pool"), OPTIONS)
def test_half_precision_trains_and_is_close(
    fold: bool, atoms: Any, envelope: bool, pool: Any
) -> None:
    graph = CrystalGraph(cutoff=4.0, neighbours=None, fold=fold)
    options = {"atoms": atoms, "envelope": envelope, "pool": pool, "crystal": "always"}
    model = Gated.example().model_copy(update=options)
    torch.manual_seed(0)
    encoder, batch = model.build(DataSpec(graph.fields, neighbours=10.0)), batch_of(graph, *PAIR)
    with torch.autocast("cpu", torch.bfloat16):
        half: Tensor = encoder(batch).pooled
    half.float().sum().backward()
    encoder.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = encoder(batch).pooled
    with torch.no_grad():
        whole = encoder(batch).pooled
    torch.testing.assert_close(half.float(), whole, atol=0.1, rtol=0.1)


def test_sums_of_sixteen_bits_are_kept_in_more() -> None:
    """4,096 ones: bfloat16 would stay at 256."""
    ones = torch.ones(4096, 1, dtype=torch.bfloat16)
    found = summed(ones, torch.zeros(4096, dtype=torch.int64), 1)
    assert float(found) == 4096
    assert found.dtype == torch.float32
    assert summed(ones.double(), torch.zeros(4096, dtype=torch.int64), 1).dtype == torch.float64


def test_a_lonely_node_is_normalised_as_in_prediction() -> None:
    norm = NodeNorm(3)
    norm.running_mean = torch.tensor([1.0, 2.0, 3.0])
    x = torch.tensor([[2.0, 2.0, 2.0]])
    torch.testing.assert_close(norm(x), torch.tensor([[1.0, 0.0, -1.0]]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1, 2, 3]
    several = torch.randn(5, 3)
    torch.testing.assert_close(norm(several), torch.nn.BatchNorm1d(3)(several))


def test_a_folded_crystal_of_one_kind_of_atom_trains_alone() -> None:
    graph = CrystalGraph(cutoff=4.0, neighbours=None, fold=True)
    encoder = Gated.example().build(DataSpec(graph.fields, neighbours=10.0)).train()
    encoder(batch_of(graph, crystals.copper())).pooled.sum().backward()
