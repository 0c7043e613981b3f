from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gnnmat.simulation.inference.noise_estimate import estimate_noise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import render
from gnnmat.simulation.inference.whole_counts import read_off, spacings
from gnnmat.simulation.layout import relative_layout

from .ring import TRUTH, Ring, counted, noise_of

WIDE = relative_layout((20.0, 40.0), first=0.1, width=0.15, slices=4, pixels=32)
IMAGE = render(Ring(WIDE), TRUTH)


@pytest.mark.parametrize("background", [0.4, 3.5, 17.3])
@pytest.mark.parametrize("per_intensity", [0.02, 60.0])
def test_counts_and_background_are_read_off(background: float, per_intensity: float) -> None:
    image = IMAGE * 60 / per_intensity
    noise = noise_of(WIDE, per_intensity=per_intensity, background=background)
    observed = counted(image, noise, layout=WIDE)
    found = estimate_noise(observed, observed.take(image))
    np.testing.assert_allclose(found.per_intensity, per_intensity, rtol=1e-3)
    # A whole count more or less may be as likely; the fraction is known.
    off = found.background - background
    np.testing.assert_allclose(off, np.round(off), atol=0.02)
    assert np.abs(off).max() < 1 + 0.15 * background


@pytest.mark.parametrize("residual", [-0.6, 0.8])
def test_a_background_that_was_misjudged_is_not_taken_for_counts(residual: float) -> None:
    noise = noise_of(WIDE, background=1.5)
    observed = counted(IMAGE + residual / 60, noise, layout=WIDE)
    found = estimate_noise(observed, observed.take(IMAGE))
    assert (np.abs(found.background - 1.5) < 0.02).mean() >= 0.75  # of eight small tiles


def test_a_few_false_peaks_change_nothing() -> None:
    observed = counted(IMAGE, noise_of(WIDE), layout=WIDE)
    image = observed.image.copy()
    image.ravel()[np.random.default_rng(0).integers(image.size, size=30)] = 0.123456
    spoiled = Observation(image, observed.mask, WIDE)
    np.testing.assert_allclose(spacings(spoiled)[0], 1 / 60, rtol=1e-3)


def test_other_values_are_left_to_the_estimate() -> None:
    observed = counted(IMAGE, noise_of(WIDE), layout=WIDE)
    rng = np.random.default_rng(1)
    # Detectors of different efficiency: every pixel has a count of its own size.
    efficiency = rng.uniform(0.8, 1.2, observed.image.shape)
    averaged = Observation(observed.image * efficiency, observed.mask, WIDE)
    assert np.isnan(spacings(averaged)[0]).all()
    noise = noise_of(WIDE, per_intensity=50.0)
    assert read_off(averaged, noise, averaged.take(IMAGE)) is noise


def test_only_whole_counts_are_taken_as_exact() -> None:
    observed = counted(IMAGE, noise_of(WIDE), layout=WIDE)
    image = observed.image.copy()
    rows, columns = WIDE.tile_shape
    image[:rows, :columns] *= np.random.default_rng(2).uniform(0.8, 1.2, (rows, columns))
    mixed = Observation(image, observed.mask, WIDE)
    noise = replace(noise_of(WIDE), exact=False)
    exact = np.asarray(read_off(mixed, noise, mixed.take(IMAGE)).exact)
    assert exact.tolist() == [False, *[True] * 7]
