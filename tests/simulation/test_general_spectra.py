"""Images of magnets of any order: canted, 120 degrees, with Dzyaloshinskii-Moriya exchange."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.simulation import general_spectra
from gnnmat.simulation.collinear_spectra import CollinearRenderer
from gnnmat.simulation.general_spectra import GeneralRenderer
from gnnmat.simulation.hypotheses import Simulation, load_simulation, parse_simulation
from gnnmat.simulation.instrument import Instrument, Twin
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import ConstantWidths
from gnnmat.simulation.spectra import Rendering, SpectrumSimulator
from gnnmat.simulation.spin_waves.correlations import correlations
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.model import SpinModel
from gnnmat.workflows import draws

from .magnets import chiral_chain, small_simulation, triangular_antiferromagnet

LAYOUT = SliceLayout(
    incident_energies=(30.0, 60.0),
    energy_edges=(((1.0, 6.0), (6.0, 11.0)), ((8.0, 13.0), (13.0, 18.0))),
    h=(0.9, 0.3, -0.3, -0.9),
    k=(-0.6, -0.2, 0.2, 0.6, 1.0),
)
TURNED = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])


def simulator(magnet: dict[str, Any], layout: SliceLayout = LAYOUT, **options: Any) -> Any:
    rendering = {"grid": 16, "samples": 4, "stability_grid": 6, **options}
    return SpectrumSimulator(
        SpinModel.model_validate(magnet).build(),
        layout,
        ConstantWidths(q=0.02, energy=0.03),
        Instrument(np.eye(3), (Twin(0.7, np.eye(3)), Twin(0.3, TURNED))),
        Rendering(**rendering),
    )


def by_hand(made: Any, values: list[float]) -> np.ndarray:
    """The image as a sum over sample points and modes of S_ab solved at each sample point."""
    tiles = np.zeros((2, 2, len(LAYOUT.h), len(LAYOUT.k)))
    scene, rendering = made.renderer.scene, made.rendering
    for incident, edges in enumerate(LAYOUT.energy_edges):
        for number, twin in enumerate(scene.instrument.twins):
            points = scene.points(incident, twin)
            found = correlations(
                made.system,
                values,
                points.q.reshape(-1, 3),
                temperature=rendering.temperature,
                form_factors=rendering.form_factors,
                solver=General(made.system),
            )
            s = found.tensor[0].numpy().reshape(*points.shift.shape, -1, 3, 3)
            energies = found.energies[0].numpy().reshape(*points.shift.shape, -1)
            unit = points.cartesian / np.linalg.norm(points.cartesian, axis=-1, keepdims=True)
            seen = np.eye(3) - unit[..., :, None] * unit[..., None, :]
            if number and not rendering.last_twin_out_of_plane:
                across = np.eye(3) - np.outer(scene.beam(twin), scene.beam(twin))
                seen = across @ seen @ across
            strength = np.einsum("ehknab,ehknmab->ehknm", seen, s).real
            for place, (low, high) in enumerate(edges):
                mean = energies[place] - points.shift[place][..., None]
                scale = 1 / np.sqrt(2) / points.width[place][..., None]
                share = (erf((high - mean) * scale) - erf((low - mean) * scale)) / 2
                share = np.where(energies[place] > 0, share, 0)  # neutrons that lose energy
                total = (strength[place] * share).sum(-1) * points.reachable[place]
                tiles[incident, place] += twin.weight * total.mean(-1) / (high - low)
    return np.asarray(LAYOUT.to_image(tiles))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 40.0},
        {"form_factors": False, "last_twin_out_of_plane": False},
    ],
)
def test_a_120_degree_magnet_is_the_sum_over_its_sample_points(options: dict[str, Any]) -> None:
    # A grid this fine has a point at every sample: only those are solved.
    made = simulator(triangular_antiferromagnet(), grid=200_000, **options)
    assert isinstance(made.renderer, GeneralRenderer)
    values = torch.tensor([[2.5]])
    assert made.stable(values).tolist() == [True]
    image = made.images(values)[0].numpy()
    expected = by_hand(made, [2.5])
    assert (expected > 0.01 * expected.max()).mean() > 0.5  # there is something to compare
    assert np.abs(image - expected).max() < 1e-3 * expected.max()  # tails beyond 3.5 sigma


def test_a_chiral_chain_is_the_sum_over_its_sample_points() -> None:
    made = simulator(chiral_chain(), grid=200_000)
    image = made.images(torch.tensor([[-2.0, -1.0, 0.8]]))[0].numpy()
    expected = by_hand(made, [-2.0, -1.0, 0.8])
    assert np.abs(image - expected).max() < 1e-3 * expected.max()


def test_a_chiral_chain_has_other_energies_at_minus_q() -> None:
    layout = SliceLayout(
        incident_energies=(60.0,),
        energy_edges=(tuple((e, e + 0.5) for e in np.arange(1.0, 25.0, 0.5)),),
        h=tuple(np.linspace(-0.5, 0.5, 11)),
        k=(-0.1, 0.0, 0.1),
    )
    made = SpectrumSimulator(
        SpinModel.model_validate(chiral_chain()).build(),
        layout,
        ConstantWidths(q=1e-3, energy=1e-3),
        Instrument(np.eye(3), (Twin(1.0, np.eye(3)),)),
        Rendering(grid=1000, samples=32),
    )
    tiles = layout.to_tiles(made.images(torch.tensor([[-2.0, -1.0, 0.8]]))[0]).numpy()[0, :, :, 1]
    bins = np.array(layout.energy_edges[0]).mean(1)
    seen = (tiles * bins[:, None]).sum(0) / tiles.sum(0)
    k = 2 * np.pi * np.array(layout.h)
    # d . (S_i x S_j) = d Im(S_i^- S_j^+): the hopping gets a phase.
    w = 2 * 1.5 * (2.0 * (1 - np.cos(k)) + 0.8 * np.sin(k) + 1.0)
    assert np.abs(seen - w).max() < 0.25  # pixels are wide, and average the curvature
    assert np.abs(w - w[::-1]).max() > 4


def pair(simulation: Simulation, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The image of a collinear magnet by the fast path and by the general one."""
    made = simulation.simulator(name)
    assert isinstance(made.renderer, CollinearRenderer)
    values = torch.from_numpy(simulation.ranges(name).mean(1))
    general = GeneralRenderer(made.renderer.scene, General(made.system))
    assert general.stable(values[None]).tolist() == made.stable(values[None]).tolist() == [True]
    return made.images(values[None])[0], general.image(values)


@pytest.mark.parametrize("options", [{}, {"temperature": 60.0}, {"physics": "horace_2021"}])
def test_both_paths_render_a_collinear_magnet_alike(options: dict[str, Any]) -> None:
    twins = [{"weight": 0.6}, {"weight": 0.4, "axes": TURNED.tolist()}]
    plain = small_simulation(**options) | {"instrument": {"twins": twins}}
    simulation = parse_simulation(plain)
    for name in simulation.names:
        fast, general = pair(simulation, name)
        assert torch.allclose(general, fast, rtol=1e-3, atol=1e-4 * float(fast.max()))


def test_both_paths_render_a_bilayer_alike() -> None:
    # 16 spins in two layers, split into even and odd; two twins, two copies.
    plain = load_simulation("pcsmo").model_dump(by_alias=True)
    plain["resolution"] = {"kind": "widths"}
    plain["layout"]["pixels"] = 6
    plain["rendering"] |= {"grid": 8, "samples": 2, "stability_grid": 4}
    simulation = parse_simulation(plain)
    made = simulation.simulator("goodenough")
    values = torch.from_numpy(simulation.reference("goodenough"))
    general = GeneralRenderer(made.renderer.scene, General(made.system)).image(values)
    fast = made.images(values[None])[0]
    assert torch.allclose(general, fast, rtol=1e-3, atol=1e-4 * float(fast.max()))


def test_memory_bounds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = simulator(triangular_antiferromagnet())
    values = torch.tensor([[2.5], [-1.0], [2.0]])
    image, stable = made.images(values[:1]), made.stable(values)
    monkeypatch.setattr(general_spectra, "_MEMORY", 10_000)
    monkeypatch.setattr(general_spectra, "_TOGETHER", 7)
    assert made.renderer._solved_together < 10
    assert torch.allclose(made.images(values[:1]), image, rtol=1e-5, atol=1e-7)
    assert made.stable(values).tolist() == stable.tolist() == [True, False, True]


def test_an_order_that_is_no_minimum_is_dark() -> None:
    made = simulator(triangular_antiferromagnet())
    assert made.stable(torch.tensor([[-2.0]])).tolist() == [False]
    assert float(made.images(torch.tensor([[-2.0]])).abs().max()) == 0


def test_an_order_that_feels_a_torque_is_not_stable() -> None:
    # Spins along z: a DM vector across them wants to cant them, one along them does not.
    chain = chiral_chain()
    values = torch.tensor([[-2.0, -1.0, 0.3]])
    assert simulator(chain).stable(values).tolist() == [True]
    plane = {**chain, "sites": [dict(chain["sites"][0], direction=[0.6, 0, 0.8])]}
    assert simulator(plane).stable(values).tolist() == [False]
    assert simulator(plane).stable(torch.tensor([[-2.0, 0.0, 0.0]])).tolist() == [True]


def test_rounded_directions_are_cleaned_up() -> None:
    exact, rounded = (simulator(triangular_antiferromagnet(digits)) for digits in (12, 3))
    values = torch.tensor([[30.0]])
    assert rounded.stable(values).tolist() == [True]
    first, second = (one.images(torch.tensor([[2.5]])) for one in (exact, rounded))
    assert torch.allclose(first, second, rtol=1e-3, atol=1e-4 * float(first.max()))


def declared() -> dict[str, Any]:
    """A simulation of magnets that are not collinear, or whose exchange is not symmetric."""
    return small_simulation() | {
        "layout": {"incident_energies": [30.0], "slices": 3, "pixels": 6},
        "hypotheses": {"triangle": triangular_antiferromagnet(3), "chain": chiral_chain()},
    }


def test_simulate_takes_magnets_that_are_not_collinear(tmp_path: Path) -> None:
    made = gnnmat.simulate(declared(), tmp_path / "set", images=3, workers=1, device="cpu")
    assert made.table["hypothesis"].tolist().count("triangle") == 3
    records = made.open()
    images = [records.read(raw).image for raw in records.raws]
    assert len(images) == 6
    assert all(np.isfinite(image).all() and image.max() > 0 for image in images)


def test_draws_of_the_wrong_sign_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "PATIENCE", 64)
    plain = declared()
    plain["hypotheses"]["triangle"]["couplings"]["J"] = {"range": [-3.0, -2.0]}
    with pytest.raises(GnnmatError, match="'triangle': only 0 of .* draws are stable"):
        gnnmat.simulate(plain, tmp_path / "set", images=3, workers=1, device="cpu")


def test_a_magnet_without_waves_is_refused() -> None:
    with pytest.raises(GnnmatError, match="no waves"):
        simulator({**triangular_antiferromagnet(), "bonds": []})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU absent")
def test_gpu_agrees() -> None:
    simulation = parse_simulation(declared())
    for name in simulation.names:
        values = torch.from_numpy(simulation.ranges(name).mean(1))[None]
        here = simulation.simulator(name).images(values)
        there = simulation.simulator(name, device="cuda").images(values).cpu()
        assert torch.allclose(here, there, rtol=1e-3, atol=1e-4 * float(here.max()))
