"""What stands between a calculated image and a spectrum: a scale and a background of its own.

The intensity expected in a pixel is scale[incident energy] * image + offset[tile]. Scales scatter
around a common one; offsets, what background subtraction left, are small against the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gnnmat.simulation.inference.noise_model import CountingNoise, Likelihood
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import Floats


@dataclass(frozen=True)
class Response:
    """Scales and offsets, with their priors.

    Args:
        scale: (E,) measured unit per simulated unit, one an incident energy.
        offset: (T,) left-over background, measured unit.
        common: the scale that all incident energies share, but for their spread.
        spread: relative standard deviation of the scales around the common one.
        residual: standard deviation of the offsets, in standard deviations of the noise.
    """

    scale: Floats
    offset: Floats
    common: float
    spread: float = 0.3
    residual: float = 1.0

    def expected(self, observed: Observation, model: Floats) -> Floats:
        """(n,) expected intensity of calculated pixels (n,)."""
        expected: Floats = self.scale[observed.block] * model + self.offset[observed.tile]
        return expected

    def prior(self, noise: CountingNoise) -> float:
        """Logarithm of the prior density of scales and offsets."""
        a = (self.scale - self.common) / (self.spread * self.common)
        d = self.offset / (self.residual * noise.sigma)
        norm = np.log(self.spread * self.common) * len(a)
        norm += np.log(self.residual * noise.sigma).sum()
        norm += 0.5 * np.log(2 * np.pi) * (len(a) + len(d))
        return float(-0.5 * (a @ a + d @ d) - norm)


@dataclass(frozen=True)
class Normal:
    """Gradient and information matrix of the log-posterior.

    The parameters are p couplings, then E scales, then T offsets.

    Args:
        gradient: (p + E + T,)
        matrix: (p + E + T, p + E + T) information, priors included.
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
    """The normal equations of couplings, scales and offsets.

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
    dense = jacobian * response.scale[observed.block]
    p, e, t = len(dense), observed.blocks, observed.tiles
    h = np.zeros((p + e + t, p + e + t))
    weighted = dense * w
    h[:p, :p] = weighted @ dense.T
    block, tile = slice(p, p + e), slice(p + e, None)
    for j in range(p):
        h[j, block] = np.bincount(observed.block, weighted[j] * model, e)
        h[j, tile] = np.bincount(observed.tile, weighted[j], t)
    owner = np.arange(t) // observed.layout.slices
    h[p + owner, p + e + np.arange(t)] = np.bincount(observed.tile, w * model, t)
    h += np.triu(h, 1).T - np.tril(h, -1)
    a_precision = 1 / (response.spread * response.common) ** 2
    d_precision = 1 / (response.residual * noise.sigma) ** 2
    np.einsum("ii->i", h)[block] += np.bincount(observed.block, w * model**2, e) + a_precision
    np.einsum("ii->i", h)[tile] += np.bincount(observed.tile, w, t) + d_precision
    gradient = np.concatenate(
        [
            dense @ s,
            np.bincount(observed.block, s * model, e)
            - (response.scale - response.common) * a_precision,
            np.bincount(observed.tile, s, t) - response.offset * d_precision,
        ]
    )
    return Normal(gradient, h, p)


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
    change, step = np.zeros(observed.blocks + observed.tiles), 1.0
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
    scale = response.scale + change[: len(response.scale)]
    scale = np.maximum(scale, 0.05 * response.scale)
    return replace(response, scale=scale, offset=response.offset + change[len(response.scale) :])
