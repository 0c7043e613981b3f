"""An edge-gated crystal network: atoms and bonds learn together, equivalent ones only once."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.models.bond_embedding import BondEmbedding
from gnnmat.models.elements import AtomFeatures, ElementEmbedding
from gnnmat.models.encoder import Encoder, mean_over_samples
from gnnmat.models.expansion import smooth_cutoff
from gnnmat.models.folded import FOLDED, work_graph
from gnnmat.models.gated_layer import GatedLayer, SampleUpdate
from gnnmat.models.readout import AttentionPool
from gnnmat.sample import Batch, DataSpec


class Gated(BaseModel):
    """Edge-gated messages, with bonds that learn; for folded graphs, angles and states.

    Give it input.fold=true: the same predictions in a fraction of the time. It reads the moments
    of angles where the input has them (input.angles), and the state of a crystal where the data
    have one (data.state).

    Source: gates as in Xie & Grossman, PRL 120, 145301 (2018), Eq. 5; edges that learn as in
    Chen et al., Chem. Mater. 31, 3564 (2019), and Choudhary & DeCost, npj Comput. Mater. 7, 185
    (2021); differs in: folded graphs, angle moments in place of a line graph, a deep network on
    atoms, attention over atoms.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["gated"] = "gated"
    width: int = Field(128, gt=0, description="Features an atom and an edge.")
    layers: int = Field(3, ge=1, description="Rounds of messages.")
    pool: Literal["attention", "mean"] = Field(
        "attention",
        description="From atoms to the crystal: learned weights, or the mean, with which and "
        "task.head.hidden=[] contributions of atoms add up exactly.",
    )
    atoms: AtomFeatures = Field(
        "both", description="What is known of an element: 'learned', 'properties' or 'both'."
    )
    gaussians: int = Field(48, gt=1, description="Gaussians on 0 .. gaussian_cutoff.")
    gaussian_cutoff: float = Field(8.0, gt=0, description="Centre of the last Gaussian, Å.")
    gaussian_width: float = Field(0.25, gt=0, description="Width of a Gaussian, Å.")
    radii: bool = Field(
        True,
        description="Bonds are also measured from the surfaces of their atoms, whose radii are "
        "learned and begin as covalent radii.",
    )
    crystal: Literal["state", "always"] = Field(
        "state",
        description="Whether atoms learn from the mean over their crystal before each round: "
        "where the data have a state, or always.",
    )
    envelope: bool = Field(
        False,
        description="Messages fade to nothing at gaussian_cutoff. With input.neighbours=null and "
        "the same input.cutoff no prediction jumps when an atom crosses it.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of new features dropped.")

    @classmethod
    def example(cls) -> Gated:
        """A small instance for contract tests."""
        return cls(width=8, layers=2, gaussians=9, gaussian_cutoff=5.0, gaussian_width=0.6)

    def build(self, spec: DataSpec) -> GatedEncoder:
        """The network for these data."""
        return GatedEncoder(self, spec)


class GatedEncoder(Encoder):
    """Embedding, rounds of gated messages, weighted means over the atoms of a crystal."""

    def __init__(self, config: Gated, spec: DataSpec) -> None:
        super().__init__()
        width = config.width
        self.width = width
        optional = (*FOLDED, "edge_angle", "state")
        present = tuple(name for name in optional if name in spec.fields)
        self.reads = ("z", "edge_index", "edge_length", *present)
        self.embedding = ElementEmbedding(width, config.atoms, spec.elements)
        gaussians = (config.gaussians, config.gaussian_cutoff, config.gaussian_width)
        self.bond = BondEmbedding(width, *gaussians, config.radii)
        self.angle = nn.Linear(spec.moments, width, bias=False) if spec.moments else None
        neighbours = max(spec.neighbours, 1.0)
        self.layers = nn.ModuleList(
            GatedLayer(width, neighbours, config.dropout) for _ in range(config.layers)
        )
        self.state = spec.state
        updated = "state" in present or config.crystal == "always"
        self.updates = nn.ModuleList(
            SampleUpdate(width, spec.state.width) for _ in self.layers if updated
        )
        self.reach = config.gaussian_cutoff if config.envelope else None
        # Where atoms alone carry labels, nothing would train it.
        pooled = not spec.targets.at("atom") or bool(spec.targets.at("sample"))
        attends = config.pool == "attention" and pooled
        self.readout = AttentionPool(width) if attends else None

    def local(self, batch: Batch) -> Tensor:
        # That of the weights: under mixed precision products are rounded, lengths are not.
        kind = self.bond.expansion.centres.dtype
        graph, length = work_graph(batch, kind), batch.edge_length.to(kind)
        if self.reach is not None:
            graph = graph.faded(smooth_cutoff(length, self.reach))
        v = self.embedding(graph.z)
        e = self.bond(length, graph)
        if self.angle is not None:
            e = e + self.angle(batch.edge_angle.to(kind))
        state = self._state(batch, kind)
        for place, layer in enumerate(self.layers):
            if self.updates:
                v = self.updates[place](v, state, graph)
            v, e = layer(v, e, graph)
        return graph.spread(v)

    def _state(self, batch: Batch, kind: torch.dtype) -> Tensor:
        """(B, numbers) what is told of the state; of no width without one."""
        if "state" in self.reads:
            return self.state.encode(batch.state.to(kind))
        return torch.zeros(batch.num_graphs, 0, dtype=kind, device=batch.z.device)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        if self.readout is None:
            return mean_over_samples(local, batch)
        pooled: Tensor = self.readout(local, batch)
        return pooled

    def inputs(self, batch: Batch) -> Tensor:
        length: Tensor = batch.edge_length
        return length
