from __future__ import annotations

import numpy as np

from gnnmat.simulation.inference.noise_estimate import estimate_noise, neighbourhood_mean
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats, render
from gnnmat.simulation.layout import relative_layout

from .ring import TRUTH, Ring, counted, noise_of

WIDE = relative_layout((20.0, 40.0), first=0.1, width=0.15, slices=4, pixels=32)


def _ratios(observed: Observation, expected: Floats | None) -> Floats:
    noise = estimate_noise(observed, expected)
    ratios: Floats = noise.sigma / noise_of(WIDE).sigma
    return ratios


def test_noise_is_found_with_the_right_model() -> None:
    image = render(Ring(WIDE), TRUTH)
    observed = counted(image, noise_of(WIDE), layout=WIDE)
    ratios = _ratios(observed, observed.take(image))
    assert np.median(ratios) > 0.9
    assert np.median(ratios) < 1.1
    assert ratios.max() < 1.35


def test_counts_of_the_background_are_found_within_a_factor_of_two() -> None:
    image = render(Ring(WIDE), TRUTH)
    observed = counted(image, noise_of(WIDE), layout=WIDE)
    found = estimate_noise(observed, observed.take(image)).background
    assert 2 < np.median(found) < 6  # 3.5 were counted


def test_noise_is_found_roughly_without_any_model() -> None:
    observed = counted(render(Ring(WIDE), TRUTH), noise_of(WIDE), layout=WIDE)
    ratios = _ratios(observed, None)
    assert 0.7 < np.median(ratios) < 1.6


def test_a_broad_misfit_is_not_taken_for_noise() -> None:
    image = render(Ring(WIDE), TRUTH)
    observed = counted(image, noise_of(WIDE, per_intensity=300.0), layout=WIDE)
    wrong = observed.take(render(Ring(WIDE), TRUTH * 1.15))
    naive = np.std(observed.values - wrong)
    found = estimate_noise(observed, wrong)
    variance = found.moments(wrong, observed.tile)[1].mean()
    assert np.sqrt(variance) < 0.7 * naive


def test_mean_of_the_neighbourhood_leaves_the_pixel_out_and_stays_in_its_tile() -> None:
    mask = np.zeros(WIDE.image_shape, bool)
    image = np.zeros(WIDE.image_shape)
    image[10, 10] = 24.0
    observed = Observation(image + 0.0, mask, WIDE)
    mean, count = neighbourhood_mean(observed, observed.values)
    around = observed.put(mean)
    assert around[10, 10] == 0
    assert around[10, 11] == 1.0  # 24 neighbours
    assert around[8, 8] == 1.0
    assert around[7, 10] == 0
    assert observed.put(count)[0, 0] == 8  # a corner has 3 x 3 - 1 of them
