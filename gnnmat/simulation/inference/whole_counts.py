"""Tiles whose values are whole counts: their noise need not be estimated, it can be read off.

A spectrum of counts less a constant background, in any unit, takes only values that are evenly
spaced: the spacing is the intensity of one count, and the place of the lowest says what fraction
of a count was subtracted. Averages over detectors, or normalised data, are not like that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats

FEWEST_LEVELS = 3
REPEATED = 2.0  # values to a level, on average, in counts; every level of other data is its own
ON = 0.02  # spacings; a value that is nearer to a level is on it
SHARE = 0.97  # of the values that must be on levels; the others are false peaks
OFFSET_STEPS = 4  # of Newton's method
HIGHEST, MOST_STEPS = 500, 25  # whole background counts that are believed; of the search


def read_off(observed: Observation, noise: CountingNoise, expected: Floats) -> CountingNoise:
    """The noise with counts and background of all tiles that hold whole counts.

    Args:
        observed: the spectrum.
        noise: as estimated.
        expected: (n,) intensities, roughly.
    """
    spacing, fraction = spacings(observed)
    whole = np.isfinite(spacing)
    if not whole.any():
        return noise
    per_intensity = np.where(whole, 1 / np.where(whole, spacing, 1.0), noise.per_intensity)

    def value(count: Floats) -> tuple[Floats, CountingNoise]:
        """(T,) log-likelihoods with so many whole counts of background, and the noise."""
        background = np.where(whole, np.maximum(count + fraction, 1e-3), noise.background)
        tried = replace(noise, per_intensity=per_intensity, background=background, exact=whole)
        return _with_offsets(observed, tried, expected), tried

    # Uphill in whole counts from the estimate, in steps that are halved where none helps.
    likely = np.where(whole, noise.sigma * per_intensity, 1.0) ** 2
    count = np.clip(np.round(likely - np.nan_to_num(fraction)), 0, HIGHEST)
    step = np.maximum(np.round(count / 3), 1)
    best, _ = value(count)
    for _ in range(MOST_STEPS):
        moved = np.zeros(observed.tiles, bool)
        for sign in (1, -1):
            trial = np.clip(count + sign * step, 0, HIGHEST)
            log, _ = value(trial)
            better = whole & (log > best)
            best, count = np.where(better, log, best), np.where(better, trial, count)
            moved |= better
        if not moved.any() and (step == 1).all():
            break
        step = np.where(moved, step, np.maximum(np.floor(step / 2), 1))
    return value(count)[1]


def _with_offsets(observed: Observation, noise: CountingNoise, expected: Floats) -> Floats:
    """(T,) log-likelihoods of the tiles, each with the offset that suits it best.

    The background that was subtracted is not quite the one that was there. Without an offset a
    wrong number of counts would be taken for it.
    """
    tile, offset = observed.tile, np.zeros(observed.tiles)
    best = np.full(observed.tiles, -np.inf)
    for _ in range(OFFSET_STEPS):
        found = noise.likelihood(observed.values, expected + offset[tile], tile)
        best = np.maximum(best, np.bincount(tile, found.log, observed.tiles))
        slope = np.bincount(tile, found.score, observed.tiles)
        information = np.bincount(tile, found.information, observed.tiles)
        offset = offset + slope / np.maximum(information, 1e-300)
    return best


def spacings(observed: Observation) -> tuple[Floats, Floats]:
    """(T,) intensity of a count, and (T,) fraction of a count subtracted; NaN where none is seen.

    Args:
        observed: the spectrum.
    """
    spacing = np.full(observed.tiles, np.nan)
    fraction = np.full(observed.tiles, np.nan)
    top = observed.values.max()
    for tile in range(observed.tiles):
        own = observed.values[observed.tile == tile]
        own = np.sort(own[(own > 0) & (own < top)])
        found = _spacing(own)
        if found is not None:
            spacing[tile] = found
            # The fraction that most values agree on; a false peak may be the lowest.
            turns = np.exp(2j * np.pi * own / found)
            fraction[tile] = (-np.angle(turns.mean()) / (2 * np.pi)) % 1.0
    return spacing, fraction


def _spacing(values: NDArray[np.float64]) -> float | None:
    """Distance between neighbouring levels of sorted values; None if they are not on levels."""
    if len(values) < FEWEST_LEVELS * REPEATED:
        return None
    gaps = np.diff(values)
    apart = gaps > 1e-5 * values[-1]
    levels = np.concatenate([values[:1], values[1:][apart]])
    if len(levels) < FEWEST_LEVELS or len(values) < REPEATED * len(levels):
        return None
    guess = float(np.median(np.sort(np.diff(levels))[: max(len(levels) // 2, 1)]))
    # The farther a level, the better it tells the spacing; false peaks drop out at the end.
    for near in (0.1, 0.1, ON):
        number = np.round((values - values[0]) / guess)
        good = np.abs((values - values[0]) / guess - number) < near
        if good.sum() < FEWEST_LEVELS or np.ptp(number[good]) < 1:
            return None
        guess = float(np.polyfit(number[good], values[good], 1)[0])
        if guess <= 0:
            return None
    phase = values / guess
    middle = np.angle(np.exp(2j * np.pi * phase).mean()) / (2 * np.pi)
    off = np.abs((phase - middle + 0.5) % 1.0 - 0.5)
    return guess if (off < ON).mean() >= SHARE else None
