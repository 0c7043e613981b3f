"""Dispersions with a formula in the textbooks, from both solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON, Collinear
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.waves import amplitudes, dispersion, spin_waves

from ..magnets import square_antiferromagnet
from .chains import antiferromagnetic_chain, ferromagnetic_chain, magnet, site, triangular

RNG = np.random.default_rng(1)
ALONG = np.stack([RNG.uniform(-1, 1, 12), RNG.uniform(-1, 1, 12), RNG.uniform(-1, 1, 12)], axis=1)


def energies(system: SpinSystem, values: dict[str, float], q: np.ndarray) -> np.ndarray:
    """(K, m) in meV; both solvers agree, where both are possible."""
    general = amplitudes(system, values, q, solver=General(system)).energies[0].numpy()
    assert_allclose(dispersion(system, values, q)[0].numpy(), general, atol=1e-8)
    return general


def test_ferromagnetic_chain() -> None:
    # Kittel: w = 2 |J| S (1 - cos k a), each bond once.
    w = energies(ferromagnetic_chain(), {"J": -2.0, "D": 0.0, "d": 0.0}, ALONG)
    expected = 2 * 2.0 * 1.5 * (1 - np.cos(2 * np.pi * ALONG[:, 0]))
    assert_allclose(w[:, 0], expected, atol=1e-9)


def test_easy_axis_opens_a_gap_of_twice_d_times_s() -> None:
    w = energies(ferromagnetic_chain(), {"J": -2.0, "D": -0.3, "d": 0.0}, np.zeros((1, 3)))
    assert_allclose(w, 2 * 0.3 * 1.5, atol=1e-9)


def test_dm_exchange_makes_a_ferromagnet_chiral() -> None:
    values = {"J": -2.0, "D": -1.0, "d": 0.4}
    k = 2 * np.pi * ALONG[:, 0]
    # D . (S_i x S_j) = d Im(S_i^- S_j^+): the hopping gets a phase.
    expected = 2 * 2.0 * 1.5 * (1 - np.cos(k)) + 2 * 0.4 * 1.5 * np.sin(k) + 2 * 1.0 * 1.5
    w = energies(ferromagnetic_chain(), values, ALONG)
    assert_allclose(w[:, 0], expected, atol=1e-9)
    assert np.abs(w - energies(ferromagnetic_chain(), values, -ALONG)).max() > 0.5


def test_field_against_the_spin_opens_the_zeeman_gap() -> None:
    system = ferromagnetic_chain(direction=(0, 0, -1), field=(0, 0, 5.0), g=2.1)
    w = energies(system, {"J": -2.0, "D": 0.0, "d": 0.0}, np.zeros((1, 3)))
    assert_allclose(w, 2.1 * BOHR_MAGNETON * 5.0, atol=1e-9)
    turned = ferromagnetic_chain(direction=(0, 0, 1), field=(0, 0, 5.0), g=2.1)
    assert dispersion(turned, [-2.0, 0.0, 0.0], np.zeros((1, 3))).isnan().all()


def test_antiferromagnetic_chain() -> None:
    # Anderson: w = 2 J S |sin k a|, twice.
    w = energies(antiferromagnetic_chain(), {"J": 3.0, "D": 0.0}, ALONG)
    expected = 2 * 3.0 * 2.5 * np.abs(np.sin(np.pi * ALONG[:, 0]))
    assert_allclose(w, np.stack([expected, expected], axis=1), atol=1e-9)


def test_antiferromagnetic_chain_with_easy_axis() -> None:
    w = energies(antiferromagnetic_chain(), {"J": 3.0, "D": -0.5}, ALONG)
    a, b = 2 * 2.5 * (3.0 + 0.5), 2 * 2.5 * 3.0 * np.cos(np.pi * ALONG[:, 0])
    assert_allclose(w, np.sqrt(a**2 - b**2)[:, None].repeat(2, 1), atol=1e-9)


@pytest.mark.parametrize("second", [0.0, 20.0, -15.0])
def test_square_antiferromagnet_with_second_neighbours(second: float) -> None:
    first = 100.0
    # kx = pi (h + k), ky = pi (h - k) in the cell of two spins.
    x, y = np.pi * (ALONG[:, 0] + ALONG[:, 1]), np.pi * (ALONG[:, 0] - ALONG[:, 1])
    a = 2 * first - 2 * second * (1 - np.cos(x) * np.cos(y))
    b = first * (np.cos(x) + np.cos(y))
    w = energies(square_antiferromagnet().build(), {"J1": first, "J2": second}, ALONG)
    assert_allclose(w, np.sqrt(a**2 - b**2)[:, None].repeat(2, 1), atol=1e-8)


def test_triangular_120_degree_order() -> None:
    # Jolicoeur & Le Guillou, PRB 40, 2727 (1989): w = 3 J S sqrt((1 - g)(1 + 2 g)); the cell of
    # three spins folds Q, Q + K and Q - K onto each other.
    system, q = triangular(), ALONG
    folded = []
    for shift in ([0, 0, 0], [1, 0, 0], [-1, 0, 0]):
        k = (q + shift) @ system.reciprocal
        steps = [(4 * np.cos(t), 4 * np.sin(t)) for t in (np.pi / 6, np.pi / 2, 5 * np.pi / 6)]
        gamma = sum(np.cos(k[:, 0] * x + k[:, 1] * y) for x, y in steps) / 3
        folded.append(3 * 2.0 * 0.5 * np.sqrt((1 - gamma) * (1 + 2 * gamma)))
    w = energies(system, {"J": 2.0}, q)
    assert_allclose(w, np.sort(np.stack(folded, axis=1), axis=1), atol=1e-9)


def test_two_spins_canted_by_dm_exchange() -> None:
    # Turning the second spin by atan2(d, J) leaves an antiferromagnetic pair of exchange
    # r = sqrt(J^2 + d^2) in the plane and J across it: w^2 = 2 r (r - J) S^2, and a rotation.
    j, d, spin = 3.0, 1.0, 2.0
    r, angle = np.hypot(j, d), np.pi + np.arctan2(d, j)
    system = magnet(
        [
            site([0, 0, 0], (1, 0, 0), spin, "one"),
            site([0.5, 0, 0], (np.cos(angle), np.sin(angle), 0), spin, "two"),
        ],
        couplings={"J": {}, "d": {}},
        bonds=[
            {"coupling": "J", "from": ["one"], "to": ["two"], "vectors": [[0.5, 0, 0]]},
            {"coupling": "d", "from": ["one"], "to": ["two"], "vectors": [[0.5, 0, 0]],
             "exchange": {"dm": [0, 0, 1]}},
        ],
    )  # fmt: skip
    w = energies(system, {"J": j, "d": d}, np.array([[0.3, 0.0, 0.0]]))
    assert_allclose(w[0], [0, spin * np.sqrt(2 * r * (r - j))], atol=2e-6)


def test_heisenberg_energies_do_not_know_the_axis() -> None:
    turned = RNG.normal(size=3)
    turned /= np.linalg.norm(turned)
    plain = antiferromagnetic_chain()
    system = magnet(
        [site([0, 0, 0], turned, 2.5), site([0.5, 0, 0], -turned, 2.5)],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}},
        bonds=[{"coupling": "J", "distance": 4.0}],
    )
    assert_allclose(
        energies(system, {"J": 3.0}, ALONG),
        energies(plain, {"J": 3.0, "D": 0.0}, ALONG),
        atol=1e-8,
    )


def test_solver_is_the_fast_one_where_axes_are_common() -> None:
    assert isinstance(spin_waves(antiferromagnetic_chain()), Collinear)
    assert isinstance(spin_waves(triangular()), General)
    mixed = magnet(
        [site([0, 0, 0], (0, 0, 1)), site([0.5, 0, 0], (0, 0, 1))],
        couplings={"J": {}, "A": {}, "B": {}},
        bonds=[{"coupling": "J", "distance": 2.0}],
        onsite=[
            {"coupling": "A", "axis": [1, 0, 0]},
            {"coupling": "B", "axis": [1, 1, 0]},
        ],
    )
    assert mixed.is_collinear
    assert isinstance(spin_waves(mixed), General)
    assert dispersion(mixed, [-3.0, 0.1, 0.2], torch.rand(3, 3)).isfinite().all()
