"""Gaussians of bond lengths, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from gnnmat.models.expansion import GaussianExpansion


def test_defaults_are_41_gaussians_every_fifth_of_an_angstrom() -> None:
    centres = GaussianExpansion().centres
    torch.testing.assert_close(centres, torch.arange(41) / 5)


def test_values_are_those_by_hand() -> None:
    # d = 0.3 Å; centres 0, 0.2, 0.4 Å; w = 0.2 Å: (0.3/0.2)^2 = 2.25, (0.1/0.2)^2 = 0.25.
    values = GaussianExpansion(3, cutoff=0.4, width=0.2)(torch.tensor([0.3, 0.2]))
    near, middle, far = math.exp(-0.25), math.exp(-1.0), math.exp(-2.25)
    expected = torch.tensor([[far, near, near], [middle, 1.0, middle]])
    torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("edges", [0, 1, 7])
def test_shape_is_edges_by_centres(edges: int) -> None:
    assert GaussianExpansion(9, 5.0, 0.6)(torch.rand(edges)).shape == (edges, 9)


def test_a_bond_far_beyond_the_last_centre_is_all_zero_and_finite() -> None:
    values = GaussianExpansion()(torch.tensor([1e4]))
    assert torch.equal(values, torch.zeros(1, 41))
