from __future__ import annotations

import numpy as np
import pytest

from gnnmat.simulation.inference.response import fit_response, normal_equations
from gnnmat.simulation.inference.space import render

from .ring import LAYOUT, TRUTH, Ring, counted, noise_of


def test_scales_and_left_over_background_are_found() -> None:
    image, noise = render(Ring(), TRUTH), noise_of(LAYOUT, per_intensity=300.0)
    tilted = np.exp(0.3 * np.linspace(-0.5, 0.5, 4))[:, None, None]
    scaled = LAYOUT.to_tiles(image) * np.array([1.0, 1.5])[:, None, None, None] * tilted
    offset = np.array([[0.0, 0.004, 0.0, -0.004], [0.004, 0.0, 0.0, 0.0]])
    observed = counted(LAYOUT.to_image(scaled + offset[:, :, None, None]), noise)
    response, _, _ = fit_response(observed, noise, observed.take(image))
    np.testing.assert_allclose(response.scale, [1.0, 1.5], rtol=0.03)
    assert response.tilt == pytest.approx(0.3, abs=0.05)
    np.testing.assert_allclose(response.offset, offset.ravel(), atol=0.003)


def test_gradient_is_the_slope_of_the_posterior() -> None:
    ring, noise = Ring(), noise_of(LAYOUT)
    image = render(ring, TRUTH)
    observed = counted(image, noise)
    model = observed.take(image)
    response, _, _ = fit_response(observed, noise, model)
    moved = type(response)(
        response.scale * 1.02, response.offset + 0.003, response.common, 0.3, 1.0, 0.2
    )

    def value(scale: np.ndarray, offset: np.ndarray, tilt: float = 0.2) -> float:
        at = type(response)(scale, offset, response.common, 0.3, 1.0, tilt)
        log = noise.log_likelihood(observed.values, at.expected(observed, model), observed.tile)
        return float(log.sum()) + at.prior(noise)

    likelihood = noise.likelihood(observed.values, moved.expected(observed, model), observed.tile)
    none = np.empty((0, len(model)))
    normal = normal_equations(observed, noise, moved, model, none, likelihood)
    step = 1e-6
    for place in range(2):
        shift = np.eye(2)[place] * step
        slope = value(moved.scale + shift, moved.offset) - value(moved.scale - shift, moved.offset)
        assert normal.gradient[place] == pytest.approx(slope / (2 * step), rel=1e-3)
    slope = value(moved.scale, moved.offset, 0.2 + step) - value(
        moved.scale, moved.offset, 0.2 - step
    )
    assert normal.gradient[2] == pytest.approx(slope / (2 * step), rel=1e-3)
    shift = np.eye(len(moved.offset))[3] * step
    slope = value(moved.scale, moved.offset + shift) - value(moved.scale, moved.offset - shift)
    assert normal.gradient[3 + 3] == pytest.approx(slope / (2 * step), rel=1e-3)


def test_reduced_information_is_that_of_the_whole_inverse() -> None:
    noise = noise_of(LAYOUT)
    image = render(Ring(), TRUTH)
    observed = counted(image, noise)
    model = observed.take(image)
    other = observed.take(render(Ring(), TRUTH + [0.1, 0, 0])) - model
    response, likelihood, _ = fit_response(observed, noise, model)
    normal = normal_equations(
        observed, noise, response, model, np.stack([other, model**2]), likelihood
    )
    whole = np.linalg.inv(normal.matrix)[:2, :2]
    np.testing.assert_allclose(np.linalg.inv(normal.reduced()), whole, rtol=1e-6)
