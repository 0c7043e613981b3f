from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, poisson

from gnnmat.simulation.inference.noise_model import CountingNoise

C, BACKGROUND = 2.5, 3.0
EXACT = CountingNoise(np.array([C]), np.array([BACKGROUND]), exact=True, false_peaks=0.0)
GAUSSIAN = replace(EXACT, law="gaussian")
EXPECTED = (0.0, 0.4, 2.0, 11.0)


def _tile(count: int) -> np.ndarray:
    return np.zeros(count, dtype=np.int64)


@pytest.mark.parametrize("expected", EXPECTED)
def test_probability_of_a_zero_is_the_mass_of_all_counts_below_the_background(
    expected: float,
) -> None:
    log = EXACT.log_likelihood(np.zeros(1), np.array([expected]), _tile(1))
    # scipy counts the same mass: N <= background
    assert np.exp(log[0]) == pytest.approx(poisson.cdf(3, C * expected + BACKGROUND))


@pytest.mark.parametrize("expected", EXPECTED)
def test_probabilities_of_all_spectra_add_up_to_one(expected: float) -> None:
    counts = np.arange(3.0, 120.0)  # three counts and fewer are one value: zero
    values = (counts - BACKGROUND) / C
    log = EXACT.log_likelihood(values, np.full(len(values), expected), _tile(len(values)))
    masses = np.exp(log)
    masses[1:] /= C  # a density of the intensity, in steps of 1 / C
    assert masses.sum() == pytest.approx(1, abs=1e-9)


def test_likelihood_of_a_count_is_that_of_scipy() -> None:
    log = EXACT.log_likelihood(np.array([(9 - BACKGROUND) / C]), np.array([2.0]), _tile(1))
    assert np.exp(log[0]) / C == pytest.approx(poisson.pmf(9, C * 2 + BACKGROUND))


def test_gaussian_law_is_that_of_scipy_and_censors_zeros() -> None:
    mean, deviation = 2.0, np.sqrt(C * 2 + BACKGROUND) / C
    log = GAUSSIAN.log_likelihood(np.array([0.0, 1.3]), np.full(2, mean), _tile(2))
    assert log[0] == pytest.approx(norm.logcdf(0, mean, deviation))
    assert log[1] == pytest.approx(norm.logpdf(1.3, mean, deviation))


def test_values_at_the_cap_are_censored_from_above() -> None:
    capped = replace(GAUSSIAN, cap=3.0)
    log = capped.log_likelihood(np.array([3.0]), np.array([2.5]), _tile(1))
    deviation = np.sqrt(C * 2.5 + BACKGROUND) / C
    assert log[0] == pytest.approx(norm.logsf(3.0, 2.5, deviation))


@pytest.mark.parametrize("noise", [EXACT, replace(EXACT, cap=4.0), replace(EXACT, exact=False)])
def test_score_is_the_slope_of_the_log_likelihood(noise: CountingNoise) -> None:
    values = np.array([0.0, 0.4, 2.0, 4.0])
    expected = np.full(4, 1.7)
    step = 1e-5
    high = noise.log_likelihood(values, expected + step, _tile(4))
    low = noise.log_likelihood(values, expected - step, _tile(4))
    slope = noise.likelihood(values, expected, _tile(4)).score
    np.testing.assert_allclose(slope, (high - low) / (2 * step), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("noise", [EXACT, replace(EXACT, false_peaks=1e-4)])
@pytest.mark.parametrize("expected", EXPECTED)
def test_information_is_the_variance_of_the_score(noise: CountingNoise, expected: float) -> None:
    many = 200_000
    level = np.full(many, expected)
    values = noise.draw(level, _tile(many), np.random.default_rng(1))
    found = noise.likelihood(values, level, _tile(many))
    assert found.score.mean() == pytest.approx(0, abs=4 * found.score.std() / np.sqrt(many))
    assert found.information.mean() == pytest.approx(found.score.var(), rel=0.03)


@pytest.mark.parametrize("expected", EXPECTED)
def test_moments_are_those_of_drawn_spectra(expected: float) -> None:
    many = 200_000
    level = np.full(many, expected)
    values = EXACT.draw(level, _tile(many), np.random.default_rng(2))
    mean, variance = EXACT.moments(level[:1], _tile(1))
    assert values.mean() == pytest.approx(mean[0], rel=0.01)
    assert values.var() == pytest.approx(variance[0], rel=0.03)


def test_nearly_half_of_the_pixels_without_signal_are_zero() -> None:
    many = 20_000
    values = EXACT.draw(np.zeros(many), _tile(many), np.random.default_rng(3))
    assert (values == 0).mean() == pytest.approx(poisson.cdf(3, 3), abs=0.02)


def test_a_false_peak_has_no_weight() -> None:
    careful = replace(EXACT, false_peaks=1e-4, highest=100.0)
    found = careful.likelihood(np.array([2.0, 90.0]), np.array([2.0, 2.0]), _tile(2))
    assert found.trust[0] > 0.99
    assert found.trust[1] < 1e-6
    assert abs(found.score[1]) < 1e-3


def test_scaled_noise_has_so_many_times_the_variance() -> None:
    level = np.array([50.0])
    _, before = EXACT.moments(level, _tile(1))
    _, after = EXACT.scaled(2.0).moments(level, _tile(1))
    assert after[0] == pytest.approx(2 * before[0], rel=1e-6)
