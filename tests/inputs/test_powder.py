"""Reflections of crystals, and measured patterns on the grid of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.inputs import Powder
from gnnmat.inputs.powder import suited
from gnnmat.inputs.resampling import resampled
from gnnmat.simulation.diffraction.angles import WAVELENGTHS, Grid
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.pattern_objects import records_from_patterns
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern

from ..contracts import crystals

FIRST = WAVELENGTHS["CuKa1"]


def peaks_of(crystal: Any, **options: Any) -> np.ndarray:
    made = Powder(**options).sample(crystal)["peaks"]
    assert made.dtype == np.float64
    return made[0]


def test_reflections_are_those_of_the_crystal_with_half_the_multiplicity() -> None:
    peaks = peaks_of(crystals.rock_salt(), two_theta=(10.0, 60.0))
    there = peaks[peaks[:, 3] > 0]
    angles = np.degrees(2 * np.arcsin(np.linalg.norm(there[:, :3], axis=1) * FIRST / 2))
    known = powder_peaks(
        Cells.of([crystals.rock_salt()]), wavelength="CuKa1", two_theta=(8, 62), correction="none"
    )
    for angle, intensity, count in zip(
        known.two_theta.numpy(), known.intensity.numpy(), known.multiplicity.numpy(), strict=True
    ):
        same = np.abs(angles - angle) < 1e-3
        if intensity > 1e-6:
            assert same.sum() == count / 2
            assert there[same, 3].sum() == pytest.approx(intensity, rel=1e-9)


def test_no_reflection_stands_beside_its_opposite() -> None:
    q = peaks_of(crystals.low_symmetry())[:, :3]
    q = q[np.linalg.norm(q, axis=1) > 0]
    assert np.abs(q[:, None] + q[None]).sum(axis=2).min() > 1e-6


def test_the_strongest_are_kept_and_come_first() -> None:
    every, few = (peaks_of(crystals.low_symmetry(), reflections=n) for n in (2000, 20))
    np.testing.assert_array_equal(few, every[:20])
    seen = every[:, 3] / np.maximum((every[:, :3] ** 2).sum(axis=1), 1e-9)
    assert (np.diff(seen) <= 1e-6 * seen.max()).all()
    assert (every[-1] == 0).all()


def pattern(
    angles: np.ndarray, lines: tuple[float, ...], wavelength: float | None = FIRST
) -> PowderPattern:
    counts = 10 + sum(1000 * np.exp(-(((angles - one) / 0.2) ** 2)) for one in lines)
    return powder_pattern("film", angles, counts, wavelength=wavelength)


GRID = Grid(10, 80, 1401)


def test_a_pattern_on_the_grid_stays_as_it_is() -> None:
    given = pattern(GRID.angles.numpy(), (30.0, 60.0))
    np.testing.assert_allclose(resampled(given, GRID, FIRST), given.counts)


def test_fine_steps_are_averaged_and_coarse_ones_joined() -> None:
    fine = pattern(np.linspace(5, 85, 16001), (30.0, 60.0))
    expected = pattern(GRID.angles.numpy(), (30.0, 60.0)).counts
    np.testing.assert_allclose(resampled(fine, GRID, FIRST), expected, atol=6.0)
    random = np.random.default_rng(0)
    noisy = powder_pattern("film", fine.two_theta, random.poisson(100, 16001), wavelength=FIRST)
    assert resampled(noisy, GRID, FIRST).std() == pytest.approx(10 / np.sqrt(10), rel=0.1)
    coarse = pattern(np.linspace(5, 85, 801), (30.0, 60.0))
    np.testing.assert_allclose(resampled(coarse, GRID, FIRST), expected, atol=80.0)


def test_another_wavelength_is_read_off_at_the_same_spacing() -> None:
    cobalt = WAVELENGTHS["CoKa1"]
    d = 2.5
    there = np.degrees(2 * np.arcsin(cobalt / 2 / d))
    found = resampled(pattern(np.linspace(5, 110, 4000), (there,), cobalt), GRID, FIRST)
    expected = np.degrees(2 * np.arcsin(FIRST / 2 / d))
    assert GRID.angles[found.argmax()].item() == pytest.approx(expected, abs=0.06)


def test_peaks_of_another_wavelength_get_the_areas_they_have_here() -> None:
    cobalt, made = WAVELENGTHS["CoKa1"], {}
    for wave in (cobalt, FIRST):
        peaks = powder_peaks(Cells.of([crystals.copper()]), wavelength=wave, two_theta=(20, 100))
        angles = np.linspace(5, 115, 8000)
        counts = sum(
            float(area) * np.exp(-(((angles - float(at)) / 0.2) ** 2))
            for at, area in zip(peaks.two_theta, peaks.intensity, strict=True)
        )
        made[wave] = resampled(
            powder_pattern("copper", angles, counts, wavelength=wave), GRID, FIRST
        )
    x = GRID.angles.numpy()
    ratios = [
        [one[(x > low) & (x < low + 4)].sum() for low in (41.5, 48.5, 72.0)]
        for one in made.values()
    ]
    shares = [np.array(one) / one[0] for one in ratios]
    np.testing.assert_allclose(shares[0], shares[1], rtol=0.02)


def test_a_pattern_that_is_too_short_is_refused_with_what_is_missing() -> None:
    short = pattern(np.linspace(20, 60, 2000), (30.0,))
    with pytest.raises(GnnmatError, match="10 to 20 and 60 to 80 degrees are missing"):
        resampled(short, GRID, FIRST)
    with pytest.raises(GnnmatError, match="10 to 80 degrees are missing"):
        resampled(pattern(np.linspace(1, 8, 500), (4.0,)), GRID, FIRST)


def test_what_is_missing_at_the_ends_becomes_background() -> None:
    found = resampled(pattern(np.linspace(12, 78, 3000), (30.0,)), GRID, FIRST)
    x = GRID.angles.numpy()
    np.testing.assert_allclose(found[x < 12], 10.0, atol=1e-6)
    np.testing.assert_allclose(found[x > 78], 10.0, atol=1e-6)


def test_a_hole_in_the_middle_is_missing_and_no_straight_line() -> None:
    parts = np.linspace(8, 30, 1100), np.linspace(55, 85, 1500)
    holed = pattern(np.concatenate(parts), (20.0, 60.0))
    with pytest.raises(GnnmatError, match=r": 29\.95 to 55 degrees are missing") as caught:
        resampled(holed, GRID, FIRST)
    assert "up to 25 degrees apart" in caught.value.why
    assert "lacks 36%" in caught.value.why
    found = resampled(holed, GRID, FIRST, missing=0.5)
    x = GRID.angles.numpy()
    there = (x < 30) | (x > 55)
    full = pattern(np.linspace(8, 85, 3851), (20.0, 60.0))
    np.testing.assert_allclose(found[there], resampled(full, GRID, FIRST)[there], atol=3.0)
    np.testing.assert_allclose(found[~there], 10.0, atol=1e-6)


def test_a_hole_is_filled_from_background_to_background() -> None:
    angles = np.linspace(8, 85, 3851)
    angles = angles[(angles < 40) | (angles > 44)]
    counts = np.where(angles < 42, 20.0, 60.0)
    counts[np.flatnonzero(angles < 42)[-1]] = 5000.0  # the hole begins on a peak
    found = resampled(powder_pattern("film", angles, counts, wavelength=FIRST), GRID, FIRST)
    inside = (GRID.angles.numpy() > 40.1) & (GRID.angles.numpy() < 43.9)
    assert (np.diff(found[inside]) > 0).all()
    assert 20 <= found[inside].min() < 22
    assert 58 < found[inside].max() <= 60


def test_a_pattern_that_is_far_too_coarse_is_missing_everywhere() -> None:
    fine = Grid(10, 80, 2048)
    coarse = pattern(np.linspace(9, 81, 12), (30.0,))
    with pytest.raises(GnnmatError, match="10 to 80 degrees are missing") as caught:
        resampled(coarse, fine, FIRST, missing=0.5)
    assert "up to 6.55 degrees apart" in caught.value.why
    assert "in finer steps" in caught.value.fix
    resampled(pattern(np.arange(9, 81.1, 0.3), (30.0,)), fine, FIRST)
    # A model that looks at every degree needs no finer steps than that.
    resampled(pattern(np.arange(9.0, 82.0), (30.0,)), Grid(10, 80, 71), FIRST)


def test_many_holes_are_told_by_the_first_ones() -> None:
    angles = np.arange(7.005, 83, 0.02)
    gone = pattern(angles[((angles + 1) % 10) < 6], (11.0,))  # 9 to 15, 19 to 25, ...
    named = r": 14\.95 to 19\.05, 24\.95 to 29\.05, 34\.95 to 39\.05 degrees and 4 more stretches"
    with pytest.raises(GnnmatError, match=named):
        resampled(gone, GRID, FIRST)


def test_a_hole_of_another_wavelength_lies_where_it_was_measured() -> None:
    cobalt = WAVELENGTHS["CoKa1"]
    parts = np.linspace(5, 40, 2000), np.linspace(70, 110, 2000)
    holed = pattern(np.concatenate(parts), (20.0,), cobalt)
    here = [np.degrees(2 * np.arcsin(np.sin(np.radians(a / 2)) * FIRST / cobalt)) for a in (40, 70)]
    with pytest.raises(GnnmatError, match=f"{here[0]:.0f}.* to {here[1]:.0f}"):
        resampled(holed, GRID, FIRST)
    resampled(holed, GRID, FIRST, missing=0.5)


def test_a_pattern_without_wavelength_is_refused_unless_one_is_assumed() -> None:
    silent = pattern(GRID.angles.numpy(), (30.0,), None)
    with pytest.raises(GnnmatError, match="nobody said at which wavelength"):
        resampled(silent, GRID, FIRST)
    np.testing.assert_allclose(resampled(silent, GRID, FIRST, assumed=1.5406), silent.counts)


def test_a_pattern_of_another_radiation_is_refused() -> None:
    given = replace(pattern(GRID.angles.numpy(), (30.0,), FIRST), radiation="neutron")
    with pytest.raises(GnnmatError, match="radiation of another kind: neutron"):
        Powder(of="pattern").sample(given)


def test_the_names_of_one_line_and_of_the_doublet_are_taken_for_the_same() -> None:
    given = pattern(GRID.angles.numpy(), (30.0,), WAVELENGTHS["CuKa"])
    np.testing.assert_allclose(resampled(given, GRID, FIRST), given.counts)


def test_records_decide_what_samples_are_made_of() -> None:
    input = Powder()
    found = suited(input, records_from_patterns([pattern(GRID.angles.numpy(), (30.0,))]))
    assert (found.of, found.fields) == ("pattern", ("image",))
    assert suited(input, records_from_objects([crystals.copper()])) is input


def test_a_raw_item_of_the_other_kind_is_refused() -> None:
    with pytest.raises(GnnmatError, match="of a crystal was given a PowderPattern"):
        Powder().sample(pattern(GRID.angles.numpy(), (30.0,)))
    with pytest.raises(GnnmatError, match="of a pattern was given a Crystal"):
        Powder(of="pattern").sample(crystals.copper())


def test_ranges_and_wavelengths_that_are_none_are_refused() -> None:
    for wrong in ({"two_theta": (80, 10)}, {"wavelength": "CuKb"}, {"wavelength": 50.0}):
        with pytest.raises(ValidationError):
            Powder(**wrong)
