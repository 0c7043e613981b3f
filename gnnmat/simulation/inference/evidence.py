"""Which hypothesis the spectrum speaks for: Laplace evidence, and prediction of slices left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.inference.errors import UNIFORM
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.refine import Refined
from gnnmat.simulation.inference.response import Normal, Response, normal_equations, over_slices
from gnnmat.simulation.inference.space import CouplingSpace, Floats


def log_evidence(
    refined: Refined,
    space: CouplingSpace,
    *,
    stable_share: float = 1.0,
    twins: int = 1,
    inflation: float = 1.0,
) -> float:
    """Logarithm of the probability of the spectrum under a hypothesis (Laplace's method).

    The prior of the couplings is even over the part of their ranges with a stable order.

    Args:
        refined: the best fit.
        space: the couplings.
        stable_share: part of the ranges with a stable order.
        twins: how many couplings give the same image: 2 for one exchange.
        inflation: chi^2 per degree of freedom of the best hypothesis; above one, pixels count
            for less, as misfit makes them say less.

    Source: MacKay, Information Theory, Inference, and Learning Algorithms (2003), chapter 28.
    """
    matrix = refined.normal.matrix / inflation
    free = np.concatenate([space.free, np.ones(len(matrix) - len(space.names), bool)])
    matrix = matrix[np.ix_(free, free)]
    couplings = int(space.free.sum())
    matrix[np.arange(couplings), np.arange(couplings)] += UNIFORM
    _, size = np.linalg.slogdet(matrix)
    volume = 0.5 * (len(matrix) * np.log(2 * np.pi) - size)
    prior = -np.log(stable_share) + np.log(twins)
    return float(refined.point.log_posterior / inflation + volume + prior)


def left_out(observed: Observation, noise: CountingNoise, refined: Refined) -> Floats:
    """(n,) log-likelihood of each pixel as foretold by a fit to all other tiles.

    The fit to the others is one Newton step from the fit to all; what background subtraction
    left in a tile is known from that tile alone, for every hypothesis alike.
    """
    point, normal = refined.point, refined.normal
    response, p = point.response, normal.couplings
    known = p + observed.blocks + 1  # couplings, scales and the tilt
    over, factor = over_slices(observed.layout.slices), response.factor(observed)
    fixed = _equations(observed, noise, refined, np.zeros(len(point.model)))
    scores = np.zeros(len(point.model))
    for tile in np.unique(observed.tile):
        own = observed.tile == tile
        part = _equations(observed, noise, refined, own)
        # Offsets stay: those of other tiles hardly move, and its own is found below.
        matrix = (normal.matrix - part.matrix + fixed.matrix)[:known, :known]
        matrix[np.arange(p), np.arange(p)] += UNIFORM
        slope = (normal.gradient - part.gradient + fixed.gradient)[:known]
        change = np.linalg.solve(matrix, slope)
        block = p + tile // observed.layout.slices
        before = response.scale[block - p]
        model = point.model[own] + change[:p] @ refined.jacobian[:, own]
        tilted = np.exp(change[known - 1] * over[tile % observed.layout.slices])
        model = factor[own] * max(1 + change[block] / before, 0.05) * tilted * model
        scores[own] = _best_offset(observed, noise, response, model, own, tile)
    return scores


def _equations(
    observed: Observation, noise: CountingNoise, refined: Refined, own: NDArray[Any]
) -> Normal:
    point = refined.point
    return normal_equations(
        observed, noise, point.response, point.model, refined.jacobian, point.likelihood, own
    )


def _best_offset(
    observed: Observation,
    noise: CountingNoise,
    response: Response,
    expected: Floats,
    own: NDArray[Any],
    tile: int,
) -> Floats:
    """Log-likelihood of the pixels of a tile at the background that suits it best."""
    values, numbers, offset = observed.values[own], observed.tile[own], response.offset[tile]
    weight = 1 / (response.residual * noise.sigma[tile]) ** 2
    for _ in range(2):
        found = noise.likelihood(values, expected + offset, numbers)
        slope = found.score.sum() - offset * weight
        offset += slope / (found.information.sum() + weight)
    return noise.log_likelihood(values, expected + offset, numbers)


@dataclass(frozen=True)
class Odds:
    """One hypothesis among others.

    Args:
        hypothesis: its name.
        log_evidence: natural logarithm.
        probability: with all hypotheses equally likely before.
        log10_odds: against the best of the others.
        left_out: log-likelihood of slices left out, summed over them.
        behind: how much less that is than for the best hypothesis; zero for the best.
        behind_error: standard error of that difference, from its scatter over small patches.
    """

    hypothesis: str
    log_evidence: float
    probability: float
    log10_odds: float
    left_out: float
    behind: float
    behind_error: float


def compare(names: list[str], evidences: list[float], left: list[Floats]) -> list[Odds]:
    """The hypotheses, in the order given, with their odds.

    Args:
        names: of the hypotheses.
        evidences: from `log_evidence`.
        left: each the sums over patches of what `left_out` gives.
    """
    evidence = np.array(evidences)
    weights = np.exp(evidence - evidence.max())
    probability = weights / weights.sum()
    sums = np.array([parts.sum() for parts in left])
    best = int(np.argmax(sums))
    out = []
    for place, name in enumerate(names):
        others = np.delete(evidence, place)
        odds = (evidence[place] - others.max()) / np.log(10) if len(others) else np.inf
        gap = left[best] - left[place]
        count = int((gap != 0).sum())
        error = float(np.sqrt(count) * gap[gap != 0].std(ddof=1)) if count > 1 else 0.0
        out.append(
            Odds(
                name,
                float(evidence[place]),
                float(probability[place]),
                float(odds),
                float(sums[place]),
                float(gap.sum()),
                error,
            )
        )
    return out
