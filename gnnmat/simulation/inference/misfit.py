"""How far a spectrum is from what was fitted to it, in units of its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats

LARGEST = 5.0  # standard deviations; what is farther away counts as a false peak, and as this


@dataclass(frozen=True)
class Misfit:
    """Squares of the residuals in standard deviations.

    Args:
        chi2: their sum.
        dof: pixels less parameters.
        p_value: share of spectra, drawn from the fit, that are as far from it.
        by_slice: (E, slices) mean square of each tile; NaN where there is no detector.
        residual: (n,) in standard deviations.
        false_peaks: pixels beyond what noise does.
    """

    chi2: float
    dof: int
    p_value: float
    by_slice: Floats
    residual: Floats
    false_peaks: int


def residuals(
    observed: Observation, noise: CountingNoise, expected: Floats, values: Floats | None = None
) -> Floats:
    """(n,) difference from the mean of the cut-off spectrum, in its standard deviations."""
    mean, variance = noise.moments(expected, observed.tile)
    difference: Floats = (observed.values if values is None else values) - mean
    return difference / np.sqrt(variance)


def misfit(
    observed: Observation,
    noise: CountingNoise,
    expected: Floats,
    *,
    parameters: int,
    replicas: int = 20,
    seed: int = 0,
) -> Misfit:
    """Chi^2 of a fit, against spectra drawn from the fit itself.

    The sum over so many pixels is normal to good accuracy, so its tail follows from the mean and
    the spread of a few drawn spectra.

    Args:
        observed: the spectrum.
        noise: of it.
        expected: (n,) fitted intensity.
        parameters: fitted numbers.
        replicas: spectra to draw.
        seed: of the draws.
    """
    residual = residuals(observed, noise, expected)
    squares = np.minimum(residual**2, LARGEST**2)
    rng = np.random.default_rng(seed)
    sums = np.empty(replicas)
    for number in range(replicas):
        drawn = noise.draw(expected, observed.tile, rng)
        own = residuals(observed, noise, expected, drawn)
        sums[number] = np.minimum(own**2, LARGEST**2).sum()
    chi2 = float(squares.sum())
    count = np.bincount(observed.tile, minlength=observed.tiles).astype(float)
    by_tile = np.bincount(observed.tile, squares, observed.tiles)
    shape = observed.blocks, observed.layout.slices
    with np.errstate(invalid="ignore", divide="ignore"):
        by_slice = np.where(count > 0, by_tile / count, np.nan).reshape(shape)
    dof = max(len(squares) - parameters, 1)
    return Misfit(
        chi2=chi2,
        dof=dof,
        p_value=_tail(chi2 + parameters, sums),
        by_slice=by_slice,
        residual=residual,
        false_peaks=int((np.abs(residual) > LARGEST).sum()),
    )


def _tail(value: float, drawn: Floats) -> float:
    """Probability of a value as high, from a few drawn ones."""
    from scipy.stats import t

    spread = max(float(drawn.std(ddof=1)), 1e-12) * np.sqrt(1 + 1 / len(drawn))
    return float(t.sf((value - drawn.mean()) / spread, len(drawn) - 1))


def empirical_tail(value: float, reference: Floats) -> float:
    """Share of reference values as high, never zero: (1 + how many) / (1 + all)."""
    return float((1 + (np.asarray(reference) >= value).sum()) / (1 + len(reference)))
