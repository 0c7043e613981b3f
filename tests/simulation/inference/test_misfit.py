from __future__ import annotations

import numpy as np

from gnnmat.simulation.inference.misfit import chance, misfit, replicas
from gnnmat.simulation.inference.noise_estimate import estimate_noise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.response import fit_response
from gnnmat.simulation.inference.space import Floats, render

from .ring import LAYOUT, TRUTH, Ring, counted, noise_of, spectrum


def _p_value(observed: Observation, values: Floats, count: int = 8) -> float:
    """Of a model with these couplings, the noise estimated."""
    image = render(Ring(), values)
    model = observed.take(image)
    response, _, _ = fit_response(observed, estimate_noise(observed), model)
    noise = estimate_noise(observed, response.expected(observed, model))
    response, _, _ = fit_response(observed, noise, model)
    expected = response.expected(observed, model)
    found = misfit(observed, noise, expected, parameters=10)
    drawn = replicas(observed, noise, response, image, model, count=count)
    return chance(found, list(drawn))


def test_chi2_is_one_a_pixel_where_model_and_noise_are_right() -> None:
    ring, observed, noise = spectrum()
    expected = observed.take(render(ring, TRUTH))
    found = misfit(observed, noise, expected, parameters=0)
    assert abs(found.per_dof - 1) < 5 * np.sqrt(2 / found.dof)
    assert abs(found.structure) < 0.02
    assert found.by_slice.shape == (2, 4)


def test_right_model_is_not_refused_and_a_wrong_one_is() -> None:
    _, observed, _ = spectrum(seed=4)
    assert _p_value(observed, TRUTH) > 0.01
    assert _p_value(observed, TRUTH * [1.1, 1.0, 1.0]) < 0.01


def test_right_model_is_refused_as_rarely_as_promised() -> None:
    refused = [_p_value(spectrum(seed=50 + s)[1], TRUTH, count=5) < 0.05 for s in range(4)]
    assert sum(refused) <= 1


def test_a_pattern_in_the_residuals_shows_whatever_the_noise_was_taken_for() -> None:
    ring, observed, noise = spectrum()
    wrong = observed.take(render(ring, TRUTH * 1.2))
    larger = noise.scaled(4.0)
    found = misfit(observed, larger, wrong, parameters=0)
    assert found.per_dof < 1
    assert found.structure > 0.02


def test_a_false_peak_counts_as_one_and_not_for_a_thousand_pixels() -> None:
    ring, observed, noise = spectrum()
    image = observed.image.copy()
    image[5, 5] = 50.0
    spoilt = Observation(image, observed.mask, LAYOUT)
    expected = observed.take(render(ring, TRUTH))
    before = misfit(observed, noise, expected, parameters=0)
    after = misfit(spoilt, noise, expected, parameters=0)
    assert after.false_peaks == before.false_peaks + 1
    assert after.chi2 - before.chi2 <= 25


def test_tiles_without_detector_have_no_chi2() -> None:
    mask = np.zeros(LAYOUT.image_shape, bool)
    mask[:16, :16] = True
    image, noise = render(Ring(), TRUTH), noise_of(LAYOUT)
    observed = counted(image, noise, mask=mask)
    found = misfit(observed, noise, observed.take(image), parameters=0)
    assert np.isnan(found.by_slice[0, 0])
    assert np.isfinite(found.by_slice).sum() == 7
