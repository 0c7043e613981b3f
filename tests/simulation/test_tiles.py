"""Sample points in far zones, against structure factors with the true positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gnnmat.simulation.instrument import NEUTRON, Instrument, Twin
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import ConstantWidths
from gnnmat.simulation.spectra import Rendering, SpectrumSimulator
from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.correlations import correlations
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.tiles import Geometry, wave_grid

from .spin_waves.chains import magnet, site

GRID = 10


def two_sites(second: list[float]) -> SpinSystem:
    """A ferromagnet of spins 1/2 in the plane, the second of them anywhere in the cell."""
    return magnet(
        [site([0, 0, 0], (0, 0, 1), 0.5, "one"), site(second, (0, 0, 1), 0.5, "two")],
        lattice=[4.0, 5.0, 20.0],
        couplings={"near": {}, "far": {}},
        bonds=[
            {"coupling": "near", "from": ["one"], "to": ["two"], "vectors": [second]},
            {"coupling": "far", "vectors": [[1, 0, 0], [0, 1, 0]]},
        ],
    )


def strengths(system: SpinSystem, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, m) |F1|^2 of every mode by the tables of a renderer, and by the true positions."""
    values = torch.tensor([[-3.0, -1.0]], dtype=torch.float64)
    solver = Collinear(system, split=False)
    geometry = Geometry(solver, GRID)
    k, kind, zone, turned = geometry.find(q)
    factor = geometry.factors(q, np.ones(len(q)), zone, turned, False)[:, 0]
    amplitude = solver.modes(
        values, solver.matrices(wave_grid(solver.blocks.moving, GRID, shift=0.5))
    ).amplitude[0]
    mixed = amplitude.flatten(2) @ geometry.mixing
    table = mixed.view(*amplitude.shape[:2], -1, 2, len(geometry.groups)).numpy()
    found = np.abs((table[k, :, kind, 0] * factor[:, None]).sum(-1)) ** 2
    tensor = correlations(system, values, q, solver=solver).tensor[0]
    e = solver.across[0]
    return found, (e @ tensor.numpy() @ e).real


def grid_points(zones: np.ndarray, seed: int = 0) -> np.ndarray:
    """Wave vectors on points of the grid, one in each of these zones."""
    inside = np.random.default_rng(seed).integers(0, GRID, (len(zones), 2))
    q = np.zeros((len(zones), 3))
    q[:, :2] = zones + (inside + 0.5) / GRID
    return q


@pytest.mark.parametrize("second", [[0.31, 0, 0], [0.31, 0.123, 0], [0.25, 0.5, 0]])
def test_structure_factors_know_every_zone(second: list[float]) -> None:
    zones = np.random.default_rng(1).integers(-40, 40, (300, 2))
    found, truth = strengths(two_sites(second), grid_points(zones))
    assert_allclose(found, truth, atol=1e-9)
    assert np.ptp(truth) > 0.1


def test_zones_beyond_the_eighth_differ_from_it() -> None:
    # The share of the in-phase motion, the lower mode at small h, is cos^2(pi h x) of the spin.
    q = np.zeros((5, 3))
    q[:, 0] = np.array([7, 8, 9, 11, -12]) + 0.05
    q[:, 1] = 0.05
    found, truth = strengths(two_sites([0.31, 0.0, 0.0]), q)
    assert_allclose(found, truth, atol=1e-9)
    assert_allclose(found.sum(1), 0.5, atol=1e-9)
    assert len(np.unique(np.round(found[:, 0], 2))) == 5
    assert_allclose(found[:, 0], 0.5 * np.cos(np.pi * q[:, 0] * 0.31) ** 2, atol=0.01)


def test_simple_fractions_need_few_kinds_of_zones_however_many_are_seen() -> None:
    zones = np.stack(np.meshgrid(np.arange(-20, 20), np.arange(-20, 20)), -1).reshape(-1, 2)
    for second, kinds in (([0.25, 0.5, 0.0], 4), ([0.0, 0.0, 0.2], 1), ([0.31, 0.0, 0.0], 40)):
        geometry = Geometry(Collinear(two_sites(second), split=False), GRID)
        for some in np.array_split(zones, 3):
            geometry.find(grid_points(some))
        assert geometry.mixing.shape[1] == kinds * 2 * len(geometry.groups)


def test_the_image_of_a_far_zone_has_the_strengths_of_that_zone() -> None:
    incident, j, spin = 2000.0, 20.0, 0.5
    system = magnet(
        [site([0, 0, 0], (0, 0, 1), spin, "one"), site([0.31, 0, 0], (0, 0, 1), spin, "two")],
        couplings={"J": {}},
        bonds=[
            {"coupling": "J", "from": ["one"], "to": ["two"],
             "vectors": [[0.31, 0, 0], [-0.69, 0, 0]]},
        ],
    )  # fmt: skip
    # Both modes of a chain: 2 J S (1 -+ cos(pi h)).
    h = 8.3
    energies = 2 * j * spin * (1 - np.array([1, -1]) * np.cos(np.pi * h))
    layout = SliceLayout(
        incident_energies=(incident,),
        energy_edges=(tuple((w - 2, w + 2) for w in energies),),
        h=(h + 0.005, h - 0.005),
        k=(-0.005, 0.005),
    )
    image = SpectrumSimulator(
        system,
        layout,
        ConstantWidths(q=1e-4, energy=1e-5),
        Instrument(np.eye(3), (Twin(1.0, np.eye(3)),)),
        Rendering(samples=64, form_factors=False),
    ).images(torch.tensor([[-j]]))[0]
    found = layout.to_tiles(image)[0].mean((1, 2)).numpy() * 4
    across = 2 * np.pi / 4 * h
    along = np.sqrt(incident / NEUTRON) - np.sqrt((incident - energies) / NEUTRON - across**2)
    q = np.array([[h, 0, along[mode] * 20 / (2 * np.pi)] for mode in range(2)])
    truth = correlations(system, [-j], q)
    assert_allclose(truth.energies[0, 0].numpy(), energies, rtol=1e-9)
    wanted = truth.intensity[0].diagonal().numpy()
    assert wanted.max() > 3 * wanted.min()
    assert_allclose(found, wanted, rtol=0.03)
