"""Fast drawing gives what exact drawing gives, to a few per cent of a narrow peak's height."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.special import voigt_profile

from gnnmat.simulation.diffraction import drawing
from gnnmat.simulation.diffraction.angles import Grid, emission
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.drawing import (
    caglioti,
    draw_lines,
    fast_size,
    lines,
    nodes,
    scherrer,
)
from gnnmat.simulation.diffraction.powder import WAVELENGTHS, Peaks, powder_peaks
from gnnmat.simulation.diffraction.profile import Profile, draw_pattern

from ...contracts import crystals

GRID = Grid(10, 80, 2048)
FIRST, SECOND = WAVELENGTHS["CuKa1"], WAVELENGTHS["CuKa2"]


def peaks_of(*made: Any) -> Peaks:
    return powder_peaks(Cells.of(made), wavelength="CuKa1", two_theta=(8, 82))


def as_rows(peaks: Peaks, cells: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(cells, P) 1/d and intensity without the factor of the angle, padded with zeros."""
    from gnnmat.simulation.diffraction.angles import angle_factor

    most = int(torch.bincount(peaks.owner).max())
    length, intensity = torch.zeros(cells, most), torch.zeros(cells, most)
    for cell in range(cells):
        own = peaks.of(cell)
        bare = own.intensity / angle_factor(
            torch.deg2rad(own.two_theta / 2), "lorentz_polarization"
        )
        length[cell, : len(bare)] = (1 / own.spacing).float()
        intensity[cell, : len(bare)] = bare.float()
    return length, intensity


def drawn(peaks: Peaks, cells: int, *, u: float, v: float, w: float, size: float, strain: float):
    at, full = nodes(GRID), lambda value: torch.full((cells,), value)
    angles, areas = lines(*as_rows(peaks, cells), "CuKa", "lorentz_polarization")
    gaussian = caglioti(at, full(u), full(v), full(w))
    return draw_lines(angles, areas, GRID, gaussian, scherrer(at, FIRST, full(size), full(strain)))


@pytest.mark.parametrize(
    ("w", "size", "strain", "u", "v", "tolerance"),
    [
        (0.01, math.inf, 0.0, 0.0, 0.0, 0.01),
        (0.01, 300.0, 0.001, 0.01, -0.002, 0.013),
        (0.02, 100.0, 0.0, 0.02, -0.01, 0.013),
        (0.006, 1e4, 0.003, 0.0, 0.0, 0.03),  # widths from 0.2 to 0.7 degrees, a node in six
    ],
)
def test_patterns_are_those_of_exact_drawing(
    w: float, size: float, strain: float, u: float, v: float, tolerance: float
) -> None:
    peaks = peaks_of(crystals.rock_salt(), crystals.copper(), crystals.magnesium())
    options = {"u": u, "v": v, "w": w, "size": size, "strain": strain}
    found = drawn(peaks, 3, **options)
    profile = Profile(**options, second=SECOND / FIRST)
    exact = draw_pattern(peaks, 3, GRID, profile, wavelength="CuKa1")
    # 1.2% of the height is what a pseudo-Voigt, the exact one's, differs from a Voigt.
    off = (found - exact).abs().amax(dim=1) / exact.amax(dim=1)
    assert float(off.max()) < tolerance
    assert float(found.sum() / exact.sum()) == pytest.approx(1.0, abs=0.02)


def test_a_line_is_a_voigt_wherever_it_lies_between_two_points() -> None:
    gaussian, lorentzian = 0.12, 0.08
    for part in (0.0, 0.3, 0.5):
        centre = GRID.start + GRID.step * (1000 + part)
        widths = torch.full((1, 2), gaussian).double(), torch.full((1, 2), lorentzian).double()
        one = torch.tensor([[centre]]).double()
        found = draw_lines(one, torch.ones(1, 1).double(), GRID, *widths)[0]
        sigma = gaussian / math.sqrt(8 * math.log(2))
        expected = torch.from_numpy(
            voigt_profile((GRID.angles - centre).numpy(), sigma, lorentzian / 2)
        )
        assert float((found - expected).abs().max()) < 0.007 * float(expected.max())


def test_a_pattern_does_not_depend_on_the_others() -> None:
    peaks = peaks_of(crystals.rock_salt(), crystals.copper())
    angles, areas = lines(*as_rows(peaks, 2), "CuKa", "lorentz_polarization")
    angles, areas = (torch.cat([one] * 9) for one in (angles, areas))  # more than are done at once
    widths = torch.full((18, 3), 0.1), torch.full((18, 3), 0.05)
    together = draw_lines(angles, areas, GRID, *widths)
    alone = draw_lines(angles[5:6], areas[5:6], GRID, *(one[5:6] for one in widths))
    assert torch.equal(together[5], alone[0])


def test_gradients_move_lines_to_where_they_belong() -> None:
    angle = torch.tensor([[40.0]], dtype=torch.float64, requires_grad=True)
    wide = torch.full((1, 2), 0.5, dtype=torch.float64)
    target = draw_lines(angle.detach() + 0.1, torch.ones_like(angle), GRID, wide, wide)
    loss = (draw_lines(angle, torch.ones_like(angle), GRID, wide, wide) - target).square().sum()
    loss.backward()
    assert float(angle.grad) < 0


def test_a_doublet_has_two_lines_and_padding_none() -> None:
    length = torch.tensor([[1 / 2.0, 0.0, 2.0]])  # d = 2 Å, padding, and beyond what can reflect
    angles, areas = lines(length, torch.ones(1, 3), "CuKa", "none")
    expected = [math.degrees(2 * math.asin(wave / 4)) for wave in (FIRST, SECOND)]
    assert angles[0, [0, 3]].tolist() == pytest.approx(expected, rel=1e-6)
    assert areas[0].tolist() == [1.0, 0, 0, 0.5, 0, 0]
    assert lines(length, torch.ones(1, 3), "CuKa1", "none")[0].shape == (1, 3)
    assert emission(1.5) == ((1.5, 1.0),)


@pytest.mark.parametrize("points", [2048, 16384])
@pytest.mark.parametrize("centre", [8.0, 10.0, 11.0, 79.0, 82.0])
def test_lines_near_an_end_are_drawn_once_on_any_grid(points: int, centre: float) -> None:
    grid, gaussian, lorentzian = Grid(10, 80, points), 0.12, 0.6
    widths = torch.full((1, 2), gaussian).double(), torch.full((1, 2), lorentzian).double()
    one = torch.tensor([[centre]]).double()
    found = draw_lines(one, torch.ones(1, 1).double(), grid, *widths)[0]
    sigma = gaussian / math.sqrt(8 * math.log(2))
    away = (grid.angles - centre).numpy()
    expected = torch.from_numpy(voigt_profile(away, sigma, lorentzian / 2))
    top = voigt_profile(0.0, sigma, lorentzian / 2)
    # Of the height: a line outside comes back over 6 degrees, 0.3^2 / 6^2 and what a Voigt has.
    assert float((found - expected).abs().max()) < 0.004 * top


def test_what_was_drawn_without_gradients_does_not_spoil_gradients() -> None:
    drawing._transforms.cache_clear()
    wide = torch.full((1, 2), 0.5, dtype=torch.float64)
    line = torch.tensor([[40.0]]).double(), torch.ones(1, 1).double()
    with torch.inference_mode():
        draw_lines(*line, GRID, wide, wide)
    widths = wide.clone().requires_grad_()
    draw_lines(*line, GRID, widths, wide).square().sum().backward()
    assert widths.grad is not None
    assert float(widths.grad.abs().sum()) > 0


def test_lines_beside_the_grid_are_not_drawn() -> None:
    widths = torch.full((1, 2), 0.1), torch.full((1, 2), 0.1)
    far = draw_lines(torch.tensor([[2.0, 95.0]]), torch.ones(1, 2), GRID, *widths)
    assert float(far.max()) < 1e-4


def test_sizes_are_fast_ones() -> None:
    assert [fast_size(n) for n in (1, 7, 97, 2048, 2049)] == [2, 8, 100, 2048, 2160]
