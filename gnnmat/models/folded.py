"""The atoms and edges that a network works on: all of them, or of equivalent ones one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gnnmat.sample import Batch

FOLDED = ("orbit_index", "edge_count")
"""Fields of folded graphs."""


@dataclass(frozen=True)
class WorkGraph:
    """What is computed in place of a batch, whose atoms then get the results back.

    Args:
        z: (nodes,) atomic numbers.
        source: (edges,) neighbour, a node.
        centre: (edges,) likewise.
        weight: (edges,) how often each message counts; None means once.
        sample: (nodes,) sample of each node.
        atoms: (nodes,) atoms that each node stands for; None means one.
        node: (atoms,) node of each atom; None where nodes are the atoms.
    """

    z: Tensor
    source: Tensor
    centre: Tensor
    weight: Tensor | None
    sample: Tensor
    atoms: Tensor | None = None
    node: Tensor | None = None

    def faded(self, factor: Tensor) -> WorkGraph:
        """The same with every message (edges,) times its factor."""
        return replace(self, weight=factor if self.weight is None else self.weight * factor)

    def spread(self, v: Tensor) -> Tensor:
        """(atoms, width) features of every atom, from those of the nodes."""
        return v if self.node is None else v[self.node]

    def mean(self, v: Tensor, samples: int) -> Tensor:
        """(samples, width) mean over the atoms of each sample, from the features of the nodes."""
        share = v.new_ones(len(v)) if self.atoms is None else self.atoms.to(v.dtype)
        total = summed(v * share[:, None], self.sample, samples)
        count = share.new_zeros(samples).index_add(0, self.sample, share)
        return total / count.clamp(min=1)[:, None]


def summed(values: Tensor, index: Tensor, size: int) -> Tensor:
    """(size, width) sums of the (rows, width) values of each index, in 32 bits at least.

    Under mixed precision the values may have fewer.
    """
    kind = torch.promote_types(values.dtype, torch.float32)
    total = values.new_zeros(size, values.shape[1], dtype=kind)
    return total.index_add(0, index, values.to(kind))


def work_graph(batch: Batch, dtype: torch.dtype) -> WorkGraph:
    """The nodes and edges to compute, folded or not; weights in ``dtype``.

    An ``edge_weight`` in the batch multiplies the messages.
    """
    weight = batch.edge_weight.to(dtype) if "edge_weight" in batch else None
    source, centre = batch.edge_index[0], batch.edge_index[1]
    if "orbit_index" not in batch:
        return WorkGraph(batch.z, source, centre, weight, batch.batch)
    standing = torch.arange(len(batch.z), device=batch.z.device) == batch.orbit_index
    place = standing.cumsum(0) - 1
    node = place[batch.orbit_index]
    count = batch.edge_count.to(dtype)
    return WorkGraph(
        z=batch.z[standing],
        source=place[source],
        centre=place[centre],
        weight=count if weight is None else count * weight,
        sample=batch.batch[standing],
        atoms=torch.bincount(node, minlength=int(standing.sum())),
        node=node,
    )
