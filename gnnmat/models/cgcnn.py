"""The crystal graph convolutional network, as published and as its authors run it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from gnnmat.models.elements import AtomFeatures, ElementEmbedding
from gnnmat.models.encoder import Encoder
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.models.gated_sum import gated_sum
from gnnmat.sample import Batch, DataSpec


class Cgcnn(BaseModel):
    """CGCNN: gated sums over neighbours, mean over atoms.

    Source: Xie & Grossman, PRL 120, 145301 (2018), Eq. 5, and the authors' code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cgcnn"] = "cgcnn"
    width: int = Field(64, gt=0, description="Features an atom.")
    layers: int = Field(3, ge=0, description="Graph convolutions.")
    form: Literal["code", "paper"] = Field(
        "code",
        description="'code': batch normalisation of gate and sum and an outer softplus, as the "
        "authors' program does, whose accuracies are the published ones; 'paper': the bare Eq. 5.",
    )
    atoms: AtomFeatures = Field(
        "both", description="What is known of an element: 'learned', 'properties' or 'both'."
    )
    gaussians: int = Field(41, gt=1, description="Gaussians on 0 .. gaussian_cutoff.")
    gaussian_cutoff: float = Field(8.0, gt=0, description="Centre of the last Gaussian, Å.")
    gaussian_width: float = Field(0.2, gt=0, description="Width of a Gaussian, Å.")

    @classmethod
    def example(cls) -> Cgcnn:
        """A small instance for contract tests."""
        return cls(width=8, layers=2, gaussians=9, gaussian_cutoff=5.0, gaussian_width=0.6)

    def build(self, spec: DataSpec) -> CgcnnEncoder:
        """The network for these data."""
        return CgcnnEncoder(
            width=self.width,
            layers=self.layers,
            bare=self.form == "paper",
            embedding=ElementEmbedding(self.width, self.atoms, spec.elements),
            expansion=GaussianExpansion(self.gaussians, self.gaussian_cutoff, self.gaussian_width),
        )


class CgcnnLayer(nn.Module):
    r"""One convolution: :math:`v_i \leftarrow v_i + \sum_j \sigma(z^g_{ij}) \,
    \mathrm{softplus}(z^c_{ij})` with :math:`z_{ij} = W [v_i, v_j, u_{ij}] + b`.

    The product with the concatenation is computed as three products, two of them an atom and
    one an edge. Unless ``bare``, z and the sum are batch-normalised and a softplus closes the
    layer.

    Args:
        width: features an atom.
        centres: features an edge.
        bare: leave out normalisation and the outer softplus.
    """

    def __init__(self, width: int, centres: int, *, bare: bool = False) -> None:
        super().__init__()
        # Drawn as one linear layer on [v_i, v_j, u_ij] would be, then cut in three.
        whole = nn.Linear(2 * width + centres, 2 * width)
        parts = whole.weight.detach().split([width, width, centres], dim=1)
        self.centre = nn.Parameter(parts[0].clone())
        self.source = nn.Parameter(parts[1].clone())
        self.edge = nn.Parameter(parts[2].clone())
        self.bias = nn.Parameter(whole.bias.detach().clone())
        self.edge_norm = None if bare else nn.BatchNorm1d(2 * width)
        self.sum_norm = None if bare else nn.BatchNorm1d(width)

    def forward(
        self, v: Tensor, edge_index: Tensor, u: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        total = gated_sum(
            F.linear(v, self.centre, self.bias),
            F.linear(v, self.source),
            u,
            self.edge,
            edge_index,
            self.edge_norm,
            edge_weight,
        )
        if self.sum_norm is None:
            return v + total
        return F.softplus(v + self.sum_norm(total))


class CgcnnEncoder(Encoder):
    """Embedding, convolutions, mean over the atoms of a crystal."""

    reads: tuple[str, ...] = ("z", "edge_index", "edge_length")

    def __init__(
        self,
        width: int,
        layers: int,
        *,
        bare: bool,
        embedding: ElementEmbedding,
        expansion: GaussianExpansion,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = embedding
        self.expansion = expansion
        centres = len(expansion.centres)
        self.layers = nn.ModuleList(CgcnnLayer(width, centres, bare=bare) for _ in range(layers))

    def local(self, batch: Batch) -> Tensor:
        v = self.embedding(batch.z)
        u = self.expansion(batch.edge_length.to(v.dtype))
        weight = batch.edge_weight if "edge_weight" in batch else None
        for layer in self.layers:
            v = layer(v, batch.edge_index, u, weight)
        return v

    def inputs(self, batch: Batch) -> Tensor:
        length: Tensor = batch.edge_length
        return length
