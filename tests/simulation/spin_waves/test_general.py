"""What every Colpa matrix must be, for random exchange on random directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON
from gnnmat.simulation.spin_waves.general import General, frames
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.waves import amplitudes, dispersion

from .chains import antiferromagnetic_chain, ferromagnetic_chain, triangular

RNG = np.random.default_rng(7)
K = torch.as_tensor(RNG.uniform(-1, 1, (5, 3)))


def anisotropic() -> SpinSystem:
    """The triangular magnet with any exchange matrix on any bond, and bonds of both senses."""
    system = triangular(1.5)
    flip = RNG.random(len(system.bond_sites)) < 0.5
    flip[:2] = [True, False]
    pattern = np.eye(3) + 0.05 * RNG.normal(size=(len(flip), 3, 3))
    return reversed_bonds(replace(system, bond_pattern=pattern), flip)


def reversed_bonds(system: SpinSystem, flip: np.ndarray) -> SpinSystem:
    """The same Hamiltonian, some bonds written from their other end."""
    return replace(
        system,
        bond_sites=np.where(flip[:, None], system.bond_sites[:, ::-1], system.bond_sites),
        bond_offset=np.where(flip[:, None], -system.bond_offset, system.bond_offset),
        bond_pattern=np.where(
            flip[:, None, None], system.bond_pattern.transpose(0, 2, 1), system.bond_pattern
        ),
    )


@pytest.mark.parametrize("system", [anisotropic(), ferromagnetic_chain()])
def test_matrix_is_hermitian_and_has_both_senses_of_k(system: SpinSystem) -> None:
    n, general = len(system), General(system)
    here, there = general.matrices(K)[0].numpy(), general.matrices(-K)[0].numpy()
    assert_allclose(here, here.conj().swapaxes(-1, -2), atol=1e-12)
    assert_allclose(here[..., n:, n:], there[..., :n, :n].conj(), atol=1e-12)
    assert_allclose(here[..., :n, n:], there[..., :n, n:].swapaxes(-1, -2), atol=1e-12)


def test_bonds_may_be_written_from_either_end() -> None:
    system = anisotropic()
    turned = reversed_bonds(system, np.ones(len(system.bond_sites), dtype=bool))
    first, second = (General(one).matrices(K)[0].numpy() for one in (system, turned))
    assert_allclose(first, second, atol=1e-12)


def test_energies_do_not_depend_on_the_axes_across_the_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = triangular(1.5)
    plain = General(system)
    turned = General(system)
    angle = RNG.uniform(0, 6, len(system))[:, None]
    e1, e2 = plain.frames
    cosine, sine = np.cos(angle), np.sin(angle)
    axes = np.stack([cosine * e1 + sine * e2, cosine * e2 - sine * e1])
    monkeypatch.setattr(turned, "frames", axes)
    first, second = (amplitudes(system, [2.0], K, solver=solver) for solver in (plain, turned))
    assert_allclose(first.energies.numpy(), second.energies.numpy(), atol=1e-9)
    # What neutrons see of each mode, which have different energies here.
    strength = [waves.amplitude.sum(-1).abs().numpy() for waves in (first, second)]
    assert_allclose(*strength, atol=1e-9)


def test_frames_are_right_handed() -> None:
    directions = np.concatenate([np.eye(3), -np.eye(3), RNG.normal(size=(20, 3))])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    e1, e2 = frames(directions)
    assert_allclose(np.cross(e1, e2), directions, atol=1e-12)
    assert_allclose((e1**2).sum(1), 1)


def test_one_bad_draw_leaves_the_others_alone() -> None:
    system = triangular()
    values = torch.tensor([[2.0], [-2.0], [3.0]], dtype=torch.float64)
    w = dispersion(system, values, K)
    assert w[1].isnan().all()
    assert_allclose(w[2].numpy(), 1.5 * w[0].numpy(), atol=1e-8)
    general = General(system)
    parts = general.matrices(K)
    assert general.is_stable(values, parts).tolist() == [True, False, True]
    assert general.modes(values, parts).amplitude[1].isnan().all()


def test_stability_is_lost_where_a_field_beats_the_anisotropy() -> None:
    # Spin flop of the easy-axis chain: g mu_B B reaches the gap 2 S sqrt(D (2 J + D)).
    limit = 2 * 2.5 * np.sqrt(0.2 * (2 * 3.0 + 0.2)) / (2 * BOHR_MAGNETON)
    values = torch.tensor([[3.0, -0.2]], dtype=torch.float64)
    zone = torch.as_tensor(np.linspace(0, 1, 9)[:, None] * [1.0, 0, 0])
    for share, stable in ((0.98, True), (1.02, False)):
        system = replace(antiferromagnetic_chain(), field=np.array([0, 0, share * limit]))
        general = General(system)
        assert general.is_stable(values, general.matrices(zone)).item() is stable


@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU absent")
@pytest.mark.parametrize("system", [triangular(), antiferromagnetic_chain()])
def test_gpu_agrees(system: SpinSystem) -> None:
    values = torch.tensor([[2.0, -0.1][: len(system.couplings)]], dtype=torch.float64)
    here, there = dispersion(system, values, K), dispersion(system, values.cuda(), K)
    assert there.device.type == "cuda"
    assert_allclose(here.numpy(), there.cpu().numpy(), atol=1e-8)
