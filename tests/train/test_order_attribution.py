"""Contributions of bonds over random orders, where the path of weights is no guide."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnmat.models import Cgcnn
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch
from gnnmat.sources.crystal import Crystal
from gnnmat.train.answer_attribution import answer_of
from gnnmat.train.bond_attribution import bonds_of, edge_map
from gnnmat.train.checkpoint import Trained
from gnnmat.train.crystal_attribution import (
    attribute_crystal,
    batch_in_float64,
    in_float64,
)
from gnnmat.train.order_attribution import bonds_by_orders

from .planted_crystals import (
    DEEP,
    LI,
    F,
    mixed,
    network,
    one,
    pairs,
)

ROCK_SALT = Crystal(
    np.array([[0, 2.0, 2.0], [2.0, 0, 2.0], [2.0, 2.0, 0]]),
    np.array([LI, F]),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
)


class Divided(Encoder):
    """Messages divided by the sum of their weights: one bond left counts as much as all."""

    reads: tuple[str, ...] = ("z", "edge_index", "edge_length")

    def __init__(self) -> None:
        super().__init__()
        self.width = 16
        self.embedding = torch.nn.Embedding(119, 16)
        self.message = torch.nn.Linear(17, 16)

    def local(self, batch: Batch) -> Tensor:
        (source, centre), v = batch.edge_index, self.embedding(batch.z)
        weight = batch.edge_weight if "edge_weight" in batch else torch.ones_like(v[source, 0])
        length = batch.edge_length.to(v.dtype)
        message = self.message(torch.cat([v[source], length[:, None]], dim=1)).tanh()
        total = torch.zeros_like(v).index_add(0, centre, message * weight[:, None])
        whole = torch.full_like(v[:, :1], 1e-6).index_add(0, centre, weight[:, None])
        return v + total / whole

    def inputs(self, batch: Batch) -> Tensor:
        length: Tensor = batch.edge_length
        return length


def divided() -> Trained:
    torch.manual_seed(0)
    return replace(network(DEEP), encoder=Divided().eval())


def test_random_orders_agree_with_the_path_where_bonds_do_not_interact() -> None:
    # One bare layer and a linear head: the answer is a sum over bonds.
    bare = Cgcnn(width=8, layers=1, gaussians=9, form="paper")
    trained, batch = in_float64(network(model=bare)), batch_in_float64(one(mixed(1, 5)[0][0]))
    answer, bonds = answer_of(trained.task), bonds_of(batch)
    expected = bonds.sum(edge_map(trained, batch, answer).contributions)
    found = bonds_by_orders(trained, batch, answer, bonds)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_random_orders_add_up_and_give_equal_bonds_equal_shares() -> None:
    found = attribute_crystal([divided()], one(ROCK_SALT))
    assert found.by_orders
    assert found.bonded is not None
    assert found.bonded.relative_error < 1e-9
    short = found.bonds.length < 2.1
    assert np.ptp(found.bonded.mean[short]) == 0


def test_random_orders_are_shapley_values_of_two_bonds() -> None:
    crystal = next(c for c, _ in pairs(40, 21) if len(bonds_of(one(c))) == 2)
    trained = in_float64(divided())
    batch = batch_in_float64(one(crystal))
    bonds, answer = bonds_of(batch), answer_of(trained.task)

    def value(*there: int) -> float:
        faded = copy(batch)
        faded.edge_weight = torch.from_numpy(np.isin(bonds.edges, there)).double()
        with torch.no_grad():
            return float(answer.of(trained.task, trained.encoder(faded), faded))

    none, first, second, both = value(), value(0), value(1), value(0, 1)
    expected = [(first - none + both - second) / 2, (second - none + both - first) / 2]
    found = bonds_by_orders(trained, batch, answer, bonds)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
