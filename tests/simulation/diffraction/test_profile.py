"""Profiles: areas and widths as given, a doublet where it belongs, and nothing outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import voigt_profile

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import WAVELENGTHS, powder_peaks
from gnnmat.simulation.diffraction.profile import Grid, Profile, draw_pattern, pseudo_voigt

from ...contracts import crystals

LINE = 1.54056


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize(
    ("gaussian", "lorentzian"), [(0.1, 1e-9), (0.1, 0.05), (1e-9, 0.1), (0.02, 0.1)]
)
def test_pseudo_voigt_is_close_to_the_voigt_of_scipy(gaussian: float, lorentzian: float) -> None:
    x = torch.linspace(-0.5, 0.5, 1001, dtype=torch.float64)
    found = pseudo_voigt(x, one(gaussian).expand(1001), one(lorentzian).expand(1001))
    sigma, gamma = gaussian / np.sqrt(8 * np.log(2)), lorentzian / 2
    expected = voigt_profile(x.numpy(), sigma, gamma)
    # Thompson, Cox & Hastings state 1.2% of the height.
    assert np.abs(found.numpy() - expected).max() < 0.012 * expected.max()


def pattern(profile: Profile, grid: Grid | None = None, **options: float) -> torch.Tensor:
    cells = Cells.of([crystals.rock_salt(), crystals.copper()])
    peaks = powder_peaks(cells, wavelength="CuKa1")
    return draw_pattern(peaks, 2, grid or Grid(), profile, **options)


def test_the_area_of_a_pattern_is_the_sum_of_its_peaks() -> None:
    cells = Cells.of([crystals.rock_salt(), crystals.copper()])
    peaks = powder_peaks(cells, wavelength="CuKa1", two_theta=(0, 80))
    grid = Grid(0, 90, 18001)
    drawn = draw_pattern(peaks, 2, grid, Profile(w=0.01))
    for cell in range(2):
        total = float(peaks.intensity[peaks.owner == cell].sum())
        assert float(drawn[cell].sum()) * grid.step == pytest.approx(total, rel=1e-6)


def test_the_width_of_a_peak_is_that_of_caglioti_and_of_scherrer() -> None:
    cells = Cells.of([crystals.copper()])
    peaks = powder_peaks(cells, wavelength="CuKa1", two_theta=(40, 46))
    assert len(peaks.owner) == 1
    grid, theta = Grid(40, 47, 70001), np.deg2rad(float(peaks.two_theta[0]) / 2)
    u, v, w = 0.02, -0.01, 0.015
    drawn = draw_pattern(peaks, 1, grid, Profile(u=u, v=v, w=w))[0]
    expected = np.sqrt(u * np.tan(theta) ** 2 + v * np.tan(theta) + w)
    assert _width(drawn, grid) == pytest.approx(expected, rel=1e-3)
    drawn = draw_pattern(peaks, 1, grid, Profile(w=1e-8, size=200.0))[0]
    expected = np.rad2deg(0.94 * LINE / (200 * np.cos(theta)))
    assert _width(drawn, grid) == pytest.approx(expected, rel=1e-2)


def _width(drawn: torch.Tensor, grid: Grid) -> float:
    return float((drawn > drawn.max() / 2).sum()) * grid.step


def test_the_doublet_has_its_second_line_at_half_the_height() -> None:
    cells = Cells.of([crystals.copper()])
    peaks = powder_peaks(cells, wavelength="CuKa1", two_theta=(73, 76))
    ratio = WAVELENGTHS["CuKa2"] / WAVELENGTHS["CuKa1"]
    grid = Grid(73, 76, 30001)
    drawn = draw_pattern(peaks, 1, grid, Profile(w=1e-4, second=ratio))[0]
    second = np.rad2deg(2 * np.arcsin(WAVELENGTHS["CuKa2"] / 2 / float(peaks.spacing[0])))
    place = round((second - grid.start) / grid.step)
    assert float(drawn[place] / drawn.max()) == pytest.approx(0.5, abs=0.02)


def test_a_zero_shift_moves_the_pattern() -> None:
    grid = Grid(10, 90, 8001)
    plain, moved = pattern(Profile(), grid), pattern(Profile(), grid, shift=0.5)
    torch.testing.assert_close(moved[:, 60:], plain[:, 10:-50], rtol=1e-3, atol=1.0)


def test_what_is_no_grid_and_no_width_is_refused() -> None:
    with pytest.raises(GnnmatError, match="is none"):
        Grid(90, 10, 100)
    with pytest.raises(GnnmatError, match="positive"):
        Profile(w=-1)
    with pytest.raises(GnnmatError, match="below zero"):
        pattern(Profile(u=0.0, v=-0.5, w=0.01))
