"""The factored, blocked convolution against the concatenated one of the authors' code."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.models import gated_sum as module
from gnnmat.models.cgcnn import CgcnnLayer

WIDTH, CENTRES, ATOMS = 6, 5, 11


class Concatenated(nn.Module):
    """The layer as Xie and Grossman's program has it: everything an edge, nothing factored."""

    def __init__(self, layer: CgcnnLayer) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * WIDTH + CENTRES, 2 * WIDTH, dtype=torch.float64)
        with torch.no_grad():
            self.linear.weight.copy_(torch.cat([layer.centre, layer.source, layer.edge], dim=1))
            self.linear.bias.copy_(layer.bias)
        self.edge_norm, self.sum_norm = deepcopy(layer.edge_norm), deepcopy(layer.sum_norm)

    def forward(self, v: Tensor, edge_index: Tensor, u: Tensor) -> Tensor:
        source, centre = edge_index
        z = self.linear(torch.cat([v[centre], v[source], u], dim=1))
        z = z if self.edge_norm is None else self.edge_norm(z)
        gate, core = z.chunk(2, dim=1)
        message = torch.sigmoid(gate) * F.softplus(core)
        total = torch.zeros_like(v).index_add(0, centre, message)
        if self.sum_norm is None:
            return v + total
        return F.softplus(v + self.sum_norm(total))

    def named_gradients(self) -> dict[str, Tensor]:
        """Gradients under the names of the factored layer."""
        parts = self.linear.weight.grad.split([WIDTH, WIDTH, CENTRES], dim=1)
        gradients = dict(zip(("centre", "source", "edge"), parts, strict=True))
        gradients["bias"] = self.linear.bias.grad
        for name, parameter in self.named_parameters():
            if not name.startswith("linear"):
                gradients[name] = parameter.grad
        return gradients


def graph(edges: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features, edges sorted by centre, expanded lengths; some atoms have no neighbour."""
    random = torch.Generator().manual_seed(seed)
    v = torch.randn(ATOMS, WIDTH, generator=random, dtype=torch.float64, requires_grad=True)
    centre = torch.randint(0, ATOMS - 2, (edges,), generator=random).sort().values
    source = torch.randint(0, ATOMS, (edges,), generator=random)
    u = torch.rand(edges, CENTRES, generator=random, dtype=torch.float64)
    return v, torch.stack([source, centre]), u


def make_layer(bare: bool = False) -> CgcnnLayer:
    """A layer whose normalisations are not those of a new one."""
    torch.manual_seed(7)
    layer = CgcnnLayer(WIDTH, CENTRES, bare=bare).double()
    for norm in (layer.edge_norm, layer.sum_norm):
        if norm is not None:
            for tensor in (norm.weight, norm.running_var):
                nn.init.uniform_(tensor, 0.5, 2.0)
            for tensor in (norm.bias, norm.running_mean):
                nn.init.normal_(tensor)
    return layer


@pytest.fixture(params=["blocked", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways to compute: small blocks, so that a graph has several, or none at all."""
    used: list[str] = []
    if request.param == "plain":
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    else:
        monkeypatch.setattr(module, "BLOCK", 16)
        for name in ("_BlockedTraining", "_blocked_inference"):
            watched = getattr(module, name)
            monkeypatch.setattr(module, name, _Watch(watched, used))
    yield request.param
    if request.param == "blocked":
        assert used, "the blocked path was not taken"


class _Watch:
    """Notes that it was called, and does what it stands for."""

    def __init__(self, watched: object, used: list[str]) -> None:
        self.watched, self.used = watched, used

    def __call__(self, *args: object) -> object:
        self.used.append("call")
        return self.watched(*args)  # type: ignore[operator]

    def apply(self, *args: object) -> object:
        self.used.append("apply")
        return self.watched.apply(*args)  # type: ignore[attr-defined]


def assert_same_gradients(layer: CgcnnLayer, whole: Concatenated) -> None:
    expected = whole.named_gradients()
    found = {name: parameter.grad for name, parameter in layer.named_parameters()}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-10, msg=name)


# 16 is one block; 32 two whole ones; 37 and 45 leave a rest; 2 the fewest a batch can norm.
@pytest.mark.parametrize("edges", [2, 15, 16, 17, 32, 37, 45])
def test_training_equals_the_concatenated_layer(edges: int, path: str) -> None:
    layer = make_layer().train()
    whole = Concatenated(layer)
    v, edge_index, u = graph(edges)
    twin = v.detach().clone().requires_grad_()
    slope = torch.randn(ATOMS, WIDTH, dtype=torch.float64)
    out, expected = layer(v, edge_index, u), whole(twin, edge_index, u)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    out.backward(slope)
    expected.backward(slope)
    torch.testing.assert_close(v.grad, twin.grad, rtol=0, atol=1e-10)
    assert_same_gradients(layer, whole)
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(layer.get_buffer(name), buffer, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("edges", [0, 1, 37])
def test_evaluation_equals_the_concatenated_layer(edges: int, bare: bool) -> None:
    layer = make_layer(bare).eval()
    whole = Concatenated(layer).eval()
    v, edge_index, u = graph(edges)
    u.requires_grad_()
    twins = [tensor.detach().clone().requires_grad_() for tensor in (v, u)]
    out, expected = layer(v, edge_index, u), whole(twins[0], edge_index, twins[1])
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    out.square().sum().backward()
    expected.square().sum().backward()
    for found, twin in zip((v, u), twins, strict=True):
        torch.testing.assert_close(found.grad, twin.grad, rtol=1e-10, atol=1e-10)
    assert_same_gradients(layer, whole)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("edges", [1, 16, 37])
def test_prediction_without_gradients_equals_the_concatenated_layer(
    edges: int, bare: bool, path: str
) -> None:
    layer = make_layer(bare).eval()
    whole = Concatenated(layer).eval()
    v, edge_index, u = graph(edges)
    with torch.no_grad():
        found = layer(v, edge_index, u)
    torch.testing.assert_close(found, whole(v, edge_index, u), rtol=0, atol=1e-10)


def test_real_block_size_is_crossed() -> None:
    edges = module.BLOCK + 123
    layer = make_layer().train()
    whole = Concatenated(layer)
    v, edge_index, u = graph(edges)
    twin = v.detach().clone().requires_grad_()
    out, expected = layer(v, edge_index, u), whole(twin, edge_index, u)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
    out.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(v.grad, twin.grad, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        found = layer.eval()(v, edge_index, u)
    torch.testing.assert_close(found, whole.eval()(v, edge_index, u), rtol=1e-10, atol=1e-10)


def test_running_statistics_follow_those_of_batch_norm(path: str) -> None:
    layer = make_layer().train()
    whole = Concatenated(layer)
    for seed in range(4):
        v, edge_index, u = graph(37, seed)
        layer(v, edge_index, u)
        whole(v, edge_index, u)
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(layer.get_buffer(name), buffer, rtol=0, atol=1e-10, msg=name)
    assert int(layer.edge_norm.num_batches_tracked) == 4


def test_training_on_a_graph_without_edges_is_finite() -> None:
    layer = make_layer().train()
    before = layer.edge_norm.running_mean.clone()
    v, edge_index, u = graph(0)
    out = layer(v, edge_index, u)
    out.sum().backward()
    assert out.isfinite().all()
    assert v.grad.isfinite().all()
    torch.testing.assert_close(layer.edge_norm.running_mean, before, rtol=0, atol=0)


def test_training_on_one_edge_is_finite() -> None:
    layer = make_layer().train()
    v, edge_index, u = graph(1)
    layer(v, edge_index, u).sum().backward()
    for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
        assert tensor.isfinite().all(), name
        assert tensor.grad is None or tensor.grad.isfinite().all(), name


def test_single_precision_blocks_stay_close_to_double(path: str) -> None:
    layer = make_layer().train()
    v, edge_index, u = graph(45)
    expected = layer(v, edge_index, u)
    found = deepcopy(layer).float()(v.float(), edge_index, u.float())
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_paper_form_is_cgconv() -> None:
    from torch_geometric.nn import CGConv

    layer = make_layer(bare=True)
    other = CGConv(WIDTH, CENTRES, aggr="add").double()
    weight = torch.cat([layer.centre, layer.source, layer.edge], dim=1).detach()
    with torch.no_grad():
        # The first half of our rows is the gate (lin_f), the second the core (lin_s).
        for linear, rows in ((other.lin_f, slice(WIDTH)), (other.lin_s, slice(WIDTH, None))):
            linear.weight.copy_(weight[rows])
            linear.bias.copy_(layer.bias[rows])
    v, edge_index, u = graph(37)
    u.requires_grad_()
    twins = [tensor.detach().clone().requires_grad_() for tensor in (v, u)]
    out, expected = layer(v, edge_index, u), other(twins[0], edge_index, twins[1])
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    out.square().sum().backward()
    expected.square().sum().backward()
    for found, twin in zip((v, u), twins, strict=True):
        torch.testing.assert_close(found.grad, twin.grad, rtol=1e-10, atol=1e-10)
    grown = torch.cat([other.lin_f.weight.grad, other.lin_s.weight.grad])
    ours = torch.cat([layer.centre.grad, layer.source.grad, layer.edge.grad], dim=1)
    torch.testing.assert_close(ours, grown, rtol=1e-10, atol=1e-10)
    biases = torch.cat([other.lin_f.bias.grad, other.lin_s.bias.grad])
    torch.testing.assert_close(layer.bias.grad, biases, rtol=1e-10, atol=1e-10)
