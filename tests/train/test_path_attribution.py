"""Integrated gradients against integrals done by hand, and against captum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from gnnmat.train.path_attribution import FIRST, integrated_gradients


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_linear_function_gives_each_entry_its_own_term() -> None:
    found = integrated_gradients(lambda x: (vector(2.0, -3.0) * x).sum() + 7.0, vector(1.0, 2.0))
    assert found.contributions.tolist() == pytest.approx([2.0, -6.0], abs=1e-14)
    assert (found.start, found.end) == (7.0, 3.0)
    assert found.steps == FIRST


def test_a_product_is_shared_as_its_integral_says() -> None:
    # x^2 y from 0: the integrals of 2 a x * a y * x and a^2 x^2 * y over a are 2/3 and 1/3.
    found = integrated_gradients(lambda x: x[0] ** 2 * x[1], vector(3.0, 2.0))
    assert found.contributions.tolist() == pytest.approx([12.0, 6.0], rel=1e-12)


def test_the_path_begins_where_it_is_told_to() -> None:
    found = integrated_gradients(lambda x: x[0] * x[1], vector(2.0, 3.0), vector(1.0, 1.0))
    # The mean of y on the path is 2, that of x is 1.5.
    assert found.contributions.tolist() == pytest.approx([2.0, 3.0], rel=1e-12)
    assert found.start == 1.0


def test_steps_are_doubled_until_the_contributions_add_up() -> None:
    sharp = integrated_gradients(lambda x: torch.tanh(20 * (x - 0.5)).sum(), vector(1.0))
    assert sharp.steps > FIRST
    assert abs(sharp.error) < 1e-7


def test_a_jump_is_reported_as_an_error() -> None:
    found = integrated_gradients(lambda x: (x > 0.3).double().sum() + 0 * x.sum(), vector(1.0))
    assert found.error == pytest.approx(-1.0)
    assert found.steps == 256


def test_a_function_that_ignores_its_input_is_not_connected() -> None:
    constant = integrated_gradients(lambda x: vector(1.0).sum(), vector(1.0, 2.0))
    other = vector(1.0).requires_grad_(True)
    elsewhere = integrated_gradients(lambda x: other.sum(), vector(1.0, 2.0))
    for found in (constant, elsewhere):
        assert not found.connected
        assert found.contributions.tolist() == [0.0, 0.0]


def test_captum_finds_the_same() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 16), torch.nn.Softplus(), torch.nn.Linear(16, 1)
    ).double()
    point, start = torch.randn(2, 5, dtype=torch.float64)
    found = integrated_gradients(lambda x: network(x[None])[0, 0], point, start)
    # captum weighs its points in float32.
    captum = IntegratedGradients(lambda x: network(x)[:, 0])
    expected = captum.attribute(point[None], start[None], n_steps=64, method="gausslegendre")
    np.testing.assert_allclose(found.contributions, expected[0].detach(), rtol=1e-7)
