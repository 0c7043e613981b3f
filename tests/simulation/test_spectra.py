from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation import collinear_spectra
from gnnmat.simulation.accumulate import add_batched
from gnnmat.simulation.collinear_spectra import CollinearRenderer
from gnnmat.simulation.form_factors import form_factor
from gnnmat.simulation.hypotheses import load_simulation, parse_simulation
from gnnmat.simulation.instrument import NEUTRON, Instrument, Twin
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import ConstantWidths
from gnnmat.simulation.spectra import Rendering, SpectrumSimulator
from gnnmat.simulation.spin_waves.collinear import Collinear

from .magnets import small_simulation, square_ferromagnet

LAYOUT = SliceLayout(
    incident_energies=(80.0,),
    energy_edges=(((6.0, 18.0), (18.0, 30.0), (30.0, 42.0)),),
    h=(0.75, 0.25, -0.25, -0.75),
    k=(-0.6, -0.2, 0.2, 0.6),
)


def one_domain(width: float = 0.01, **options: object) -> SpectrumSimulator:
    return SpectrumSimulator(
        square_ferromagnet().build(),
        LAYOUT,
        ConstantWidths(q=1e-4, energy=width),
        Instrument(np.eye(3), (Twin(1.0, np.eye(3)),), intrinsic=0.0),
        Rendering(grid=400, samples=1024, **options),  # type: ignore[arg-type]
    )


def ferromagnet_by_hand(j: float, d: float) -> np.ndarray:
    """The image in closed form: w = 2 S [|J| (2 - cos h - cos k) - 2 D / 2], S_xx = S_yy = S / 2.

    Each pixel is the mean over a fine mesh of its box; an energy bin counts what lies in it.
    """
    spin = 2.5
    out = np.zeros((3, 4, 4))
    mesh = (np.arange(40) + 0.5) / 40 - 0.5
    for s, (low, high) in enumerate(LAYOUT.energy_edges[0]):
        for row, h0 in enumerate(LAYOUT.h):
            for column, k0 in enumerate(LAYOUT.k):
                h, k = np.meshgrid(h0 + 0.5 * mesh, k0 + 0.4 * mesh, indexing="ij")
                bend = 2 - np.cos(2 * np.pi * h) - np.cos(2 * np.pi * k)
                w = 2 * spin * (abs(j) * bend - d)
                across = (2 * np.pi / 4.0) ** 2 * (h**2 + k**2)
                e = (low + high) / 2
                along = np.sqrt(80 / NEUTRON) - np.sqrt((80 - e) / NEUTRON - across)
                q2 = across + along**2
                f = form_factor("Mn2+", torch.from_numpy(np.sqrt(q2))).numpy()
                strength = f**2 * spin / 2 * (1 + along**2 / q2)
                inside = (w >= low) & (w < high)
                out[s, row, column] = (strength * inside).mean() / (high - low)
    return out


def test_a_ferromagnet_looks_as_its_closed_form() -> None:
    values = torch.tensor([[-2.0, -0.3]])
    image = one_domain(width=1e-4).images(values)[0].numpy()
    expected = ferromagnet_by_hand(-2.0, -0.3)
    assert np.abs(LAYOUT.to_tiles(image)[0] - expected).max() < 0.05 * expected.max()


def test_the_form_factor_and_l_matter() -> None:
    values = torch.tensor([[-2.0, -0.3]])
    image = one_domain(width=1e-4, form_factors=False, kinematic_l=False).images(values)[0].numpy()
    expected = ferromagnet_by_hand(-2.0, -0.3)
    assert np.abs(LAYOUT.to_tiles(image)[0] - expected).max() > 0.05 * expected.max()


def test_broad_energies_keep_the_total() -> None:
    values = torch.tensor([[-1.0, -1.0]])  # all modes between 10 and 35 meV: inside the bins
    sharp = one_domain(1e-4).images(values)[0]
    broad = one_domain(0.02).images(values)[0]
    assert not torch.allclose(sharp, broad, atol=1e-3)
    totals = [LAYOUT.to_tiles(image)[0].sum(0) for image in (sharp, broad)]
    assert torch.allclose(totals[0], totals[1], rtol=0.03, atol=1e-4)


def test_compiled_and_batched_loops_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = parse_simulation(small_simulation(temperature=100.0))
    for name in simulation.names:
        simulator = simulation.simulator(name)
        values = torch.from_numpy(simulation.ranges(name).mean(1))[None]
        compiled = simulator.images(values)
        assert compiled.max() > 0
        with monkeypatch.context() as patch:
            patch.setattr(collinear_spectra, "add_compiled", add_batched)
            batched = simulator.images(values)
        assert torch.allclose(compiled, batched, atol=2e-6 * float(compiled.max()) + 1e-9)


def test_bose_factor_doubles_where_energy_is_small() -> None:
    cold = parse_simulation(small_simulation()).simulator("ferro")
    warm = parse_simulation(small_simulation(temperature=1e5)).simulator("ferro")
    values = torch.tensor([[-2.0, -0.3]])
    ratio = warm.images(values).sum() / cold.images(values).sum()
    assert ratio > 100  # k_B T is 8.6 eV: n + 1 is about k_B T / w


def test_splitting_into_blocks_changes_nothing(shared_data: object) -> None:
    simulation = load_simulation("pcsmo", ["rendering.grid=24", "layout.pixels=8"])
    for name in simulation.names:
        simulator = simulation.simulator(name)
        assert isinstance(simulator.renderer, CollinearRenderer)
        assert simulator.renderer.solver.blocks.parities == (1, -1)
        values = torch.from_numpy(simulation.reference(name))[None]
        split = simulator.images(values)
        whole = Collinear(simulator.system, split=False)
        other = CollinearRenderer(simulator.renderer.scene, whole).image(values[0])
        assert torch.allclose(split[0], other, atol=2e-3 * float(split.max()))


def test_dimer_swap_leaves_the_image(shared_data: object) -> None:
    simulation = load_simulation("pcsmo", ["layout.pixels=10", "rendering.samples=64"])
    values = np.array([-5.0, 0.8, 1.6, -12.0, 0.9, 0.07])
    swapped = values[[3, 2, 1, 0, 4, 5]]
    assert np.array_equal(simulation.canonical("dimer", swapped), values)
    assert np.array_equal(simulation.canonical("dimer", values), values)
    simulator = simulation.simulator("dimer")
    images = simulator.images(torch.tensor(np.stack([values, swapped, values * 1.03])))
    scale = float(images[0].norm())
    same, other = float((images[1] - images[0]).norm()), float((images[2] - images[0]).norm())
    assert same < 0.1 * scale < other


def test_models_coincide_at_their_common_point(shared_data: object) -> None:
    simulation = load_simulation("pcsmo", ["layout.pixels=8", "rendering.grid=32"])
    good = simulation.simulator("goodenough").images(torch.tensor([[-11.0, 1.5, 0, 0, 0.9, 0.07]]))
    dimer = simulation.simulator("dimer").images(
        torch.tensor([[-11.0, 1.5, 1.5, -11.0, 0.9, 0.07]])
    )
    assert torch.allclose(good, dimer, atol=1e-3 * float(good.max()))


def test_energies_below_the_bins_leave_a_dark_image() -> None:
    simulator = one_domain()
    assert float(simulator.images(torch.tensor([[-0.01, 0.0]])).max()) == 0


def test_a_magnet_without_waves_is_refused() -> None:
    system = square_ferromagnet(bonds=[]).build()
    with pytest.raises(GnnmatError, match="no waves"):
        SpectrumSimulator(
            system,
            LAYOUT,
            ConstantWidths(0.01, 0.02),
            Instrument(np.eye(3), (Twin(1.0, np.eye(3)),)),
        )


@pytest.mark.parametrize(
    ("values", "given"), [([[1.0]], "list"), (torch.ones(2), r"\(2,\)"), (torch.ones(1, 9), "9")]
)
def test_couplings_of_another_shape_are_refused(values: object, given: str) -> None:
    simulator = one_domain()
    with pytest.raises(GnnmatError, match=f"{given}.*expected a tensor of shape"):
        simulator.images(values)  # type: ignore[arg-type]
