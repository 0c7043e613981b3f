"""Crystal -> graph: atoms are nodes, neighbour pairs are edges, periodic images included."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.inputs.angles import angle_moments
from gnnmat.inputs.folding import fold
from gnnmat.inputs.neighbours import nearest_shells, neighbours_within
from gnnmat.sources.crystal import Crystal


class CrystalGraph(BaseModel):
    r"""Periodic multigraph of a crystal.

    Edges are directed and include periodic images, so a small cell may join an atom to itself
    and two atoms more than once. Distances are stored; the Gaussian expansion happens on the
    device, in the first layer of a model. Atoms without a neighbour stay in the graph.

    Source: Xie & Grossman, PRL 120, 145301 (2018), section "crystal graph"; differs in: whole
    shells instead of exactly 12 neighbours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["crystal_graph"] = "crystal_graph"
    cutoff: float = Field(8.0, gt=0, le=20, description="Largest bond length, Å.")
    neighbours: int | None = Field(
        12,
        gt=0,
        description="Nearest neighbours an atom, completed to whole shells; null keeps all "
        "within the cutoff.",
    )
    shell_tolerance: float = Field(
        5e-3, ge=0, description="Distances closer than this belong to one shell, Å."
    )
    fold: bool = Field(
        False,
        description="Keep one of all atoms, and one of all bonds, that distances alone cannot "
        "tell apart: the same predictions in a fraction of the time. The model must allow it.",
    )
    fold_tolerance: float = Field(
        2e-3, ge=0, description="Lengths closer than this count as equal when folding, Å."
    )

    angles: int = Field(
        0,
        ge=0,
        le=8,
        description="Moments of the angles between bonds up to this l, for models that read "
        "them; 0 leaves them out.",
    )

    @classmethod
    def example(cls) -> CrystalGraph:
        """A small instance for contract tests."""
        return cls(cutoff=5.0, neighbours=8)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the samples it makes."""
        common = ("z", "pos", "lattice", "edge_index", "edge_length")
        own = ("orbit_index", "edge_count") if self.fold else ("edge_offset",)
        return (*common, *own, *(("edge_angle",) if self.angles else ()))

    def sample(self, raw: Crystal) -> dict[str, NDArray[np.generic]]:
        """The fields of one sample as arrays, float64.

        Args:
            raw: ordered crystal, already checked by its source.

        Returns:
            ``z`` (atoms,), ``pos`` (atoms, 3) in Å, ``lattice`` (1, 3, 3) in Å, ``edge_index``
            (2, edges), ``edge_length`` (edges,) in Å, ``edge_offset`` (edges, 3); folded, in place
            of the offsets, ``orbit_index`` (atoms,) and ``edge_count`` (edges,).
        """
        if not isinstance(raw, Crystal):
            raise GnnmatError(
                f"The input 'crystal_graph' was given a {type(raw).__name__}, not a crystal.",
                fix="Choose the input for these data: input.kind=image",
            )
        if self.neighbours is None:
            pairs = neighbours_within(raw, self.cutoff)
        else:
            pairs = nearest_shells(raw, self.cutoff, self.neighbours, self.shell_tolerance)
        out: dict[str, NDArray[np.generic]] = {
            "z": raw.numbers,
            "pos": raw.positions,
            "lattice": raw.lattice[None],
        }
        folded = fold(raw.numbers, pairs, self.fold_tolerance) if self.fold or self.angles else None
        if folded is not None and self.angles:
            # Means over bonds that are alike, folded or not, so that both are one graph.
            moments = folded.averaged(angle_moments(raw, pairs, self.angles))
            out["edge_angle"] = moments[folded.place] if self.fold else moments
        if folded is not None and self.fold:
            return out | {
                "edge_index": np.stack([folded.source, folded.centre]),
                "edge_length": folded.length,
                "orbit_index": folded.orbit,
                "edge_count": folded.count.astype(np.float64),
            }
        return out | {
            "edge_index": np.stack([pairs.source, pairs.centre]),
            "edge_length": pairs.length,
            "edge_offset": pairs.offset.astype(np.float64),
        }
