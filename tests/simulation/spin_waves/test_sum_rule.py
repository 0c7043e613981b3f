"""How much spin is in the waves: sum over modes and zone is S (1 + 2 <a^+ a>) for every spin."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.correlations import BOLTZMANN, correlations
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.waves import amplitudes

from ..magnets import square_antiferromagnet
from .chains import ferromagnetic_chain, triangular


def transverse(
    system: SpinSystem, points: int, solver: Collinear | General | None = None
) -> np.ndarray:
    """(n,) sum over modes and components of |amplitude|^2, mean over the zone in the plane."""
    # Half a step off the zone centre: no Goldstone mode is on the grid.
    axis = (np.arange(points) + 0.5) / points
    q = np.stack(np.meshgrid(axis, axis, [0.0], indexing="ij"), -1).reshape(-1, 3)
    waves = amplitudes(system, torch.tensor([[1.0, 0.0][: len(system.couplings)]]), q,
                       solver=solver)  # fmt: skip
    return waves.amplitude[0].abs().square().sum((1, 2)).mean(0).double().numpy()


def infinite(system: SpinSystem, solver: Collinear | General | None = None) -> np.ndarray:
    """The zone integral: 1/k at a Goldstone mode leaves an error of 1/points."""
    coarse, fine = transverse(system, 16, solver), transverse(system, 32, solver)
    return 2 * fine - coarse


def test_square_antiferromagnet_has_the_published_reduction() -> None:
    # <a^+ a> = 0.1966 for the square lattice: Anderson, Phys. Rev. 86, 694 (1952).
    system = square_antiferromagnet().build()
    for solver in (Collinear(system), General(system)):
        assert_allclose(infinite(system, solver), 0.5 * (1 + 2 * 0.1966), atol=5e-4)


def test_triangular_antiferromagnet_has_the_published_reduction() -> None:
    # <S> = 0.2387 = 1/2 - <a^+ a>: Jolicoeur & Le Guillou, PRB 40, 2727 (1989).
    assert_allclose(infinite(triangular()), 0.5 * (1 + 2 * (0.5 - 0.2387)), atol=2e-3)


def test_ferromagnet_has_no_reduction() -> None:
    q = np.random.default_rng(0).uniform(-1, 1, (7, 3))
    for solver in (None, General(ferromagnetic_chain())):
        found = correlations(ferromagnetic_chain(), [-1.0, -0.2, 0.1], q, solver=solver)
        trace = found.tensor.diagonal(dim1=-2, dim2=-1).sum(-1).real
        assert_allclose(trace.numpy(), 1.5, atol=1e-9)


def test_warm_ferromagnet_has_the_bose_factor() -> None:
    q, temperature = np.random.default_rng(0).uniform(-1, 1, (7, 3)), 30.0
    found = correlations(ferromagnetic_chain(), [-1.0, -0.2, 0.0], q, temperature=temperature)
    trace = found.tensor.diagonal(dim1=-2, dim2=-1).sum(-1).real[0].sum(-1)
    w = 2 * 1.5 * (1 - np.cos(2 * np.pi * q[:, 0])) + 2 * 0.2 * 1.5
    occupation = 1 / np.expm1(w / (BOLTZMANN * temperature))
    assert_allclose(trace.numpy(), 1.5 * (1 + 2 * occupation), rtol=1e-9)
