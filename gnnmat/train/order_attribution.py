"""What each bond adds, by adding bonds one after another in random orders.

For networks that divide messages by their sum: such an answer jumps where the first bonds fade
in, so that no smooth path shares it out. Orders need no path, and always add up.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.sample import Batch, collate
from gnnmat.train.answer_attribution import Answer
from gnnmat.train.bond_attribution import Bonds
from gnnmat.train.checkpoint import Trained

ORDERS = 32  # random ones, every second the reverse of the one before
POINTS = 48  # groups at most that an order is cut into; bonds of a group share its change
AT_ONCE = 20_000  # edges that go through the network together

Floats = NDArray[np.float64]


def bonds_by_orders(
    trained: Trained,
    batch: Batch,
    answer: Answer,
    bonds: Bonds,
    alike: NDArray[np.int64] | None = None,
    *,
    orders: int = ORDERS,
    seed: int = 0,
) -> Floats:
    """(bonds,) mean change of the answer when a bond is added to those before it: Shapley values.

    They sum to the answer with all bonds minus that with none, exactly.

    Args:
        trained: in float64.
        batch: of one crystal, in float64, with one edge a bond and direction.
        answer: to explain.
        bonds: of the batch.
        alike: (bonds,) number of the kind of each bond; those of a kind, which the network cannot
            tell apart, get their mean. None: every bond is of its own kind.
        orders: random ones to average over.
        seed: of the orders.

    Source: Castro et al., Comput. Oper. Res. 36, 1726 (2009); reversed orders as in Mitchell et
    al., JMLR 23, 43 (2022).
    """
    draw = np.random.default_rng(seed)
    total = np.zeros(len(bonds))
    order = np.arange(len(bonds))
    for number in range(orders):
        order = draw.permutation(len(bonds)) if number % 2 == 0 else order[::-1]
        groups = np.array_split(order, min(POINTS, len(bonds)))
        there = np.zeros((len(groups) + 1, len(bonds)), dtype=bool)
        for place, group in enumerate(groups):
            there[place + 1] = there[place]
            there[place + 1, group] = True
        change = np.diff(_answers(trained, batch, answer, there[:, bonds.edges]))
        for group, step in zip(groups, change, strict=True):
            total[group] += step / len(group) / orders
    if alike is None:
        return total
    mean: Floats = (np.bincount(alike, total) / np.bincount(alike))[alike]
    return mean


def alike_bonds(bonds: Bonds, values: Floats) -> NDArray[np.int64]:
    """(bonds,) kinds of bonds that are equal in length and in a contribution on a smooth path.

    Args:
        bonds: of a crystal.
        values: (bonds,) contributions by gradients, equal where the network sees no difference.
    """
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    key = np.column_stack([bonds.length.round(3), (values / size).round(6)])
    kinds: NDArray[np.int64] = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)
    return kinds


def _answers(trained: Trained, batch: Batch, answer: Answer, there: NDArray[np.bool_]) -> Floats:
    """(n,) the answer with each choice (n, edges) of edges."""
    sample = batch.to_data_list()[0]
    count = max(AT_ONCE // max(there.shape[1], 1), 1)
    found = []
    for part in torch.from_numpy(there).split(count):
        copies = collate([sample] * len(part))
        copies.edge_weight = part.to(batch.edge_length.dtype).reshape(-1)
        with torch.no_grad():
            values: Tensor = answer.values(trained.task, trained.encoder(copies), copies)
        found.append(values.view(len(part), -1)[:, answer.atom or 0])
    joined: Floats = torch.cat(found).numpy()
    return joined
