from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.errors import GnnmatError
from gnnmat.simulation.form_factors import form_factor
from gnnmat.simulation.spin_waves.collinear import SOFTEST
from gnnmat.simulation.spin_waves.correlations import (
    BOLTZMANN,
    MAGNETIC_LENGTH_SQUARED,
    Domain,
    correlations,
    cross_section,
    rotation,
)
from gnnmat.simulation.spin_waves.powder import powder_average, sphere_points
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.waves import coupling_values, wave_vectors

from .chains import antiferromagnetic_chain, ferromagnetic_chain, magnet, site, triangular

CHIRAL = [-2.0, -1.0, 0.4]
Q = np.random.default_rng(5).uniform(-1, 1, (9, 3))


def doubled_chain() -> SpinSystem:
    """The ferromagnetic chain in a cell of two spins."""
    return magnet(
        [site([0, 0, 0], (0, 0, 1), 1.5), site([0.5, 0, 0], (0, 0, 1), 1.5)],
        lattice=[8.0, 20.0, 20.0],
        couplings={"J": {}, "D": {}, "d": {}},
        bonds=[
            {"coupling": "J", "distance": 4.0},
            {"coupling": "d", "vectors": [[0.5, 0, 0]], "exchange": {"dm": [0, 0, 1]}},
        ],
        onsite=[{"coupling": "D"}],
    )


def test_ferromagnet_scatters_half_s_in_each_component() -> None:
    found = correlations(ferromagnetic_chain(), CHIRAL, Q)
    # <S_x S_y> of a spin up is i S / 2, as [S_x, S_y] = i S_z.
    expected = 0.75 * np.array([[1, 1j, 0], [-1j, 1, 0], [0, 0, 0]])
    tensor = found.tensor[0, :, 0].numpy()
    assert_allclose(tensor, expected[None].repeat(9, 0), atol=1e-9)


def test_neutrons_see_only_spins_across_q() -> None:
    axes = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 0, 0]])
    found = correlations(ferromagnetic_chain(), CHIRAL, axes)
    # Along the spin both components scatter, along x one; at Q = 0 there is no direction.
    assert_allclose(found.intensity[0, :, 0].numpy(), [1.5, 0.75, 1.5], atol=1e-9)


def test_antiferromagnetic_chain_has_the_textbook_structure_factor() -> None:
    # S_xx = S / 2 sqrt((1 - cos k) / (1 + cos k)) for each spin of the cell.
    found = correlations(antiferromagnetic_chain(), [3.0, 0.0], Q)
    k = np.pi * Q[:, 0]
    s_xx = found.tensor[0, :, :, 0, 0].sum(-1).real.numpy()
    assert_allclose(s_xx, 2 * 1.25 * np.abs(np.tan(k / 2)), rtol=1e-8)


def test_larger_cell_scatters_the_same_for_each_spin() -> None:
    twice = Q * [2, 1, 1]
    one, two = (
        correlations(system, CHIRAL, q, temperature=40.0)
        for system, q in ((ferromagnetic_chain(), Q), (doubled_chain(), twice))
    )
    for row in range(len(Q)):
        strong = two.intensity[0, row].numpy() > 1e-6
        assert_allclose(
            np.sort(two.energies[0, row].numpy()[strong]), np.sort(one.energies[0, row])
        )
        assert_allclose(two.intensity[0, row].sum(), 2 * one.intensity[0, row].sum(), rtol=1e-8)


@pytest.mark.parametrize("system", [ferromagnetic_chain(), triangular()])
def test_gain_and_loss_are_in_detailed_balance(system: SpinSystem) -> None:
    values = CHIRAL[: len(system.couplings)] if len(system.couplings) == 3 else [2.0]
    temperature, modes = 25.0, len(system)
    here = correlations(system, values, Q, temperature=temperature)
    there = correlations(system, values, -Q, temperature=temperature)
    loss = here.energies[..., :modes]
    # S(-Q, -E) = exp(-E / kT) S(Q, E)
    assert_allclose(there.energies[..., modes:].numpy(), -loss.numpy(), atol=1e-9)
    ratio = there.intensity[..., modes:] / here.intensity[..., :modes]
    strong = here.intensity[..., :modes] > 1e-6
    expected = torch.exp(-loss / (BOLTZMANN * temperature))
    assert_allclose(ratio[strong].numpy(), expected[strong].numpy(), rtol=1e-6)


def test_chiral_magnet_gains_where_the_opposite_wave_is() -> None:
    found = correlations(ferromagnetic_chain(), CHIRAL, Q, temperature=25.0)
    back = correlations(ferromagnetic_chain(), CHIRAL, -Q)
    assert_allclose(found.energies[0, :, 1].numpy(), -back.energies[0, :, 0].numpy(), atol=1e-10)
    assert found.energies[0].sum(-1).abs().max() > 0.5


def test_form_factor_multiplies_the_intensity_squared() -> None:
    system = ferromagnetic_chain()
    bare = correlations(system, CHIRAL, Q)
    dressed = correlations(system, CHIRAL, Q, form_factors=True)
    f = form_factor("Mn2+", np.linalg.norm(Q @ system.reciprocal, axis=1))
    assert_allclose((dressed.intensity / bare.intensity)[0, :, 0].numpy(), f**2, rtol=1e-9)


def test_domains_turn_the_crystal_and_its_spins() -> None:
    system = ferromagnetic_chain()
    quarter = rotation([0, 1, 0], 90)  # x to -z, z to x
    q = np.array([[0.0, 0.0, 1.5]])  # along z: the turned chain lies along it
    found = correlations(system, CHIRAL, q, domains=[Domain(3, np.eye(3)), Domain(1, quarter)])
    length = 1.5 * 2 * np.pi / 20
    turned = correlations(system, CHIRAL, [[-length * 4 / (2 * np.pi), 0, 0]])
    assert_allclose(found.energies[0, 0, 1], turned.energies[0, 0, 0])
    # The first scatters S across its spin; the second has its spin along x, across Q.
    assert_allclose(found.intensity[0, 0].numpy(), [0.75 * 1.5, 0.25 * 0.75], atol=1e-9)


def test_three_domains_restore_the_symmetry_of_the_lattice() -> None:
    system = antiferromagnetic_chain()
    domains = [Domain(1, rotation([0, 0, 1], angle)) for angle in (0, 120, 240)]
    q = Q @ system.reciprocal
    turned = q @ rotation([0, 0, 1], 120).T
    sums = [
        correlations(
            system, [3.0, -0.2], k @ np.linalg.inv(system.reciprocal), domains=domains
        ).intensity.sum(-1)
        for k in (q, turned)
    ]
    assert_allclose(sums[0].numpy(), sums[1].numpy(), rtol=1e-9)


def test_cross_section_has_kf_over_ki_and_barns() -> None:
    found = correlations(ferromagnetic_chain(), CHIRAL, Q)
    w = found.energies
    barns = cross_section(found, incident_energy=20.0, g=2.2)
    expected = MAGNETIC_LENGTH_SQUARED * 1.21 * (1 - w / 20.0).sqrt() * found.intensity
    assert_allclose(barns.numpy(), expected.numpy())
    slow = cross_section(found, incident_energy=float(w.mean()))
    assert ((slow == 0) == (w > w.mean())).all()
    flat = cross_section(found, incident_energy=20.0, kinematic=False)
    assert_allclose(flat.numpy(), MAGNETIC_LENGTH_SQUARED * found.intensity.numpy())
    with pytest.raises(GnnmatError, match="incident energy is -1"):
        cross_section(found, incident_energy=-1.0)


def test_warm_goldstone_mode_is_cut_off() -> None:
    system, values, centre = antiferromagnetic_chain(), [3.0, 0.0], np.zeros((1, 3))
    cold = correlations(system, values, centre).tensor.abs().sum()
    warm = correlations(system, values, centre, temperature=5.0).tensor.abs().sum()
    # 2 n + 1 times as strong, with the occupation of an energy of `SOFTEST`.
    assert warm.item() == pytest.approx(cold.item() / np.tanh(SOFTEST / (2 * BOLTZMANN * 5.0)))


def test_couplings_and_wave_vectors_are_checked() -> None:
    system = ferromagnetic_chain()
    with pytest.raises(GnnmatError, match=r"No coupling called 'j'(.|\n)*Did you mean 'J'"):
        coupling_values(system, {"j": 1.0})
    with pytest.raises(GnnmatError, match="No value for D, d"):
        coupling_values(system, {"J": 1.0})
    with pytest.raises(GnnmatError, match=r"expected \(B, 3\), got \(1, 2\)(.|\n)*J, D, d"):
        coupling_values(system, [1.0, 2.0])
    with pytest.raises(GnnmatError, match="not a finite number"):
        coupling_values(system, [1.0, 2.0, np.nan])
    with pytest.raises(GnnmatError, match=r"expected \(K, 3\), got \(3,\)"):
        wave_vectors([0.0, 0.0, 1.0])  # type: ignore[list-item]
    with pytest.raises(GnnmatError, match="not finite"):
        wave_vectors([[0.0, 0.0, np.inf]])
    with pytest.raises(GnnmatError, match="temperature is 0.0 K"):
        correlations(system, CHIRAL, Q, temperature=0.0)
    with pytest.raises(GnnmatError, match="not orthogonal"):
        Domain(1.0, 2 * np.eye(3))
    with pytest.raises(GnnmatError, match="weight of a domain is 0"):
        Domain(0, np.eye(3))


def test_powder_of_a_ferromagnet_scatters_two_thirds_s() -> None:
    # Mean of (1 + cos^2) S / 2 over the sphere, whatever the dispersion.
    system, energies = ferromagnetic_chain(), np.linspace(-10, 40, 501)
    lengths = [0.7, 2.1]
    found = powder_average(system, CHIRAL, lengths, energies, width=1.0)
    total = np.trapezoid(found[0].numpy(), energies, axis=1)
    assert_allclose(total, 1.5 * 2 / 3 * form_factor("Mn2+", np.array(lengths)) ** 2, rtol=2e-3)


def test_powder_peak_has_the_width_asked_for() -> None:
    # Without exchange there is no dispersion: one peak at 2 |D| S.
    energies = np.linspace(0, 6, 601)
    peak = powder_average(
        ferromagnetic_chain(), [0.0, -1.0, 0.0], [1.0], energies, width=0.5, form_factors=False
    )[0, 0].numpy()
    above = energies[peak > peak.max() / 2]
    assert energies[peak.argmax()] == pytest.approx(3.0, abs=0.011)
    assert above[-1] - above[0] == pytest.approx(0.5, abs=0.021)


def test_powder_refuses_what_has_no_meaning() -> None:
    with pytest.raises(GnnmatError, match="not a minimum of its energy"):
        powder_average(ferromagnetic_chain(), [2.0, 0.0, 0.0], [1.0], [1.0], width=1.0)
    with pytest.raises(GnnmatError, match="positive width, lengths"):
        powder_average(ferromagnetic_chain(), CHIRAL, [0.0], [1.0], width=1.0)


def test_points_on_the_sphere_are_even_and_repeatable() -> None:
    points = sphere_points(512, seed=4)
    assert_allclose(np.linalg.norm(points, axis=1), 1)
    assert_allclose(points.T @ points / 512, np.eye(3) / 3, atol=5e-3)
    assert_allclose(points.mean(0), 0, atol=5e-3)
    assert (points == sphere_points(512, seed=4)).all()
