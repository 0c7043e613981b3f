"""The noise of a spectrum from the spectrum itself, tile by tile.

Noise is what differs between neighbouring pixels and is not expected to. The expected intensity
follows the local mean of the residuals, so that a wrong Hamiltonian, whose residuals are wider
than a pixel, does not pass for noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter

from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats
from gnnmat.simulation.inference.whole_counts import read_off

RING = 5  # pixels on a side of the neighbourhood, its middle left out
LIKE = 0.4  # standard deviation of ln(background counts) between tiles
SIGNIFICANT = 2.0  # standard deviations of a local mean
FEWEST, MOST = 0.2, 500.0  # background counts of a pixel that are believed
_STENCIL = 0.05  # of the numerical derivatives, in ln


def neighbourhood_mean(observed: Observation, values: Floats) -> tuple[Floats, Floats]:
    """(n,) mean of the pixels around each one, itself left out, and (n,) how many they are."""
    seen = observed.put(np.ones_like(values))
    sums = []
    for image in (observed.put(values), seen):
        tiles = np.ascontiguousarray(observed.layout.to_tiles(image))
        size = (1, 1, RING, RING)
        around = uniform_filter(tiles, size, mode="constant") * RING**2 - tiles
        sums.append(observed.take(np.asarray(observed.layout.to_image(around))))
    count = np.round(sums[1])
    return sums[0] / np.maximum(count, 1), count


def rough_noise(observed: Observation) -> CountingNoise:
    """A first guess: what differs from the local mean where the local mean is low."""
    mean, count = neighbourhood_mean(observed, observed.values)
    differ = (observed.values - mean) ** 2 * count / (count + 1)
    sigma = np.empty(observed.tiles)
    overall = max(float(np.sqrt(np.median(differ))), 1e-3 * float(observed.values.max()))
    for tile in range(observed.tiles):
        own = observed.tile == tile
        if not own.any():
            sigma[tile] = overall
            continue
        low = own & (mean <= np.quantile(mean[own], 0.5))
        # Half of the pixels without signal are cut off, which halves the mean square or more.
        sigma[tile] = np.sqrt(2 * differ[low].mean())
    sigma = np.maximum(sigma, 0.02 * overall)
    background = np.full(observed.tiles, 5.0)
    cap, highest = _cap(observed), float(observed.values.max())
    return CountingNoise(np.sqrt(background) / sigma, background, cap, highest=highest)


def _cap(observed: Observation) -> float:
    """The intensity at which the spectrum was cut off; infinite unless several pixels are there."""
    top = observed.values.max()
    return float(top) if (observed.values == top).sum() > 3 else np.inf


def estimate_noise(
    observed: Observation,
    expected: Floats | None = None,
    start: CountingNoise | None = None,
    *,
    rounds: int = 8,
) -> CountingNoise:
    """Counts per intensity and background of every tile, by maximum likelihood.

    Background counts of the tiles of one spectrum are alike; a tile with little to say takes
    those of the others.

    Args:
        observed: the spectrum.
        expected: (n,) intensities expected by a fitted model; default the local mean.
        start: noise to start from.
        rounds: of Newton's method.
    """
    noise = start or rough_noise(observed)
    local = _local_expectation(observed, noise, expected)
    x = np.stack([np.log(noise.sigma), np.log(noise.background)])
    damping = np.full(observed.tiles, 1e-2)
    value = None
    for _ in range(rounds):
        common = float(np.clip(np.median(x[1]), np.log(FEWEST), np.log(MOST)))
        value, gradient, hessian = _expanded(observed, noise, local, x, common)
        step = _newton(gradient, hessian, damping)
        trial = _bounded(x + step)
        better = _objective(observed, noise, local, trial, common) >= value
        x = np.where(better, trial, x)
        damping = np.where(better, damping / 5, damping * 10)
        if np.abs(step[:, better]).max(initial=0) < 0.01:
            break
    return read_off(observed, _noise(noise, x), local)


def _local_expectation(
    observed: Observation, noise: CountingNoise, expected: Floats | None
) -> Floats:
    """(n,) intensities with the local mean of what they leave unexplained."""
    if expected is None:
        # The mean of cut-off values is higher than the intensity, most where there is little.
        mean, _ = neighbourhood_mean(observed, observed.values)
        return np.maximum(mean - 0.4 * noise.sigma[observed.tile], 0.0)
    average, variance = noise.moments(expected, observed.tile)
    mean, count = neighbourhood_mean(observed, observed.values - average)
    spread, _ = neighbourhood_mean(observed, variance)
    # Only what is beyond chance is taken for a misfit, or its noise would look like one.
    chance = SIGNIFICANT**2 * spread / np.maximum(count, 1)
    share = np.maximum(1 - chance / np.maximum(mean**2, 1e-300), 0)
    seen = np.clip(0.5 + expected / (2 * noise.sigma[observed.tile]), 0.5, 1.0)
    return expected + np.where(count >= RING, share * mean / seen, 0.0)


def _noise(like: CountingNoise, x: Floats) -> CountingNoise:
    background = np.exp(x[1])
    per_intensity = np.sqrt(background) / np.exp(x[0])
    return replace(like, per_intensity=per_intensity, background=background, exact=False)


def _objective(
    observed: Observation, like: CountingNoise, local: Floats, x: Floats, common: float
) -> Floats:
    """(T,) log-likelihood of every tile, with the prior of its background."""
    noise = _noise(like, x)
    log = noise.log_likelihood(observed.values, local, observed.tile)
    value = np.bincount(observed.tile, log, observed.tiles).astype(np.float64)
    return value - 0.5 * ((x[1] - common) / LIKE) ** 2


def _expanded(
    observed: Observation, like: CountingNoise, local: Floats, x: Floats, common: float
) -> tuple[Floats, Floats, Floats]:
    """(T,) values, (2, T) gradients and (3, T) second derivatives: 00, 11, 01."""

    def at(a: float, b: float) -> Floats:
        shift = _STENCIL * np.array([[a], [b]])
        return _objective(observed, like, local, x + shift, common)

    middle, right, left, up, down = at(0, 0), at(1, 0), at(-1, 0), at(0, 1), at(0, -1)
    corner = at(1, 1)
    gradient = np.stack([right - left, up - down]) / (2 * _STENCIL)
    mixed = corner - right - up + middle
    second = np.stack([right - 2 * middle + left, up - 2 * middle + down, mixed]) / _STENCIL**2
    return middle, gradient, second


def _newton(gradient: Floats, second: Floats, damping: Floats) -> Floats:
    """(2, T) steps uphill, none longer than a factor of two."""
    matrix = np.empty((gradient.shape[1], 2, 2))
    matrix[:, 0, 0], matrix[:, 1, 1] = -second[0], -second[1]
    matrix[:, 0, 1] = matrix[:, 1, 0] = -second[2]
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(np.abs(values), 1.0) * (1 + damping[:, None])
    along = np.einsum("tij,it->tj", vectors, gradient) / values
    step: Floats = np.einsum("tij,tj->it", vectors, along)
    return np.clip(step, -np.log(2), np.log(2))


def _bounded(x: Floats) -> Floats:
    return np.stack([x[0], np.clip(x[1], np.log(FEWEST), np.log(MOST))])
