"""Modes where the order is no minimum of the energy, and where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON, SOFTEST, Collinear, Modes
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem

from ..magnets import square_antiferromagnet
from .chains import magnet, site
from .oracle import pcsmo

RNG = np.random.default_rng(4)


def modes(system: SpinSystem, values: list[float], k: np.ndarray, *, split: bool = True) -> Modes:
    solver = Collinear(system, split=split)
    couplings = torch.tensor([values], dtype=torch.float64)
    return solver.modes(couplings, solver.matrices(torch.from_numpy(k)))


def ring() -> SpinSystem:
    """Three spins 3/2 on a ring, coupled to the next cell, against a field of 5 T."""
    places: list[list[float]] = [[0, 0, 0], [0.3, 0.1, 0], [0.1, 0.4, 0]]
    names = ["one", "two", "three"]
    pairs = [(0, 1), (1, 2), (2, 0)]
    system = magnet(
        [site(place, (0, 0, 1), 1.5, name) for place, name in zip(places, names, strict=True)],
        lattice=[8.0, 9.0, 20.0],
        couplings={"J": {}, "far": {}},
        bonds=[
            {"coupling": "J", "from": [names[i]], "to": [names[j]],
             "vectors": [list(np.subtract(places[j], places[i]))]}
            for i, j in pairs
        ] + [{"coupling": "far", "vectors": [[1, 0, 0]]}],
    )  # fmt: skip
    return replace(system, field=np.array([0, 0, 5.0]))


def test_a_ferromagnet_against_the_field_keeps_the_waves_above_it() -> None:
    # All energies of a ferromagnet are those of a Hermitian problem, less g mu_B B here: at
    # k = 0 zero and twice 3 |J| S, at others 4 |J'| S sin^2(pi h) more.
    spin, j, far, zeeman = 1.5, 0.4, 0.12, 2 * BOHR_MAGNETON * 5.0
    k = np.stack([np.linspace(0, 0.5, 11), np.zeros(11), np.zeros(11)], axis=1)
    extra = 4 * far * spin * np.sin(np.pi * k[:, 0]) ** 2
    energies = np.stack([extra - zeeman, *[extra + 3 * j * spin - zeeman] * 2], axis=1)
    assert (energies < 0).any()
    assert ((energies > 0) & (energies[:, :1] < 0)).any()
    found = modes(ring(), [-j, -far], k)
    assert_allclose(
        found.energies[0].sort(-1).values.numpy(),
        np.sort(np.where(energies > 0, energies, SOFTEST), axis=1),
        atol=1e-9,
    )
    # Every wave that is left has half a spin in each component, the others nothing.
    for component in range(2):
        strength = found.amplitude[0, :, :, component].abs().square().sum((-1, -2)).numpy()
        assert_allclose(strength, (energies > 0).sum(1) * spin / 2, atol=1e-9)


def test_a_frustrated_antiferromagnet_is_dark_where_it_has_no_waves() -> None:
    first, second = 100.0, 70.0  # J2 > J1 / 2: the Neel order is no minimum
    k = np.concatenate([RNG.uniform(-1, 1, (200, 2)), np.zeros((200, 1))], axis=1)
    x, y = np.pi * (k[:, 0] + k[:, 1]), np.pi * (k[:, 0] - k[:, 1])
    a = 2 * first - 2 * second * (1 - np.cos(x) * np.cos(y))
    b = first * (np.cos(x) + np.cos(y))
    wave, inverted, dead = a > np.abs(b), a < -np.abs(b), np.abs(a) < np.abs(b)
    assert wave.sum() > 9
    assert inverted.sum() > 3
    assert dead.sum() > 9
    found = modes(square_antiferromagnet().build(), [first, second], k)
    strength = found.amplitude[0, :, :, 0].sum(-1).abs().square().sum(-1).numpy()
    assert_allclose(found.energies[0, wave].numpy(), np.sqrt((a**2 - b**2)[wave])[:, None] *
                    np.ones(2), rtol=1e-9)  # fmt: skip
    assert_allclose(strength[wave], 0.5 * np.sqrt(((a - b) / (a + b))[wave]), rtol=1e-6)
    assert not found.amplitude[0, ~wave].any()
    assert (found.energies[0, ~wave] == SOFTEST).all()


def test_imaginary_energies_carry_nothing() -> None:
    # An easier axis across the order: B is positive definite, A is not.
    system = magnet(
        [site([0, 0, 0], (0, 0, 1)), site([0.5, 0, 0], (0, 0, -1))],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}, "A": {}, "B": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
        onsite=[{"coupling": "A"}, {"coupling": "B", "axis": [1, 0, 0]}],
    )
    for values, dark in (([3.0, -0.4, -0.5], 1), ([3.0, -0.5, -0.4], 0)):
        found = modes(system, values, np.zeros((1, 3)), split=False)
        strength = found.amplitude[0, 0].abs().square().sum((-1, -2))
        assert (strength == 0).sum() == dark
        assert (found.energies == SOFTEST).sum() == dark


def general_waves(
    system: SpinSystem, values: list[float], k: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(K, 2n) energies of g H as they come, para-norms, sums of the intensity of each mode.

    Of the problem of twice the size, with none of its symmetries used.
    """
    n, solver = len(system), General(system)
    parts = solver.matrices(torch.from_numpy(k))[0].numpy()
    metric = np.array([1.0] * n + [-1.0] * n)
    energies, v = np.linalg.eig(metric[:, None] * np.tensordot([*values, 1.0], parts, 1))
    norms = (np.abs(v) ** 2 * metric[:, None]).sum(1)
    u = solver.frames[0] + 1j * solver.frames[1]
    root = np.sqrt(system.spins / 2)
    amplitude = np.einsum("nc,n,knm->kmcn", u.conj(), root, v[:, :n])
    amplitude = amplitude + np.einsum("nc,n,knm->kmcn", u, root, v[:, n:])
    return energies, norms, (np.abs(amplitude) ** 2).sum((-1, -2))


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("values", [
    [-4.26, 1.74, -2.68, -12.61, 0.25, 0.08], [-8.35, -2.37, -0.35, -12.2, 2.12, 0.06],
])  # fmt: skip
def test_unstable_dimers_have_the_waves_of_the_general_problem(
    values: list[float], split: bool
) -> None:
    system, k = pcsmo("dimer"), np.random.default_rng(5).uniform(-1, 1, (10, 3))
    energies, norms, strength = general_waves(system, values, k)
    found = modes(system, values, k, split=split)
    own = found.amplitude.abs().square().sum((-1, -2))
    complex_ones = np.abs(energies.imag) > 1e-6
    assert complex_ones.any()
    assert (~complex_ones & (norms < 0) & (energies.real > 0)).any()
    for point in range(len(k)):
        kept = ~complex_ones[point] & (norms[point] > 0) & (energies[point].real > SOFTEST)
        lit = (own[0, point] > 0).numpy()
        assert_allclose(
            found.energies[0, point].numpy()[lit].sum(), energies[point].real[kept].sum()
        )
        assert_allclose(own[0, point].sum(), (strength / norms)[point, kept].sum(), rtol=1e-6)


def test_single_precision_has_the_same_waves() -> None:
    solver, k = Collinear(pcsmo("dimer")), torch.from_numpy(RNG.uniform(-1, 1, (40, 3)))
    values = torch.tensor([[-8.0, -1.5, 2.0, -14.0, 1.0, 0.08]], dtype=torch.float64)
    parts = solver.matrices(k)
    double = solver.modes(values, parts)
    a, b = (part.to(torch.complex64) for part in parts)
    single = solver.modes(values.float(), (a, b))
    assert single.amplitude.dtype == torch.complex64
    assert_allclose(single.energies.numpy(), double.energies.numpy(), atol=0.01)
    mine, truth = (m.amplitude.abs().square().sum((2, 3, 4)).numpy() for m in (single, double))
    assert_allclose(mine, truth, rtol=1e-2)


@pytest.mark.parametrize(("easy", "first"), [([1, 0, 0], 1), ([0, 1, 0], 0)])
def test_slopes_come_from_every_wave_but_those_of_the_general_problem(
    easy: list[float], first: int
) -> None:
    # A ferromagnetic chain with an easier axis across: at small k one wave is missing. With that
    # axis along x B is not positive definite, and the other wave moves without a slope.
    system = magnet(
        [site([0, 0, 0], (0, 0, 1)), site([0.5, 0, 0], (0, 0, 1), 1.5)],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}, "A": {}, "B": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
        onsite=[{"coupling": "A"}, {"coupling": "B", "axis": easy}],
    )
    solver = Collinear(system)
    k = torch.tensor([[0.02, 0, 0], [0.3, 0, 0], [0.4, 0, 0]], dtype=torch.float64)
    parts = solver.matrices(k)

    def value(couplings: torch.Tensor) -> torch.Tensor:
        found = solver.modes(couplings, parts)
        return found.energies.square().sum() + found.amplitude.abs().square().sum()

    start = torch.tensor([[-2.0, -0.4, -0.5]], dtype=torch.float64)
    dark = (solver.modes(start, parts).amplitude[0] == 0).flatten(2).all(-1).any(-1)
    assert dark.tolist() == [True, False, False]
    couplings = start.clone().requires_grad_()
    value(couplings).backward()
    assert couplings.grad is not None
    assert couplings.grad.isfinite().all()
    parts = (parts[0][:, :, first:], parts[1][:, :, first:])
    for place in range(3):
        step = torch.zeros_like(start)
        step[0, place] = 1e-4
        slope = (value(start + step) - value(start - step)) / 2e-4
        assert couplings.grad[0, place].item() == pytest.approx(slope.item(), rel=1e-5)
