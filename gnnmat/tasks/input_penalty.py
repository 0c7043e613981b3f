"""How far the outputs are from following the inputs, as a part of a loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gnnmat.sample import FIELDS, Batch


def slope_penalty(total: Tensor, inputs: Tensor, batch: Batch, sides: Literal[1, 2] = 2) -> Tensor:
    """(samples,) (|g|^2 - 1)^2 with g the gradient of the output by all inputs of a sample.

    The norm is the Euclidean one over everything a sample consists of, whether 10 edge lengths
    or 96,000 pixels, as in the source; the unit of slope is that of the scaled inputs.

    Args:
        total: scalar, the output summed over all rows.
        inputs: the field of the batch that it is derived by; requires gradients.
        batch: holds the inputs.
        sides: 1 leaves slopes below one alone.

    Source: van Amersfoort et al., arXiv 2003.02037, eq. 7; sides 1 is the one of section 2.2.
    """
    (slope,) = torch.autograd.grad(total, inputs, create_graph=True)
    square = slope.float().square().flatten(1).sum(dim=1) if slope.dim() > 1 else slope.square()
    owner = sample_of_rows(inputs, batch)
    if owner is not None:
        square = square.new_zeros(batch.num_graphs).index_add(0, owner, square)
    away = square - 1
    return away.clamp(min=0).square() if sides == 1 else away.square()


def sample_of_rows(inputs: Tensor, batch: Batch) -> Tensor | None:
    """(rows,) the sample each row of a field belongs to; None where a row is a sample."""
    level = next(field.level for name, field in FIELDS.items() if batch.get(name, None) is inputs)
    if level == "sample":
        return None
    owner: Tensor = batch.batch[batch.edge_index[1]] if level == "edge" else batch.batch
    return owner
