"""What stands between a calculated image and a spectrum: a scale and a background of its own.

The intensity expected in a pixel is scale[incident energy] * tilt[slice] * image + offset[tile].
Scales scatter around a common one; the tilt is the same for all incident energies and exponential
from the first slice to the last, as absorption or another convention of k_f / k_i would make it;
offsets, what background subtraction left, are small against the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gnnmat.simulation.inference.noise_model import CountingNoise, Likelihood
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats

TILT, MOST_TILT = 0.25, 1.5  # standard deviation of the tilt, and its largest value


def over_slices(slices: int) -> Floats:
    """(slices,) from -1/2 at the first to 1/2 at the last."""
    return np.linspace(-0.5, 0.5, slices) if slices > 1 else np.zeros(1)


@dataclass(frozen=True)
class Response:
    """Scales, tilt and offsets, with their priors.

    Args:
        scale: (E,) measured unit per simulated unit, one an incident energy.
        offset: (T,) left-over background, measured unit.
        tilt: ln(measured / simulated) from the first slice to the last.
        common: the scale that all incident energies share, but for their spread.
        spread: relative standard deviation of the scales around the common one.
        residual: standard deviation of the offsets, in standard deviations of the noise.
    """

    scale: Floats
    offset: Floats
    common: float
    spread: float = 0.3
    residual: float = 1.0
    tilt: float = 0.0

    def factor(self, observed: Observation) -> Floats:
        """(n,) what calculated pixels are multiplied by."""
        tilted = np.exp(self.tilt * over_slices(observed.layout.slices))
        factor: Floats = (self.scale[:, None] * tilted).ravel()[observed.tile]
        return factor

    def expected(self, observed: Observation, model: Floats) -> Floats:
        """(n,) expected intensity of calculated pixels (n,)."""
        expected: Floats = self.factor(observed) * model + self.offset[observed.tile]
        return expected

    def prior(self, noise: CountingNoise) -> float:
        """Logarithm of the prior density of scales, tilt and offsets."""
        a = (self.scale - self.common) / (self.spread * self.common)
        d = self.offset / (self.residual * noise.sigma)
        norm = np.log(self.spread * self.common) * len(a)
        norm += np.log(self.residual * noise.sigma).sum()
        norm += np.log(TILT) + 0.5 * np.log(2 * np.pi) * (len(a) + len(d) + 1)
        return float(-0.5 * (a @ a + d @ d + (self.tilt / TILT) ** 2) - norm)


@dataclass(frozen=True)
class Normal:
    """Gradient and information matrix of the log-posterior.

    The parameters are p couplings, then E scales, the tilt, then T offsets.

    Args:
        gradient: (p + E + 1 + T,)
        matrix: (p + E + 1 + T, p + E + 1 + T) information, priors included.
        couplings: p.
    """

    gradient: Floats
    matrix: Floats
    couplings: int

    def reduced(self) -> Floats:
        """(p, p) information on the couplings, scales and offsets unknown."""
        p = self.couplings
        inner = self.matrix[p:, p:]
        cross = self.matrix[:p, p:]
        reduced: Floats = self.matrix[:p, :p] - cross @ np.linalg.solve(inner, cross.T)
        return 0.5 * (reduced + reduced.T)

    def reduced_gradient(self) -> Floats:
        """(p,) slope by the couplings where scales and offsets follow."""
        p = self.couplings
        inner = np.linalg.solve(self.matrix[p:, p:], self.gradient[p:])
        slope: Floats = self.gradient[:p] - self.matrix[:p, p:] @ inner
        return slope


def normal_equations(
    observed: Observation,
    noise: CountingNoise,
    response: Response,
    model: Floats,
    jacobian: Floats,
    likelihood: Likelihood,
    tiles: np.ndarray | None = None,
) -> Normal:
    """The normal equations of couplings, scales, tilt and offsets.

    Args:
        observed: the spectrum.
        noise: of it.
        response: where to expand.
        model: (n,) calculated pixels.
        jacobian: (p, n) their derivatives by the couplings.
        likelihood: at the expected intensities.
        tiles: (n,) bool, pixels to count; default all.
    """
    keep = np.ones(len(model)) if tiles is None else tiles.astype(float)
    w, s = likelihood.information * keep, likelihood.score * keep
    factor = response.factor(observed)
    slope = factor * model * over_slices(observed.layout.slices)[observed.slice]
    dense = np.concatenate([jacobian * factor, slope[None]])  # the tilt is moved to its place below
    model = factor / response.scale[observed.block] * model
    q, e, t = len(dense), observed.blocks, observed.tiles
    h = np.zeros((q + e + t, q + e + t))
    weighted = dense * w
    h[:q, :q] = weighted @ dense.T
    block, tile = slice(q, q + e), slice(q + e, None)
    for j in range(q):
        h[j, block] = np.bincount(observed.block, weighted[j] * model, e)
        h[j, tile] = np.bincount(observed.tile, weighted[j], t)
    owner = np.arange(t) // observed.layout.slices
    h[q + owner, q + e + np.arange(t)] = np.bincount(observed.tile, w * model, t)
    h += np.triu(h, 1).T - np.tril(h, -1)
    a_precision = 1 / (response.spread * response.common) ** 2
    d_precision = 1 / (response.residual * noise.sigma) ** 2
    np.einsum("ii->i", h)[block] += np.bincount(observed.block, w * model**2, e) + a_precision
    np.einsum("ii->i", h)[tile] += np.bincount(observed.tile, w, t) + d_precision
    h[q - 1, q - 1] += 1 / TILT**2
    gradient = np.concatenate(
        [
            dense[:-1] @ s,
            [slope @ s - response.tilt / TILT**2],
            np.bincount(observed.block, s * model, e)
            - (response.scale - response.common) * a_precision,
            np.bincount(observed.tile, s, t) - response.offset * d_precision,
        ]
    )
    order = np.r_[: q - 1, q : q + e, q - 1, q + e : q + e + t]
    return Normal(gradient[order], h[np.ix_(order, order)], q - 1)


def first_response(observed: Observation, model: Floats, spread: float = 0.3) -> Response:
    """Scales that give every block its total intensity; robust, for a start."""
    signal = np.bincount(observed.block, observed.values, observed.blocks)
    own = np.bincount(observed.block, model, observed.blocks)
    total = max(float(own.sum()), 1e-300)
    common = float(signal.sum()) / total
    scale = np.where(own > 1e-3 * total / observed.blocks, signal / np.maximum(own, 1e-300), common)
    scale = np.clip(scale, common / 3, common * 3)
    return Response(scale, np.zeros(observed.tiles), common, spread)


def fit_response(
    observed: Observation,
    noise: CountingNoise,
    model: Floats,
    start: Response | None = None,
    *,
    rounds: int = 4,
) -> tuple[Response, Likelihood, float]:
    """Scales and offsets that fit best, the likelihood there, and the log-posterior.

    Args:
        observed: the spectrum.
        noise: of it.
        model: (n,) calculated pixels.
        start: scales and offsets to start from.
        rounds: of Fisher scoring.
    """
    response = start or first_response(observed, model)
    none = np.empty((0, len(model)))
    best: tuple[Response, Likelihood, float] | None = None
    change, step = np.zeros(observed.blocks + 1 + observed.tiles), 1.0
    for _ in range(rounds + 1):
        likelihood = noise.likelihood(
            observed.values, response.expected(observed, model), observed.tile
        )
        value = float(likelihood.log.sum()) + response.prior(noise)
        if best is not None and value < best[2] - 1e-9:
            step /= 4  # too far: go back and try less
            response = _moved(best[0], change * step)
            continue
        gained = value - best[2] if best is not None else np.inf
        best = (response, likelihood, value)
        if gained < 1e-3:
            break
        normal = normal_equations(observed, noise, response, model, none, likelihood)
        change = np.asarray(np.linalg.solve(normal.matrix, normal.gradient), dtype=float)
        step = 1.0
        response = _moved(response, change)
    assert best is not None
    return best


def _moved(response: Response, change: Floats) -> Response:
    scales = len(response.scale)
    scale = np.maximum(response.scale + change[:scales], 0.05 * response.scale)
    tilt = float(np.clip(response.tilt + change[scales], -MOST_TILT, MOST_TILT))
    offset = response.offset + change[scales + 1 :]
    return replace(response, scale=scale, tilt=tilt, offset=offset)
