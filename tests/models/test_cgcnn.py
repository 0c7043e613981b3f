"""The whole network: edge weights, gradients of bond lengths, sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gnnmat.models import Cgcnn
from gnnmat.models.cgcnn import CgcnnEncoder, CgcnnLayer
from gnnmat.sample import Batch, DataSpec, Sample, collate

SPEC = DataSpec(fields=("z", "edge_index", "edge_length"), elements=(8, 22, 38))
FORMS = pytest.mark.parametrize("form", ["code", "paper"])


def batch_of(graphs: int = 3, seed: int = 0) -> Batch:
    """Random graphs of 4 atoms and 20 edges, float64."""
    random = torch.Generator().manual_seed(seed)
    samples = []
    for _ in range(graphs):
        centre = torch.randint(0, 4, (20,), generator=random).sort().values
        source = torch.randint(0, 4, (20,), generator=random)
        length = 1.5 + 2 * torch.rand(20, generator=random, dtype=torch.float64)
        z = torch.tensor([8, 22, 38, 8])
        edges = torch.stack([source, centre])
        samples.append(Sample(z=z, edge_index=edges, edge_length=length))
    return collate(samples)


def encoder_of(form: str = "code") -> CgcnnEncoder:
    """A small network in evaluation mode that has seen a training batch."""
    torch.manual_seed(1)
    config = Cgcnn.example().model_copy(update={"form": form})
    encoder = config.build(SPEC).double().train()
    encoder(batch_of(8, seed=9))
    return encoder.eval()


@FORMS
@pytest.mark.parametrize("with_gradient", [False, True])
def test_an_edge_of_weight_zero_is_no_edge(form: str, with_gradient: bool) -> None:
    encoder, batch, fewer = encoder_of(form), batch_of(), batch_of()
    keep = torch.rand(60, generator=torch.Generator().manual_seed(4)) > 0.4
    batch.edge_weight = keep.double()
    fewer.edge_index, fewer.edge_length = batch.edge_index[:, keep], batch.edge_length[keep]
    with torch.set_grad_enabled(with_gradient):
        found, expected = encoder(batch), encoder(fewer)
    torch.testing.assert_close(found.local, expected.local, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.pooled, expected.pooled, rtol=0, atol=1e-10)


@FORMS
def test_edges_of_weight_one_are_plain_edges(form: str) -> None:
    encoder, batch = encoder_of(form), batch_of()
    expected = encoder(batch).pooled
    batch.edge_weight = torch.ones(60, dtype=torch.float64)
    torch.testing.assert_close(encoder(batch).pooled, expected, rtol=0, atol=1e-10)


def energy(encoder: CgcnnEncoder, batch: Batch, length: Tensor) -> Tensor:
    moved = batch.clone()
    moved.edge_length = length
    return encoder(moved).pooled.square().sum()


@FORMS
@pytest.mark.parametrize("training", [False, True])
def test_gradient_of_bond_lengths_is_that_of_finite_differences(form: str, training: bool) -> None:
    encoder, batch = encoder_of(form).train(training), batch_of()
    length = batch.edge_length.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(encoder, batch, length), length)
    step = 1e-5
    for edge in range(0, 60, 7):
        moved = torch.zeros_like(length)
        moved[edge] = step
        with torch.no_grad():
            rise = energy(encoder, batch, length + moved) - energy(encoder, batch, length - moved)
        assert float(gradient[edge]) == pytest.approx(float(rise / (2 * step)), rel=1e-6, abs=1e-9)
    assert float(gradient.abs().min()) > 0


@FORMS
@pytest.mark.parametrize("training", [False, True])
def test_gradients_of_bond_lengths_can_be_trained_on(form: str, training: bool) -> None:
    encoder, batch = encoder_of(form).train(training), batch_of()
    parameter = encoder.layers[0].edge

    def penalty() -> Tensor:
        length = batch.edge_length.clone().requires_grad_()
        total = energy(encoder, batch, length)
        (slope,) = torch.autograd.grad(total, length, create_graph=True)
        return slope.square().sum()

    (gradient,) = torch.autograd.grad(penalty(), parameter)
    step = 1e-5
    for place in ((0, 3), (9, 5), (15, 4)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[place] += sign * step
            values.append(float(penalty().detach()))
            with torch.no_grad():
                parameter[place] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert float(gradient[place]) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_inputs_are_the_bond_lengths() -> None:
    batch = batch_of()
    assert encoder_of().inputs(batch) is batch.edge_length


def test_without_layers_the_features_are_the_mean_embedding() -> None:
    encoder = Cgcnn(width=4, layers=0).build(SPEC).double()
    batch = batch_of(1)
    expected = encoder.embedding(torch.tensor([8, 22, 38, 8])).mean(dim=0)
    torch.testing.assert_close(encoder(batch).pooled[0], expected)


def test_default_sizes_are_those_of_the_authors() -> None:
    encoder = Cgcnn().build(SPEC)
    assert encoder.width == 64
    assert len(encoder.layers) == 3
    assert encoder.layers[0].edge.shape == (128, 41)
    assert encoder.layers[0].centre.shape == (128, 64)


def test_initial_weights_are_those_of_one_linear_layer() -> None:
    torch.manual_seed(3)
    layer = CgcnnLayer(64, 41)
    torch.manual_seed(3)
    linear = nn.Linear(2 * 64 + 41, 2 * 64)
    parts = torch.cat([layer.centre, layer.source, layer.edge], dim=1)
    torch.testing.assert_close(parts, linear.weight, rtol=0, atol=0)
    torch.testing.assert_close(layer.bias, linear.bias, rtol=0, atol=0)
