"""How far a spectrum is from what was fitted to it, judged by spectra drawn from the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.inference.noise_estimate import estimate_noise, neighbourhood_mean
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.response import Response, fit_response
from gnnmat.simulation.inference.space import Floats

LARGEST = 5.0  # standard deviations; what is farther away counts as a false peak, and as this
Imperfect = Callable[[Floats, np.random.Generator], Floats]


@dataclass(frozen=True)
class Misfit:
    """Residuals in standard deviations of the noise, summed up.

    Args:
        chi2: sum of their squares.
        dof: pixels less parameters.
        structure: mean product of a residual and those around it; zero where nothing but noise
            is left, however large the noise was taken.
        by_slice: (E, slices) mean square of each tile; NaN where there is no detector.
        residual: (n,) in standard deviations.
        false_peaks: pixels beyond what noise does.
    """

    chi2: float
    dof: int
    structure: float
    by_slice: Floats
    residual: Floats
    false_peaks: int

    @property
    def per_dof(self) -> float:
        """Chi^2 per degree of freedom."""
        return self.chi2 / self.dof


def residuals(observed: Observation, noise: CountingNoise, expected: Floats) -> Floats:
    """(n,) difference from the mean of the cut-off spectrum, in its standard deviations."""
    mean, variance = noise.moments(expected, observed.tile)
    difference: Floats = (observed.values - mean) / np.sqrt(variance)
    return difference


def misfit(
    observed: Observation, noise: CountingNoise, expected: Floats, *, parameters: int
) -> Misfit:
    """What a fit leaves of a spectrum.

    Args:
        observed: the spectrum.
        noise: of it.
        expected: (n,) fitted intensity.
        parameters: fitted numbers.
    """
    residual = residuals(observed, noise, expected)
    bounded = np.clip(residual, -LARGEST, LARGEST)
    around, count = neighbourhood_mean(observed, bounded)
    squares = bounded**2
    number = np.bincount(observed.tile, minlength=observed.tiles).astype(float)
    total = np.bincount(observed.tile, squares, observed.tiles)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_slice = np.where(number > 0, total / number, np.nan)
    return Misfit(
        chi2=float(squares.sum()),
        dof=max(len(squares) - parameters, 1),
        structure=float((bounded * around)[count > 0].mean()),
        by_slice=by_slice.reshape(observed.blocks, observed.layout.slices),
        residual=residual,
        false_peaks=int((np.abs(residual) > LARGEST).sum()),
    )


def replicas(
    observed: Observation,
    noise: CountingNoise,
    response: Response,
    image: Floats,
    model: Floats,
    *,
    imperfect: Imperfect | None = None,
    count: int = 16,
    seed: int = 0,
) -> Iterator[Misfit]:
    """The misfit of spectra that were drawn from a fit, each judged as the true one was.

    Args:
        observed: the spectrum that was fitted.
        noise: of it.
        response: scales and offsets of the fit.
        image: (R, C) what the spectra are drawn from: calculated at the fitted couplings, best
            with other sample points than those of the fit.
        model: (n,) calculated pixels of the fit.
        imperfect: what an instrument does to an image, drawn anew every time.
        count: spectra to draw.
        seed: of the draws.
    """
    parameters = len(response.scale) + len(response.offset) + 1  # and the tilt
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        drawn = imperfect(image, rng) if imperfect is not None else image
        truth = response.expected(observed, observed.take(drawn))
        values = noise.draw(truth, observed.tile, rng)
        again = Observation(observed.put(values), observed.mask, observed.layout)
        start, _, _ = fit_response(again, noise, model, response)
        own = estimate_noise(again, start.expected(again, model), noise, rounds=4)
        fitted, _, _ = fit_response(again, own, model, start)
        yield misfit(again, own, fitted.expected(again, model), parameters=parameters)


def chance(found: Misfit, drawn: list[Misfit]) -> float:
    """Probability that noise alone does as much: of the worse of chi^2 and structure.

    Both are sums over many pixels, so their tails follow from mean and spread of a few draws.
    """
    from scipy.stats import t

    if len(drawn) < 3:
        return float("nan")
    worst = 1.0
    for name in ("per_dof", "structure"):
        values = np.array([getattr(one, name) for one in drawn])
        spread = max(float(values.std(ddof=1)), 1e-12) * np.sqrt(1 + 1 / len(values))
        distance = (getattr(found, name) - values.mean()) / spread
        worst = min(worst, float(t.sf(distance, len(values) - 1)))
    return min(2 * worst, 1.0)
