r"""How counting makes a spectrum from an intensity, and how likely it makes the one measured.

In tile t a pixel of intensity mu is counted as N = Poisson(c_t mu + lambda_t): c_t counts an
intensity and lambda_t of background. The spectrum holds (N - lambda_t) / c_t, cut off at zero
and at ``cap``. Of a zero it is only known that N <= lambda_t: it is a censored value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc, gammaln, log_ndtr, ndtr

from gnnmat.simulation.inference.space import Floats

LEAST_COUNTS = 1e-2  # an expected number of counts is never taken lower
Tiles = NDArray[np.int64]


class Likelihood(NamedTuple):
    """Of every pixel: log-likelihood, its slope, and the information on the intensity.

    Args:
        log: (n,) natural logarithm of the density, or of the mass at zero or at the cap.
        score: (n,) derivative by the expected intensity.
        information: (n,) expected square of the score.
        trust: (n,) probability that the pixel is no false peak.
    """

    log: Floats
    score: Floats
    information: Floats
    trust: Floats


@dataclass(frozen=True)
class CountingNoise:
    """Counts of every tile.

    Args:
        per_intensity: (T,) counts for a unit of intensity.
        background: (T,) expected counts without signal.
        cap: intensities above are cut off.
        exact: counts are whole numbers and the background is exactly known, (T,) or for all
            tiles; otherwise values are taken as continuous, as averages over detectors are.
        law: 'poisson', or 'gaussian' with the same variance.
        false_peaks: share of pixels with a value that has nothing to do with the signal.
        highest: false peaks lie evenly between zero and this intensity.
    """

    per_intensity: Floats
    background: Floats
    cap: float = np.inf
    exact: bool | NDArray[np.bool_] = False
    law: Literal["poisson", "gaussian"] = "poisson"
    false_peaks: float = 1e-4
    highest: float = 1.0

    @property
    def sigma(self) -> Floats:
        """(T,) standard deviation of a pixel without signal, before it is cut off."""
        sigma: Floats = np.sqrt(self.background) / self.per_intensity
        return sigma

    def scaled(self, variance: float) -> CountingNoise:
        """The noise with variances multiplied: fewer counts for the same intensity."""
        return replace(
            self,
            per_intensity=self.per_intensity / variance,
            background=self.background / variance,
        )

    def counts(self, expected: Floats, tile: Tiles) -> Floats:
        """(n,) expected counts of an expected intensity (n,)."""
        mean = self.per_intensity[tile] * expected + self.background[tile]
        counts: Floats = np.maximum(mean, LEAST_COUNTS)
        return counts

    def likelihood(self, values: Floats, expected: Floats, tile: Tiles) -> Likelihood:
        """Of measured values (n,), given the expected intensities (n,).

        Source: censored information as in Amemiya, Econometrica 41, 997 (1973), here for counts.
        """
        law = self._poisson if self.law == "poisson" else self._gaussian
        log, score, information = law(values, self.counts(expected, tile), tile)
        if not self.false_peaks:
            return Likelihood(log, score, information, np.ones_like(log))
        good = np.log1p(-self.false_peaks) + log
        foul = np.where(values > 0, np.log(self.false_peaks / self.highest), -np.inf)
        total = np.logaddexp(good, foul)
        trust = np.exp(good - total)
        return Likelihood(total, score * trust, information * trust, trust)

    def log_likelihood(self, values: Floats, expected: Floats, tile: Tiles) -> Floats:
        """(n,) logarithm of the density of measured values (n,)."""
        return self.likelihood(values, expected, tile).log

    def _first(self, tile: Tiles) -> Floats:
        """(n,) the smallest number of counts that is not cut off."""
        background = self.background[tile]
        exact = np.broadcast_to(self.exact, self.background.shape)[tile]
        # A hair more: the background of whole counts may be a whole number itself.
        first: Floats = np.where(exact, np.floor(background + 1e-6) + 1, background + 0.5)
        return first

    def _poisson(self, values: Floats, mean: Floats, tile: Tiles) -> tuple[Floats, Floats, Floats]:
        c = self.per_intensity[tile]
        first = self._first(tile)
        n = c * values + self.background[tile]
        log = n * np.log(mean) - mean - gammaln(n + 1) + np.log(c)
        score = n / mean - 1
        lowest = values <= 0
        mass = gammaincc(first, mean)
        edge = _pmf(first - 1, mean)
        floor = np.maximum(mass, 1e-300)
        log = np.where(lowest, np.log(floor), log)
        score = np.where(lowest, -edge / floor, score)
        if np.isfinite(self.cap):
            top = values >= self.cap
            last = (c * self.cap + self.background[tile])[top]
            above = np.maximum(gammainc(last, mean[top]), 1e-300)
            log[top] = np.log(above)
            score[top] = _pmf(last - 1, mean[top]) / above
        above_one = np.where(first > 1, gammainc(np.maximum(first - 1, 1e-9), mean), 1.0)
        information = _pmf(first - 2, mean) - edge + above_one / mean + edge**2 / floor
        return log, c * score, c**2 * np.maximum(information, 1e-12)

    def _gaussian(self, values: Floats, mean: Floats, tile: Tiles) -> tuple[Floats, Floats, Floats]:
        c = self.per_intensity[tile]
        width = np.sqrt(mean)
        z = (c * values + self.background[tile] - mean) / width
        log = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - np.log(width) + np.log(c)
        score = z / width
        t = (mean - self.background[tile]) / width
        density = np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi)
        below = np.exp(log_ndtr(-t))
        hazard = np.where(below > 1e-290, density / np.maximum(below, 1e-300), t)
        lowest = values <= 0
        log = np.where(lowest, log_ndtr(-t), log)
        score = np.where(lowest, -hazard / width, score)
        if np.isfinite(self.cap):
            top = values >= self.cap
            log = np.where(top, log_ndtr(-z), log)
            tail = np.exp(-0.5 * z**2 - log_ndtr(-z)) / np.sqrt(2 * np.pi)
            score = np.where(top, tail / width, score)
        information = (ndtr(t) - density * (t - hazard)) / mean
        return log, c * score, c**2 * np.maximum(information, 1e-12)

    def moments(self, expected: Floats, tile: Tiles) -> tuple[Floats, Floats]:
        """(n,) mean and (n,) variance of the spectrum where the intensity is as expected."""
        mean = self.counts(expected, tile)
        c, background, first = self.per_intensity[tile], self.background[tile], self._first(tile)
        one = gammainc(first, mean)
        two = np.where(first > 1, gammainc(np.maximum(first - 1, 1e-9), mean), 1.0)
        three = np.where(first > 2, gammainc(np.maximum(first - 2, 1e-9), mean), 1.0)
        average = (mean * two - background * one) / c
        square = mean**2 * three + mean * two - 2 * background * mean * two + background**2 * one
        variance = square / c**2 - average**2
        return average, np.maximum(variance, 1e-12 * mean / c**2)

    def draw(self, expected: Floats, tile: Tiles, rng: np.random.Generator) -> Floats:
        """(n,) a spectrum as it may be measured where the intensity is as expected."""
        counted = rng.poisson(self.counts(expected, tile))
        values = (counted - self.background[tile]) / self.per_intensity[tile]
        drawn: Floats = np.clip(values, 0, self.cap)
        return drawn


def _pmf(count: Floats, mean: Floats) -> Floats:
    """Poisson probability of a count, continued to numbers that are not whole."""
    valid = count >= 0
    safe = np.maximum(count, 0)
    probability: Floats = np.where(
        valid, np.exp(safe * np.log(mean) - mean - gammaln(safe + 1)), 0.0
    )
    return probability
