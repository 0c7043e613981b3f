"""Where to start: images drawn from the ranges, those nearest to the spectrum, and draws around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.inference.noise_estimate import neighbourhood_mean
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import (
    CouplingSpace,
    Floats,
    ImageSimulator,
    is_stable,
    render,
    stable_draws,
)

CHUNK = 8  # images at a time


@dataclass(frozen=True)
class Search:
    """How widely starts are looked for.

    Args:
        draws: images from the whole ranges.
        generations: how often draws are made around the best.
        around: images of each generation.
        best: of so many the next generation is made.
        seed: of the draws.
    """

    draws: int = 160
    generations: int = 4
    around: int = 40
    best: int = 12
    seed: int = 0


def nearness(observed: Observation, noise: CountingNoise) -> Callable[[Floats], Floats]:
    """A function: calculated pixels (B, n) -> (B,) how much of the spectrum they explain.

    Both are smoothed, so that an image counts that is only nearly right; every incident energy
    has its own scale, every pixel the weight of its noise, and weak signals count beside strong
    ones through the square root.
    """
    mean, count = neighbourhood_mean(observed, observed.values)
    smooth = (mean * count + observed.values) / (count + 1)
    floor = 0.5 * noise.sigma[observed.tile]
    root = np.sqrt(smooth + floor)
    blocks = [np.flatnonzero(observed.block == block) for block in range(observed.blocks)]

    def explained(models: Floats) -> Floats:
        scores = np.zeros(len(models))
        for number, model in enumerate(models):
            around, about = neighbourhood_mean(observed, model)
            wide = (around * about + model) / (about + 1)
            for own in blocks:
                if len(own) == 0:
                    continue
                total = wide[own].sum()
                scale = observed.values[own].sum() / total if total > 0 else 0.0
                trial = np.sqrt(scale * wide[own] + floor[own])
                scores[number] += _correlation(trial, root[own]) * len(own)
        found: Floats = scores / len(observed.values)
        return found

    return explained


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def find_starts(
    simulator: ImageSimulator,
    space: CouplingSpace,
    observed: Observation,
    noise: CountingNoise,
    search: Search | None = None,
    *,
    keep: int = 3,
    advance: Callable[[int], None] | None = None,
) -> tuple[Floats, Floats]:
    """(keep, p) couplings to start from, best first, and (keep,) how much they explain.

    Args:
        simulator: couplings -> images; a coarse one will do.
        space: the couplings.
        observed: the spectrum.
        noise: of it, roughly.
        search: how widely to look.
        keep: how many, apart from each other.
        advance: called with the number of images just calculated.
    """
    plan = search or Search()
    rng = np.random.default_rng(plan.seed)
    explained = nearness(observed, noise)

    def score(values: Floats) -> Floats:
        scores = []
        for first in range(0, len(values), CHUNK):
            part = values[first : first + CHUNK]
            scores.append(explained(observed.take(render(simulator, part))))
            if advance is not None:
                advance(len(part))
        return np.concatenate(scores) if scores else np.empty(0)

    values, _ = stable_draws(simulator, space, plan.draws, rng)
    scores = score(values)
    for _ in range(plan.generations):
        order = np.argsort(-scores)[: plan.best]
        children = _children(values[order], space, plan.around, rng)
        children = children[is_stable(simulator, children)]
        values = np.concatenate([values, children])
        scores = np.concatenate([scores, score(children)])
    chosen = _apart(values, scores, space, keep)
    return values[chosen], scores[chosen]


def _children(
    parents: Floats, space: CouplingSpace, count: int, rng: np.random.Generator
) -> Floats:
    """Draws around parents, along the differences between them; wide enough to leave a cluster.

    Source: differential evolution, Storn and Price, J. Glob. Optim. 11, 341 (1997).
    """
    base = parents[rng.integers(len(parents), size=count)]
    first = parents[rng.integers(len(parents), size=count)]
    second = parents[rng.integers(len(parents), size=count)]
    jitter = 0.01 * space.width * rng.standard_normal(base.shape)
    toward = rng.uniform(0, 0.5, (count, 1)) * (parents[0] - base)
    return space.inside(base + toward + 0.7 * (first - second) + jitter)


def _apart(values: Floats, scores: Floats, space: CouplingSpace, keep: int) -> list[int]:
    """The best, and the next best that are not the same again."""
    width = np.where(space.free, space.width, 1.0)
    chosen: list[int] = []
    for place in np.argsort(-scores):
        gaps = [np.abs((values[place] - values[c]) / width).max() for c in chosen]
        if not gaps or min(gaps) > 0.05:
            chosen.append(int(place))
        if len(chosen) == keep:
            break
    return chosen
