"""Both solvers through the front: fields, soft modes, orders that are no minimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON, SOFTEST, Collinear
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.waves import (
    Solver,
    amplitudes,
    coupling_values,
    dispersion,
    solver_parts,
)

from .chains import antiferromagnetic_chain, magnet, site

Q = np.random.default_rng(2).uniform(-1, 1, (6, 3))
SOLVERS = pytest.mark.parametrize("kind", [Collinear, General])


def ferromagnet() -> SpinSystem:
    """A ferromagnetic chain of Heisenberg exchange alone, which both solvers take."""
    return magnet(
        [site([0, 0, 0], (0, 0, 1))],
        couplings={"J": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
    )


def two_axes(easy: list[float]) -> SpinSystem:
    """Antiferromagnetic chain along z with an axis A along z and B along another direction."""
    return magnet(
        [site([0, 0, 0], (0, 0, 1)), site([0.5, 0, 0], (0, 0, -1))],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}, "A": {}, "B": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
        onsite=[{"coupling": "A"}, {"coupling": "B", "axis": easy}],
    )


def is_stable(solver: Solver, values: list[float], q: np.ndarray) -> bool:
    couplings = coupling_values(solver.system, values)
    parts = solver_parts(solver, torch.as_tensor(q), couplings)
    return bool(solver.is_stable(couplings, parts))  # type: ignore[arg-type]


@SOLVERS
def test_field_along_the_axis_splits_an_antiferromagnet(kind: type[Solver]) -> None:
    field, values = 7.0, [3.0, -0.5]
    system = replace(antiferromagnetic_chain(), field=np.array([0, 0, field]))
    w = amplitudes(system, values, Q, solver=kind(system)).energies[0].numpy()
    bare = dispersion(antiferromagnetic_chain(), values, Q)[0, :, 0].numpy()
    zeeman = 2 * BOHR_MAGNETON * field
    assert_allclose(w, np.stack([bare - zeeman, bare + zeeman], axis=1), atol=1e-9)


@SOLVERS
def test_field_on_a_ferromagnet_adds_to_every_energy(kind: type[Solver]) -> None:
    # The spin points against the field.
    system = replace(ferromagnet(), field=np.array([0, 0, -4.0]))
    w = amplitudes(system, [-1.0], Q, solver=kind(system)).energies[0, :, 0].numpy()
    expected = 2 * (1 - np.cos(2 * np.pi * Q[:, 0])) + 2 * BOHR_MAGNETON * 4.0
    assert_allclose(w, expected, atol=1e-9)


@SOLVERS
def test_mode_of_no_energy_at_all_is_zero(kind: type[Solver]) -> None:
    # At k = 0 the whole matrix of a ferromagnet vanishes.
    system, zero = ferromagnet(), np.zeros((1, 3))
    waves = amplitudes(system, [-1.0], zero, solver=kind(system))
    assert 0 <= waves.energies.item() < 1e-4
    assert is_stable(kind(system), [-1.0], zero)
    assert waves.amplitude.isfinite().all()


@SOLVERS
def test_amplitude_of_a_goldstone_mode_is_cut_off(kind: type[Solver]) -> None:
    system = antiferromagnetic_chain()
    waves = amplitudes(system, [3.0, 0.0], np.zeros((1, 3)), solver=kind(system))
    assert waves.energies.max() < 1e-4
    # |amplitude|^2 is about S (4 J S) / w; the energy counts as `SOFTEST` at least.
    strength = waves.amplitude.abs().square().sum((-1, -2))
    assert strength.max() < 2 * 2.5 * (4 * 3.0 * 2.5) / SOFTEST
    # Just above, nothing is cut.
    near = amplitudes(system, [3.0, 0.0], [[0.002, 0, 0]], solver=kind(system))
    assert near.energies.min() > SOFTEST
    s_xx = near.amplitude.sum(-1).abs().square()[0, 0, :, 0].sum()
    assert s_xx.item() == pytest.approx(2 * 1.25 * np.tan(0.001 * np.pi), rel=1e-6)


@SOLVERS
@pytest.mark.parametrize("easy", [[1, 0, 0], [0, 1, 0], [1, 1, 0]])
def test_order_across_the_easier_axis_has_no_waves(kind: type[Solver], easy: list[float]) -> None:
    system, zero = two_axes(easy), np.zeros((1, 3))
    for values, fine in (([3.0, -0.5, -0.4], True), ([3.0, -0.4, -0.5], False)):
        waves = amplitudes(system, values, zero, solver=kind(system))
        assert waves.energies.isnan().all().item() is not fine
        assert waves.amplitude.isnan().any().item() is not fine
        assert dispersion(system, values, zero).isnan().all().item() is not fine
        assert is_stable(kind(system), values, zero) is fine
    # Gaps of both polarisations: w^2 = 4 S^2 (A (2 J + A - B)) and 4 S^2 ((A - B) (2 J + A)).
    w = dispersion(system, [3.0, -0.5, -0.4], zero)[0, 0].numpy()
    gaps = [2 * np.sqrt(0.1 * 6.5), 2 * np.sqrt(0.5 * 6.1)]
    assert_allclose(w, np.sort(gaps), rtol=1e-9)
