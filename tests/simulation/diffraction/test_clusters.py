"""Clusters and their Debye patterns against a sum over all pairs, and against ASE."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.utils.xrdebye import XrDebye

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.clusters import Cluster, ball, debye_pattern, nearest_atoms
from gnnmat.simulation.diffraction.factors import scattering_factors

from ...contracts import crystals

Q = torch.linspace(0.5, 12.0, 60, dtype=torch.float64)


def all_pairs(cluster: Cluster, b: float = 0.0) -> np.ndarray:
    """The sum over all pairs of atoms, one by one."""
    s2 = (Q / (4 * torch.pi)) ** 2
    f = np.stack(
        [
            scattering_factors("xray", torch.full((len(Q),), int(z)), s2).numpy()
            for z in cluster.numbers
        ]
    )
    apart = np.linalg.norm(cluster.positions[:, None] - cluster.positions[None], axis=-1)
    q = Q.numpy()
    total = np.zeros(len(q))
    for i in range(len(cluster)):
        for j in range(len(cluster)):
            fade = 1.0 if i == j else np.exp(-b * q**2 / (8 * np.pi**2))
            total += f[i] * f[j] * fade * np.sinc(q * apart[i, j] / np.pi)
    return total


@pytest.mark.parametrize("b", [0.0, 0.8])
def test_pattern_is_the_sum_over_all_pairs(b: float) -> None:
    cluster = nearest_atoms(crystals.rock_salt(), 40)
    found = debye_pattern(cluster, Q, displacement=b).numpy()
    # Bins of 0.002 Å err by (Q * bin)^2 / 12 of a wave.
    np.testing.assert_allclose(found, all_pairs(cluster, b), rtol=2e-3)


def test_pattern_of_copper_is_that_of_ase() -> None:
    cluster = nearest_atoms(crystals.copper(), 55)
    atoms = Atoms(numbers=cluster.numbers, positions=cluster.positions)
    calculator = XrDebye(atoms, wavelength=1.0, damping=0.0, method=None)
    expected = calculator.calc_pattern(Q.numpy(), mode="SAXS")
    # There every atom scatters with all its electrons at any angle.
    ours = scattering_factors("xray", torch.full((len(Q),), 29), (Q / (4 * torch.pi)) ** 2)
    found = debye_pattern(cluster, Q) * (29 / ours) ** 2
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-3)


def test_forward_scattering_counts_all_electrons() -> None:
    cluster = nearest_atoms(crystals.perovskite(), 30)
    tiny = torch.tensor([1e-4], dtype=torch.float64)
    electrons = float(cluster.numbers.sum())
    assert float(debye_pattern(cluster, tiny)) == pytest.approx(electrons**2, rel=1e-5)


def test_neutrons_scatter_alike_at_all_angles() -> None:
    one = Cluster(np.zeros((1, 3)), np.array([29]))
    found = debye_pattern(one, Q, radiation="neutron")
    torch.testing.assert_close(found, found[:1].expand_as(found))


@pytest.mark.parametrize("make", [crystals.rock_salt, crystals.low_symmetry, crystals.magnesium])
def test_a_ball_is_what_a_large_supercell_holds(make: object) -> None:
    crystal = make()  # type: ignore[operator]
    found = ball(crystal, 7.0)
    grid = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), -1).reshape(-1, 3)
    places = (crystal.frac[None] + grid[:, None]).reshape(-1, 3) @ crystal.lattice
    inside = np.linalg.norm(places - crystal.frac[0] @ crystal.lattice, axis=1) <= 7.0
    assert len(found) == inside.sum()


def test_nearest_atoms_are_the_nearest_and_the_same_for_any_cell() -> None:
    small, large = crystals.rock_salt_primitive(), crystals.rock_salt()
    one, other = nearest_atoms(small, 100), nearest_atoms(large, 100)
    for cluster in (one, other):
        assert len(cluster) == 100
    far = [np.sort(np.linalg.norm(cluster.positions, axis=1)) for cluster in (one, other)]
    np.testing.assert_allclose(far[0], far[1], atol=1e-9)


def test_a_shell_that_does_not_fit_is_cut_from_the_top() -> None:
    found = nearest_atoms(crystals.copper(3.6), 3)  # one atom, and 2 of its 12 neighbours
    ranked = sorted(ball(crystals.copper(3.6), 2.6).positions.round(6)[:, [2, 1, 0]].tolist())
    lowest = [one for one in ranked if np.any(one)][:2]
    np.testing.assert_allclose(found.positions[1:][:, [2, 1, 0]], lowest, atol=1e-6)


def test_empty_clusters_are_refused() -> None:
    with pytest.raises(GnnmatError, match="holds no atoms"):
        ball(crystals.copper(), 0.0)
    with pytest.raises(GnnmatError, match="no atom within"):
        ball(crystals.copper(), 0.1, np.array([1.0, 0.2, 0.3]))
    with pytest.raises(GnnmatError, match="is none"):
        nearest_atoms(crystals.copper(), 0)
