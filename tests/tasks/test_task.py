"""Sums that several processes can add, and the choice of targets."""

from __future__ import annotations

import math

import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.tasks import Loss
from gnnmat.tasks.head import Head
from gnnmat.tasks.task import Mean, choose_targets, masked_sum


def test_mean_loss_is_total_over_count_and_zero_without_labels() -> None:
    assert Loss(torch.tensor(6.0), torch.tensor(4)).mean() == 1.5
    assert Loss(torch.tensor(0.0), torch.tensor(0)).mean() == 0


def test_mean_of_unequal_batches_is_the_mean_over_all() -> None:
    mean = Mean()
    mean.update(torch.tensor(10.0), torch.tensor(4))
    mean.update(torch.tensor(2.0), torch.tensor(2))
    assert float(mean.compute()) == 2.0


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric Mean:UserWarning")
def test_mean_over_nothing_is_nan() -> None:
    assert math.isnan(float(Mean().compute()))


def test_masked_sum_counts_each_member_of_an_ensemble() -> None:
    values = torch.tensor([[1.0, float("nan"), 3.0], [5.0, 7.0, 9.0]])
    total, count = masked_sum(values, torch.tensor([True, False, True]))
    assert (float(total), int(count)) == (18.0, 4)


def test_targets_of_one_level_are_chosen() -> None:
    targets = Target("gap"), Target("moment", level="atom")
    assert choose_targets(targets, "atom") == (targets[1],)
    with pytest.raises(GnnmatError, match="values an atom"):
        choose_targets(targets, None)


@pytest.mark.parametrize(
    ("hidden", "sizes"),
    [((), [(5, 2)]), ((8,), [(5, 8), (8, 2)]), ((8, 3), [(5, 8), (8, 3), (3, 2)])],
)
def test_head_has_a_layer_for_each_width(
    hidden: tuple[int, ...], sizes: list[tuple[int, int]]
) -> None:
    head = Head(hidden=hidden).build(5, 2)
    linear = [layer for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == sizes
    assert head(torch.zeros(7, 5)).shape == (7, 2)


def test_head_without_hidden_layers_is_linear() -> None:
    head = Head(hidden=()).build(5, 2)
    x, y = torch.randn(2, 3, 5)
    both = head(x + y) - head(torch.zeros(3, 5))
    apart = head(x) + head(y) - 2 * head(torch.zeros(3, 5))
    torch.testing.assert_close(both, apart)


def test_head_is_softplus_linear_softplus_linear() -> None:
    head = Head(hidden=(8,)).build(5, 2)
    first, last = (layer for layer in head.layers if isinstance(layer, torch.nn.Linear))
    x = torch.randn(3, 5)
    softplus = torch.nn.functional.softplus
    torch.testing.assert_close(head(x), last(softplus(first(softplus(x)))))
