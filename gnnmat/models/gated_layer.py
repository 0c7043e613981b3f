"""One round of gated messages, and what a crystal as a whole tells its atoms."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.models.folded import WorkGraph, summed
from gnnmat.models.node_norm import NodeNorm


class GatedLayer(nn.Module):
    r"""One round: bonds learn from their ends, atoms from their bonds.

    .. math::
        z_{ij} &= \mathrm{silu}(A v_i + B v_j + C e_{ij}), \quad
        e_{ij} \leftarrow e_{ij} + z_{ij} \\
        m_i &= \frac{1}{n} \sum_j \sigma(z^g_{ij})\, z^c_{ij}\, (S v_j + s), \quad
        [z^g, z^c] = D z + d \\
        v_i &\leftarrow v_i + \mathrm{MLP}(E v_i + \mathrm{norm}(m_i))

    with n the mean number of neighbours in training. What a neighbour passes on is multiplied by
    what the bond lets through, as by the filters of Schütt et al., J. Chem. Phys. 148, 241722
    (2018), Eq. 4; s begins as one. Products with v cost an atom, not an edge,
    and of folded graphs atoms are few: the network on an atom is the deep one.

    Args:
        width: features an atom and an edge.
        neighbours: n.
        dropout: share of new atom features dropped.
    """

    def __init__(self, width: int, neighbours: float, dropout: float) -> None:
        super().__init__()
        self.centre = nn.Linear(width, width)
        self.source = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(width, width, bias=False)
        self.message = nn.Linear(width, 2 * width)
        self.passed = nn.Linear(width, width)
        nn.init.ones_(self.passed.bias)
        self.norm = NodeNorm(width)
        self.own = nn.Linear(width, width, bias=False)
        self.update = nn.Sequential(
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.Dropout(dropout),
        )
        self.neighbours = neighbours

    def forward(self, v: Tensor, e: Tensor, graph: WorkGraph) -> tuple[Tensor, Tensor]:
        """New features of nodes (nodes, width) and edges (edges, width)."""
        ends = self.centre(v)[graph.centre] + self.source(v)[graph.source]
        z = F.silu(ends + self.edge(e))
        gate, core = self.message(z).chunk(2, dim=1)
        message = torch.sigmoid(gate) * core * self.passed(v)[graph.source]
        if graph.weight is not None:
            message = message * graph.weight[:, None]
        total = summed(message, graph.centre, len(v)) / self.neighbours
        return v + self.update(self.own(v) + self.norm(total)), e + z


class SampleUpdate(nn.Module):
    """Atoms learn from the state of their crystal and from the mean over all its atoms.

    Source: Chen et al., Chem. Mater. 31, 3564 (2019), Eqs. 3 and 4; differs in: the state reaches
    the atoms alone, and is given anew in every round.

    Args:
        width: features an atom.
        state: numbers a crystal.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width + state, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, v: Tensor, state: Tensor, graph: WorkGraph) -> Tensor:
        """(nodes, width) new features of the nodes, from v and the (B, numbers) state."""
        whole = self.layers(torch.cat([graph.mean(v, len(state)), state], dim=1))
        told: Tensor = v + whole[graph.sample]
        return told
