"""Bonds as vectors: their length, and what of it lies between the surfaces of their atoms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnnmat.models.elements import covalent_radii
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.models.folded import WorkGraph

INNERMOST = -2.0  # Å, the most that two atoms may overlap before Gaussians see no difference


class LookUp(nn.Module):
    """(nodes,) radii of the elements of nodes; a module so that others can take its place."""

    def forward(self, radius: Tensor, z: Tensor) -> Tensor:
        return radius[z]


class BondEmbedding(nn.Module):
    r"""(edges, width) features from Gaussians on :math:`d_{ij}` and on
    :math:`d_{ij} - r_i - r_j`.

    One length means a strong bond between large atoms and none between small ones. The radii r
    begin as covalent radii and are learned; an element that training lacks keeps its own.

    Args:
        width: features an edge.
        gaussians: number of each.
        cutoff: centre of the last, Å; that of the second kind ends where it does, and both have
            the same spacing.
        gaussian_width: Å.
        radii: with the second kind.
    """

    def __init__(
        self, width: int, gaussians: int, cutoff: float, gaussian_width: float, radii: bool
    ) -> None:
        super().__init__()
        self.expansion = GaussianExpansion(gaussians, cutoff, gaussian_width)
        self.between, self.radius = None, None
        if radii:
            self.between = GaussianExpansion(
                gaussians, cutoff + INNERMOST, gaussian_width, start=INNERMOST
            )
            # Of one dimension, so that weight decay leaves them alone.
            self.radius = nn.Parameter(torch.tensor(covalent_radii(), dtype=torch.float32))
            self.look_up = LookUp()
        told = gaussians * (2 if radii else 1)
        self.layers = nn.Sequential(nn.Linear(told, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, length: Tensor, graph: WorkGraph) -> Tensor:
        """Of the edges of the graph, whose ``length`` is (edges,) in Å."""
        told = self.expansion(length)
        if self.radius is not None and self.between is not None:
            radius = self.look_up(self.radius, graph.z)
            gap = length - radius[graph.centre] - radius[graph.source]
            told = torch.cat([told, self.between(gap)], dim=1)
        features: Tensor = self.layers(told)
        return features
