"""The instrument hands every value to what it is of: lines and backgrounds by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.augment import PowderMeasurement
from gnnmat.augment.augmentation import stream
from gnnmat.augment.powder_draws import Drawn, nothing_drawn
from gnnmat.augment.powder_instrument import PowderInstrument
from gnnmat.sample import DataSpec

Floats = NDArray[np.float64]

A = 4.0  # Å, of a primitive cubic crystal
HKL = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 1], [2, 1, 0], [0, 2, 2], [2, 2, 1]])
INTENSITY = np.array([3.0, 5.0, 2.0, 4.0, 6.0, 8.0])
# K-alpha 1 of copper, Å. Source: Hölzer et al., Phys. Rev. A 56, 4554 (1997).
WAVELENGTH = 1.54059
RADIUS = 200.0  # mm
NEAR = 2.0  # degrees on each side of a line; the next one is at least 4 away
CALM: dict[str, Any] = {
    "lattice": 0.0, "strain": 0.0, "shift": 0.0, "height": 0.0, "textured": 0.0, "scatter": 0.0,
    "spurious": 0.0, "short": 0.0, "counts": (1e7, 1e7), "radius": RADIUS, "clean_width": 0.12,
}  # fmt: skip


def instrument(radiation: str = "xray", **options: Any) -> PowderInstrument:
    grid = {"two_theta": [10, 80], "points": 3501, "wavelength": WAVELENGTH, "radiation": radiation}
    return PowderMeasurement(**CALM | options).build(DataSpec(fields=("peaks",), grid=grid))


def peaks(rows: int = 1) -> Tensor:
    """(rows, 8, 4) the reflections, the last two of them padding."""
    out = torch.zeros(rows, len(HKL) + 2, 4)
    out[:, : len(HKL), :3] = torch.from_numpy(HKL / A)
    out[:, : len(HKL), 3] = torch.from_numpy(INTENSITY)
    return out


def plain(**values: Any) -> Drawn:
    """An ideal sample but for these values, one pattern."""
    calm = nothing_drawn(instrument().options, 1, peaks())
    return replace(calm, **{name: torch.tensor([value]) for name, value in values.items()})


def pattern(module: PowderInstrument | None = None, **values: Any) -> Floats:
    """(points,) intensity per degree."""
    found = (module or instrument()).pattern(peaks(), plain(**values))
    return found[0].double().numpy()


def bragg(lattice: Floats) -> Floats:
    """(6,) theta in radians: lambda = 2 d sin(theta), with 1/d the length of a reciprocal vector.

    Args:
        lattice: (3, 3) Å, a vector a row.
    """
    q = HKL @ np.linalg.inv(lattice).T
    return np.arcsin(WAVELENGTH * np.linalg.norm(q, axis=1) / 2)


THETA = bragg(A * np.eye(3))
ANGLES = np.linspace(10, 80, 3501)


def seen(drawn: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Centres in degrees of 2 theta, and areas, of the lines that are near these angles."""
    centres, areas = [], []
    for angle in at:
        near = np.abs(ANGLES - angle) < NEAR
        areas.append(drawn[near].sum() * (ANGLES[1] - ANGLES[0]))
        centres.append(np.average(ANGLES[near], weights=drawn[near]))
    return np.array(centres), np.array(areas)


def assert_places(drawn: Floats, theta: Floats) -> None:
    expected = np.degrees(2 * theta)
    np.testing.assert_allclose(seen(drawn, expected)[0], expected, atol=2e-3)


def ratio(drawn: Floats) -> Floats:
    """(6,) areas of lines that did not move, over those of an ideal sample."""
    at = np.degrees(2 * THETA)
    return seen(drawn, at)[1] / seen(pattern(), at)[1]


@pytest.mark.parametrize("radiation", ["xray", "neutron"])
def test_lines_are_at_the_angles_of_bragg_with_the_factor_of_their_angle(radiation: str) -> None:
    found = pattern(instrument(radiation))
    assert_places(found, THETA)
    expected = INTENSITY / (np.sin(THETA) ** 2 * np.cos(THETA))
    if radiation == "xray":
        expected = expected * (1 + np.cos(2 * THETA) ** 2)
    np.testing.assert_allclose(seen(found, np.degrees(2 * THETA))[1], expected, rtol=1e-3)


@pytest.mark.parametrize(
    "strain",
    [np.eye(3) * 0.01, np.diag([0.01, -0.008, 0.004]), np.array([[0, 6, 0], [6, 0, 3], [0, 3, 0]])],
    ids=["alike", "along the axes", "shear"],
)
def test_strain_moves_lines_to_where_the_deformed_lattice_has_them(strain: Floats) -> None:
    strain = strain / 1000 if strain.max() > 1 else strain
    theta = bragg(A * (np.eye(3) + strain))
    assert np.abs(np.degrees(2 * (theta - THETA))).max() > 0.1
    assert_places(pattern(strain=strain.tolist()), theta)


def test_thermal_motion_weakens_lines_by_exp_minus_2_b_s_squared() -> None:
    s = np.sin(THETA) / WAVELENGTH
    np.testing.assert_allclose(ratio(pattern(b=1.7)), np.exp(-2 * 1.7 * s**2), rtol=1e-3)


@pytest.mark.parametrize(("place", "share"), [(0, 0.05), (1, 0.25), (5, 0.95)])
@pytest.mark.parametrize("r", [0.5, 1.6])
def test_texture_is_that_of_march_and_dollase_along_one_reflection(
    r: float, place: int, share: float
) -> None:
    unit = HKL / np.linalg.norm(HKL, axis=1)[:, None]
    alpha = np.arccos((unit @ unit[place]).clip(-1, 1))
    # Dollase, J. Appl. Cryst. 19, 267 (1986). Plates, r < 1: the preferred direction is stronger.
    expected = (r**2 * np.cos(alpha) ** 2 + np.sin(alpha) ** 2 / r) ** -1.5
    assert (expected[place] > 1) == (r < 1)
    found = ratio(pattern(r=r, direction=share))
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("height", [0.3, -0.5])
def test_a_raised_sample_moves_lines_as_rays_have_it(height: float) -> None:
    # Source and detector are at R (-+cos t, sin t), the sample at (0, h). Its angle of incidence
    # is that of Bragg where R sin(t - theta) = h cos(theta): to first order 2 h cos(theta) / R in
    # 2 theta, and to higher angles for a sample that lies too high.
    read = THETA + np.arcsin(height * np.cos(THETA) / RADIUS)
    assert_places(pattern(height=height), read)


def test_a_zero_error_moves_all_lines_alike() -> None:
    assert_places(pattern(shift=0.4), THETA + np.radians(0.4) / 2)


def test_scatter_is_a_factor_on_each_reflection() -> None:
    scatter = [0.5, -0.3, 0.2, -1.0, 0.0, 0.7]
    found = ratio(pattern(scatter=[*scatter, 0.0, 0.0]))
    np.testing.assert_allclose(found, np.exp(scatter), rtol=1e-3)


def test_a_line_of_another_phase_is_measured_against_the_strongest() -> None:
    nothing = [0.0] * 5
    found = pattern(spurious_place=[0.25, *nothing], spurious_area=[0.1, *nothing])
    (centre,), (area,) = seen(found - pattern(), np.array([27.0]))
    assert centre == pytest.approx(10 + 0.25 * 70, abs=2e-3)
    assert area == pytest.approx(0.1 * seen(found, np.degrees(2 * THETA))[1].max(), rel=2e-3)


def full_widths(drawn: Floats) -> Floats:
    """(6,) degrees between the points of half the height."""
    found = []
    for angle in np.degrees(2 * THETA):
        near = np.flatnonzero(np.abs(ANGLES - angle) < NEAR)
        line = drawn[near]
        above = np.flatnonzero(line > line.max() / 2)
        left, right = above[0], above[-1]
        ends = [(left - 1, left), (right, right + 1)]
        half = [np.interp(line.max() / 2, *_rising(line, ANGLES[near], pair)) for pair in ends]
        found.append(half[1] - half[0])
    return np.array(found)


def _rising(line: Floats, angles: Floats, pair: tuple[int, int]) -> tuple[Floats, Floats]:
    order = sorted(pair, key=lambda place: line[place])
    return line[order], angles[order]


# A line between two angles at which widths are computed is the sum of both profiles: up to 3
# percent wider than its own.
BETWEEN = 0.03


def test_gaussian_widths_are_those_of_caglioti() -> None:
    tangent = np.tan(THETA)
    expected = np.sqrt(0.05 * tangent**2 - 0.03 * tangent + 0.02)
    found = full_widths(pattern(u=0.05, v=-0.03, w=0.02))
    np.testing.assert_allclose(found, expected, rtol=BETWEEN)


def test_small_crystallites_and_microstrain_widen_lines() -> None:
    # Far wider than the Gaussian part, so that the sum of both is nearly the Lorentzian.
    size = np.degrees(0.94 * WAVELENGTH / (180 * np.cos(THETA)))
    strain = np.degrees(4 * 0.004 * np.tan(THETA))
    np.testing.assert_allclose(full_widths(pattern(size=180.0, w=0.002)), size, rtol=BETWEEN)
    both = full_widths(pattern(size=180.0, microstrain=0.004, w=0.002))
    np.testing.assert_allclose(both, size + strain, rtol=BETWEEN)


def levels(module: PowderInstrument, rows: int, *, of_crystals: bool) -> Floats:
    """(rows,) mean of what is added to patterns, over their highest point."""
    generators = [stream("train", 0, 0, row) for row in range(rows)]
    lines_alone = module.pattern(peaks(), plain()).expand(rows, -1)
    if of_crystals:
        found = module.measured(peaks(rows), generators)
        calm = replace(nothing_drawn(module.options, rows, peaks()), b=torch.zeros(rows))
        lines_alone = module.pattern(peaks(rows), calm)
    else:
        found = module.disturbed(lines_alone, generators)
    share = lines_alone / lines_alone.amax(dim=1, keepdim=True)
    return (found / 1e7 - share).double().mean(dim=1).numpy()


@pytest.mark.parametrize("of_crystals", [True, False], ids=["crystals", "measured"])
@pytest.mark.parametrize("amorphous", [0.0, 1.0])
def test_the_mean_background_over_the_highest_point_is_as_drawn(
    of_crystals: bool, amorphous: float
) -> None:
    still = {"debye_waller": (0.0, 0.0), "u": (0.0, 0.0), "v": (0.0, 0.0), "size": (1e9, 1e9)}
    still |= {"microstrain": (0.0, 0.0), "width": (0.12, 0.12)}
    fixed = instrument(**still, background=(0.25, 0.25), amorphous=amorphous)
    found = levels(fixed, 8, of_crystals=of_crystals)
    np.testing.assert_allclose(found, 0.25, rtol=1e-3)
    ranged = instrument(**still, background=(0.05, 0.4), amorphous=amorphous)
    found = levels(ranged, 40, of_crystals=of_crystals)
    assert 0.049 < found.min() < 0.08
    assert 0.3 < found.max() < 0.401
