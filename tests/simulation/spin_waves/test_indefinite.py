"""What is left of the waves near an exceptional point."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.indefinite import EXCESS, real_waves

HEAVY = 0.25  # stiffness of the inverted oscillator in units of the other
# Energies meet where (1 - HEAVY^2)^2 = 4 HEAVY c^2.
MEETING = (1 - HEAVY**2) / (2 * np.sqrt(HEAVY))


def pair(coupling: float) -> tuple[torch.Tensor, torch.Tensor]:
    """An oscillator and an inverted one, of positive and negative para-norm."""
    a = torch.diag(torch.tensor([1.0, -HEAVY], dtype=torch.complex128))
    b = a.clone()
    b[0, 1] = b[1, 0] = coupling
    return a[None], b[None]


def test_only_the_upright_oscillator_is_a_wave() -> None:
    w, xi, zeta = (x[0].numpy() for x in real_waves(*pair(0.1)))
    half, root = (1 + HEAVY**2) / 2, np.sqrt((1 - HEAVY**2) ** 2 - 4 * HEAVY * 0.1**2) / 2
    assert_allclose(w, [0, np.sqrt(half + root)], atol=1e-12)
    assert not xi[:, 0].any()
    assert not zeta[:, 0].any()
    a, b = (m[0].numpy() for m in pair(0.1))
    # The equations of motion, and the para-norm 2 Im xi^+ zeta.
    assert_allclose(a @ xi[:, 1], -1j * w[1] * zeta[:, 1], atol=1e-12)
    assert_allclose(b @ zeta[:, 1], 1j * w[1] * xi[:, 1], atol=1e-12)
    assert_allclose(2 * (xi[:, 1].conj() @ zeta[:, 1]).imag, 1, atol=1e-12)


def test_amplitudes_stay_bounded_up_to_the_exceptional_point_and_vanish_beyond() -> None:
    for near in (0.5, 0.1, 0.01, 1e-4, 1e-8, 1e-14, 0.0):
        a, b = pair(MEETING * (1 - near))
        w, xi, zeta = real_waves(a, b)
        largest = [m.abs().sum(-1).max().item() for m in (a, b)]
        assert (2 * w * xi.abs().square().sum(-2)).max() <= EXCESS * largest[1]
        assert (2 * w * zeta.abs().square().sum(-2)).max() <= EXCESS * largest[0]
        assert (w > 0).any().item() is (near > 0.05)
    for beyond in (1e-14, 1e-8, 1e-2, 0.5):
        assert not any(x.any() for x in real_waves(*pair(MEETING * (1 + beyond))))


def test_degenerate_waves_are_orthogonal() -> None:
    # Two oscillators of one energy in any basis, and an inverted one.
    random = torch.randn(3, 3, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    turn, _ = torch.linalg.qr(random)
    a = turn @ torch.diag(torch.tensor([2.0, 2.0, -1.0], dtype=torch.complex128)) @ turn.mH
    w, xi, zeta = (x[0] for x in real_waves(a[None], a[None]))
    assert_allclose(w.numpy(), [0, 2, 2], atol=1e-9)
    para = -1j * xi.mH @ zeta
    assert_allclose((para + para.mH).numpy(), np.diag([0, 1, 1]), atol=1e-9)
    # As everywhere without ellipticity: half a quantum in each component.
    space = turn[:, :2] @ turn[:, :2].mH / 2
    assert_allclose((xi @ xi.mH).numpy(), space.numpy(), atol=1e-9)


def test_rounding_of_the_matrices_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(m + m.conj().swapaxes(1, 2)) for m in
            rng.normal(size=(2, 50, 4, 4)) + 1j * rng.normal(size=(2, 50, 4, 4)))  # fmt: skip
    exact = real_waves(a, b)
    rounded = real_waves(a.to(torch.complex64), b.to(torch.complex64))
    assert_allclose(rounded[0].numpy(), exact[0].numpy(), atol=1e-5)
    mine, truth = (x[1].abs().square().sum(-2).numpy() for x in (rounded, exact))
    assert_allclose(mine, truth, rtol=1e-3)
    assert (exact[0] > 0).any()
    assert (exact[0] == 0).any()
