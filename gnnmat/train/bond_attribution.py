"""What each bond adds to an answer: all edges are faded in together, from none to whole."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.sample import Batch
from gnnmat.train.answer_attribution import Answer
from gnnmat.train.checkpoint import Trained
from gnnmat.train.path_attribution import PathIntegral, integrated_gradients

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Bonds:
    """Undirected bonds of one crystal.

    Args:
        first: (bonds,) an atom in the cell.
        second: (bonds,) the other atom, not before the first.
        offset: (bonds, 3) cell of the other atom.
        length: (bonds,) Å.
        edges: (edges,) which bond each directed edge belongs to.
    """

    first: Ints
    second: Ints
    offset: Ints
    length: NDArray[np.float64]
    edges: Ints

    def __len__(self) -> int:
        return len(self.first)

    def sum(self, values: Tensor) -> NDArray[np.float64]:
        """(bonds,) values of the directed edges, those of both directions added."""
        summed: NDArray[np.float64] = np.zeros(len(self))
        np.add.at(summed, self.edges, values.double().numpy())
        return summed


def bonds_of(batch: Batch) -> Bonds:
    """The bonds of a batch of one crystal; an edge there and one back are one bond.

    Nearest neighbours need not be mutual: a bond may have one directed edge alone.
    """
    source, centre = (row.numpy() for row in batch.edge_index)
    offset = np.rint(batch.edge_offset.numpy()).astype(np.int64)
    # Written from the atom that comes first; an atom and its own image, in the upper half space.
    leading = offset[np.arange(len(offset)), (offset != 0).argmax(axis=1)] if len(offset) else []
    turned = (source < centre) | ((source == centre) & (np.asarray(leading) < 0))
    first, second = np.where(turned, source, centre), np.where(turned, centre, source)
    offset = np.where(turned[:, None], -offset, offset)
    key = np.column_stack([first, second, offset]).astype(np.int64)
    unique, place, edges = np.unique(key, axis=0, return_index=True, return_inverse=True)
    length = batch.edge_length.double().numpy()[place]
    return Bonds(unique[:, 0], unique[:, 1], unique[:, 2:], length, edges.reshape(-1))


def edge_map(trained: Trained, batch: Batch, answer: Answer) -> PathIntegral:
    """Integrated gradients over the weights of all edges, from 0 to 1.

    The contributions (edges,) sum to the answer with all edges minus the answer with none. Not
    ``connected``: the encoder does not know `edge_weight`.

    Args:
        trained: in float64, for sums that are exact.
        batch: of one crystal, in float64, with one edge a bond and direction.
        answer: to explain.
    """

    def weighted(weight: Tensor) -> Tensor:
        faded = copy(batch)
        faded.edge_weight = weight
        return answer.of(trained.task, trained.encoder(faded), faded)

    return integrated_gradients(weighted, torch.ones_like(batch.edge_length))
