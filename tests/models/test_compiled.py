"""Encoders under ``torch.compile``: nothing of a layer is left to Python, and results agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.gated import Gated
from gnnmat.sample import Batch, DataSpec, Sample, collate

from ..contracts import crystals

GRAPH = CrystalGraph(cutoff=5.0, neighbours=8, angles=2)


def batch_of(graph: CrystalGraph) -> Batch:
    samples = []
    for row, raw in enumerate((crystals.rock_salt(), crystals.perovskite())):
        fields = {name: torch.as_tensor(np.asarray(v)) for name, v in graph.sample(raw).items()}
        fields = {n: v.float() if v.is_floating_point() else v for n, v in fields.items()}
        samples.append(Sample(**fields, row=torch.tensor([row]), num_nodes=len(raw.numbers)))
    return collate(samples)


def encoder_for(graph: CrystalGraph, batch: Batch) -> torch.nn.Module:
    torch.manual_seed(0)
    spec = DataSpec(
        fields=graph.fields,
        elements=tuple(batch.z.unique().tolist()),
        neighbours=8.0,
        moments=batch.edge_angle.shape[1],
    )
    return Gated.example().build(spec).eval()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the tracer, about its own internals
@pytest.mark.parametrize("fold", [False, True])
def test_graph_breaks_only_where_equivalent_atoms_are_counted(fold: bool) -> None:
    """Layers are traced whole; how many atoms stand for others is known of the data alone."""
    graph = GRAPH.model_copy(update={"fold": fold})
    batch = batch_of(graph)
    try:
        found = torch._dynamo.explain(encoder_for(graph, batch))(batch)
    finally:
        torch._dynamo.reset()
    places = {str(reason.user_stack[-1].filename) for reason in found.break_reasons}
    assert {place.rsplit("/", 1)[-1] for place in places} <= ({"folded.py"} if fold else set())
    assert found.graph_count <= (6 if fold else 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU absent")
@pytest.mark.parametrize("fold", [False, True])
def test_compiled_encoder_equals_the_plain_one(fold: bool) -> None:
    graph = GRAPH.model_copy(update={"fold": fold})
    batch = batch_of(graph)
    encoder = encoder_for(graph, batch).to("cuda")
    batch = batch.to("cuda")
    expected = encoder(batch)
    compiled = torch.compile(encoder, dynamic=True)(batch)
    torch.testing.assert_close(compiled.pooled, expected.pooled, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(compiled.local, expected.local, rtol=1e-4, atol=1e-5)
