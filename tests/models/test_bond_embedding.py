"""Bonds between the surfaces of their atoms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.data import atomic_numbers
from ase.data import covalent_radii as of_ase
from torch import Tensor

from gnnmat.models.bond_embedding import BondEmbedding
from gnnmat.models.elements import covalent_radii
from gnnmat.models.folded import WorkGraph

GAUSSIANS = (21, 8.0, 0.25)


def pair(*symbols: str) -> WorkGraph:
    """Two atoms, and the bond from the second to the first."""
    z = torch.tensor([atomic_numbers[one] for one in symbols])
    source, centre, sample = torch.tensor([1]), torch.tensor([0]), torch.tensor([0, 0])
    return WorkGraph(z, source, centre, None, sample)


def embedding(radii: bool = True) -> BondEmbedding:
    torch.manual_seed(0)
    return BondEmbedding(6, *GAUSSIANS, radii).double()


def told(made: BondEmbedding, length: float, *symbols: str) -> Tensor:
    """What the network on a bond is given."""
    seen: list[Tensor] = []
    made.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0][0].detach()))
    made(torch.tensor([length], dtype=torch.float64), pair(*symbols))
    return seen[-1]


def test_radii_are_those_of_cordero() -> None:
    """Cordero ends with curium."""
    ours = covalent_radii()
    assert ours[1:97] == pytest.approx(np.asarray(of_ase)[1:97], abs=1e-6)
    assert bool(np.isfinite(ours).all())


def test_a_bond_is_measured_between_surfaces() -> None:
    """Rock salt: 2.82 - 1.66 - 1.02 Å, by hand; Gaussians from -2 to 6 Å, 0.4 Å apart."""
    gap, apart = 2.82 - 1.66 - 1.02, 0.4
    found = told(embedding(), 2.82, "Na", "Cl")[21:]
    expected = [np.exp(-(((gap - (-2 + apart * k)) / 0.25) ** 2)) for k in range(21)]
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


def test_equal_lengths_between_unequal_elements_differ_with_radii_alone() -> None:
    for radii in (True, False):
        made = embedding(radii)
        small, large = told(made, 2.5, "C", "C"), told(made, 2.5, "Cs", "C")
        assert bool((small - large).abs().max() > 1e-3) == radii


def test_either_end_may_come_first() -> None:
    made = embedding()
    assert torch.equal(told(made, 2.5, "C", "Cs"), told(made, 2.5, "Cs", "C"))


def test_radii_learn_and_those_of_absent_elements_stay() -> None:
    made = embedding()
    made(torch.tensor([2.5], dtype=torch.float64), pair("Na", "Cl")).sum().backward()
    assert made.radius is not None
    assert made.radius.grad is not None
    assert made.radius.grad.nonzero().flatten().tolist() == [11, 17]
    assert made.radius.dim() == 1  # so that weight decay passes them by
