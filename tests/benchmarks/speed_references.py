"""The networks of other projects and papers that the speed of `gated` is measured against."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data
from torch_geometric.nn import CGConv

from gnnmat.models.encoder import mean_over_samples
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.sample import Batch
from gnnmat.tasks.head import MlpHead


def parameters(network: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(one.numel() for one in network.parameters())


def of_size(make: Callable[[int], nn.Module], size: int) -> nn.Module:
    """The network of the width with which it has nearly ``size`` parameters."""
    low, high = 8, 1024
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(make(middle)) <= size else (low, middle)
    return min((make(low), make(high)), key=lambda one: abs(parameters(one) - size))


class PygNetwork(nn.Module):
    """PyG's ``CGConv`` in the place of our layers; the same head."""

    def __init__(self, width: int, layers: int, gaussians: GaussianExpansion, centres: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(119, width)
        self.expansion = gaussians
        self.layers = nn.ModuleList(CGConv(width, centres, batch_norm=True) for _ in range(layers))
        self.head = MlpHead(width, (128,), 1, 0.0)

    def forward(self, batch: Batch) -> Tensor:
        v, u = self.embedding(batch.z), self.expansion(batch.edge_length)
        for layer in self.layers:
            v = layer(v, batch.edge_index, u)
        return self.head(mean_over_samples(v, batch))


class OriginalLayer(nn.Module):
    r"""The layer of the paper on a table of M neighbours an atom.

    .. math:: v_i \leftarrow \mathrm{softplus}(v_i + \mathrm{norm}(\sum_j
        \sigma(z^g_{ij}) \, \mathrm{softplus}(z^c_{ij}))), \quad
        z_{ij} = \mathrm{norm}(W [v_i, v_j, u_{ij}] + b)

    Source: Xie & Grossman, PRL 120, 145301 (2018), Eq. 5, with both normalisations.
    """

    def __init__(self, width: int, centres: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width + centres, 2 * width)
        self.inner = nn.BatchNorm1d(2 * width)
        self.outer = nn.BatchNorm1d(width)

    def forward(self, v: Tensor, u: Tensor, neighbour: Tensor) -> Tensor:
        atoms, most = neighbour.shape
        own = v[:, None, :].expand(atoms, most, v.shape[1])
        z = self.linear(torch.cat([own, v[neighbour], u], dim=2))
        z = self.inner(z.view(atoms * most, -1)).view(atoms, most, -1)
        gate, core = z.chunk(2, dim=2)
        return F.softplus(v + self.outer((torch.sigmoid(gate) * F.softplus(core)).sum(1)))


Table = tuple[Tensor, Tensor, Tensor]
"""Of one crystal: atomic numbers (atoms,), expansion (atoms, M, centres), neighbour (atoms, M)."""


class OriginalNetwork(nn.Module):
    """Embedding, layers of the paper, mean over the atoms of each crystal, one hidden layer."""

    def __init__(self, width: int, layers: int, centres: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(119, width)
        self.layers = nn.ModuleList(OriginalLayer(width, centres) for _ in range(layers))
        self.head = MlpHead(width, (128,), 1, 0.0)

    def forward(self, crystals: list[Table]) -> Tensor:
        starts, begin = [], 0
        for z, _, _ in crystals:
            starts.append(begin)
            begin += len(z)
        v = self.embedding(torch.cat([z for z, _, _ in crystals]))
        u = torch.cat([one for _, one, _ in crystals])
        neighbour = torch.cat([n + s for (_, _, n), s in zip(crystals, starts, strict=True)])
        for layer in self.layers:
            v = layer(v, u, neighbour)
        ends = [*starts[1:], begin]
        means = [v[s:e].mean(0, keepdim=True) for s, e in zip(starts, ends, strict=True)]
        return self.head(torch.cat(means))


def tables(batch: Batch, most: int, expand: nn.Module) -> list[Table]:
    """The crystals of a batch as the original keeps them in memory, ``most`` neighbours an atom.

    Atoms with fewer are filled up with themselves, as the original does with atom 0.
    """
    found = []
    centre_of = batch.batch[batch.edge_index[1]]
    for crystal in range(batch.num_graphs):
        first, last = int(batch.ptr[crystal]), int(batch.ptr[crystal + 1])
        mine = centre_of == crystal
        source, centre = batch.edge_index[:, mine] - first
        length = batch.edge_length[mine]
        near = torch.argsort(length, stable=True)
        near = near[torch.argsort(centre[near], stable=True)]
        source, centre, length = source[near], centre[near], length[near]
        begin = torch.searchsorted(centre, torch.arange(last - first))
        place = torch.arange(len(centre)) - begin[centre]
        kept = place < most
        neighbour = torch.arange(last - first)[:, None].repeat(1, most)
        lengths = torch.full((last - first, most), 9.0)
        neighbour[centre[kept], place[kept]] = source[kept]
        lengths[centre[kept], place[kept]] = length[kept]
        u = expand(lengths.ravel()).view(last - first, most, -1)
        found.append((batch.z[first:last], u, neighbour))
    return found


class Matgl(nn.Module):
    """A network of matgl on our graphs, which hold the same bonds as its own."""

    def __init__(self, network: nn.Module, *, state: bool, angles: bool) -> None:
        super().__init__()
        self.network, self.state, self.angles = network, state, angles
        self.place = _element_places(network.element_types)

    def graphs(self, batch: Batch) -> tuple[Data, Tensor | None, dict[str, Tensor] | None]:
        """What its forward takes; triples of atoms are found beforehand."""
        neighbour, centre = batch.edge_index
        lattice = batch.lattice[batch.batch[centre]]
        shift = torch.einsum("ei,eij->ej", batch.edge_offset.to(lattice.dtype), lattice)
        graph = Data(
            node_type=self.place[batch.z], pos=batch.pos, pbc_offshift=shift,
            edge_index=torch.stack([centre, neighbour]), batch=batch.batch,
            num_graphs=batch.num_graphs,
        )  # fmt: skip
        vector = batch.pos[neighbour] + shift - batch.pos[centre]
        length = vector.norm(dim=1)
        torch.testing.assert_close(length, batch.edge_length, rtol=1e-3, atol=1e-3)
        state = torch.zeros(batch.num_graphs, 2) if self.state else None
        if not self.angles:
            return graph, state, None
        from matgl.graph._compute import create_line_graph

        triples = create_line_graph(
            graph.edge_index, length, vector, shift, len(batch.z), self.network.threebody_cutoff
        )
        return graph, state, triples

    def forward(self, made: tuple[Data, Tensor | None, dict[str, Tensor] | None]) -> Tensor:
        graph, state, triples = made
        more = {} if triples is None else {"l_g": triples}
        return self.network(graph, state_attr=state, **more).view(-1, 1)


def matgl_networks(folder: Path | None) -> dict[str, Matgl] | str:
    """MEGNet and M3GNet of matgl with its defaults, or why there are none."""
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        from matgl.models import M3GNet, MEGNet
    except ImportError as error:
        return f"matgl cannot be imported: {error}"
    return {
        "MEGNet": Matgl(MEGNet(), state=True, angles=False),
        "M3GNet": Matgl(M3GNet(), state=False, angles=True),
    }


def _element_places(symbols: tuple[str, ...]) -> Tensor:
    """(119,) place of each atomic number among the elements of a network; 0 where unknown."""
    from pymatgen.core import Element

    places = torch.zeros(119, dtype=torch.long)
    for place, symbol in enumerate(symbols):
        places[Element(symbol).Z] = place
    return places
