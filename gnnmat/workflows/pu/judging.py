"""What PU scores are worth, said without knowing a single negative row.

All curves set two things against each other that can be counted: how many held-out positives are
called positive (recall), and how many unlabelled rows are. Precision cannot be counted; it follows
from the share of positives among the unlabelled rows (the prior), which is a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 400


@dataclass(frozen=True)
class Curve:
    """What is found against what is flagged, from the highest threshold down.

    Args:
        threshold: (k,) scores at which something is flagged.
        flagged: (k,) share of the unlabelled rows at or above; NaN without any.
        recall: (k,) share of the positives; NaN without any.
    """

    threshold: Floats
    flagged: Floats
    recall: Floats

    @property
    def is_judged(self) -> bool:
        """Whether there are rows of both kinds."""
        return len(self.recall) > 0 and bool(np.isfinite(self.recall[-1] + self.flagged[-1]))

    def recall_at(self, share: float) -> float:
        """Recall where this share of the unlabelled rows is flagged."""
        if not self.is_judged:
            return float("nan")
        return float(np.interp(share, np.append(0.0, self.flagged), np.append(0.0, self.recall)))

    def above(self, threshold: float) -> tuple[float, float]:
        """Recall, and share of the unlabelled rows, above a threshold."""
        place = int(np.searchsorted(-self.threshold, -threshold, side="left")) - 1
        if len(self.recall) == 0:
            return float("nan"), float("nan")
        nothing = place < 0
        ends = (0.0 * self.recall[-1], 0.0 * self.flagged[-1])  # NaN where nothing can be said
        return ends if nothing else (float(self.recall[place]), float(self.flagged[place]))

    @property
    def ranking(self) -> float:
        """Chance that a positive ranks above an unlabelled row: the area under the curve."""
        if not self.is_judged:
            return float("nan")
        return float(np.trapezoid(np.append(0.0, self.recall), np.append(0.0, self.flagged)))


@dataclass(frozen=True)
class Judged:
    """Rows with a score, none of which its fits have learned from.

    Args:
        score: (n,) the higher the more like the positives.
        positive: (n,) whether the row is positive.
        groups: (n,) what the bootstrap draws as a whole.
    """

    score: Floats
    positive: NDArray[np.bool_]
    groups: NDArray[np.int64]

    @classmethod
    def of(
        cls, score: NDArray[np.floating], positive: NDArray[np.bool_], groups: NDArray[np.generic]
    ) -> Judged:
        """Rows with names of groups; rows without a score are left out."""
        kept = np.isfinite(score)
        order = np.argsort(-np.asarray(score, dtype=np.float64)[kept], kind="stable")
        member = np.unique(groups[kept], return_inverse=True)[1]
        scores = np.asarray(score, dtype=np.float64)[kept]
        return cls(scores[order], positive[kept][order], member[order])

    @cached_property
    def _last(self) -> NDArray[np.int64]:
        """Places of the last row of each score: rows of one score are flagged together."""
        if not len(self.score):
            return np.empty(0, dtype=np.int64)
        return np.append(np.flatnonzero(np.diff(self.score)), len(self.score) - 1)

    def curve(self, weights: NDArray[np.int64] | None = None) -> Curve:
        """The curve of these rows, each counted so often."""
        weight = np.ones(len(self.score), dtype=np.int64) if weights is None else weights
        hits = np.cumsum(np.where(self.positive, weight, 0))[self._last].astype(float)
        flags = np.cumsum(np.where(self.positive, 0, weight))[self._last].astype(float)
        for counts in (hits, flags):
            counts /= counts[-1] if len(counts) and counts[-1] else np.nan
        return Curve(self.score[self._last], flags, hits)

    def curves(self, seed: int, resamples: int = RESAMPLES) -> Iterator[Curve]:
        """The curve, and then those of groups drawn anew."""
        yield self.curve()
        random = np.random.default_rng(seed)
        count = int(self.groups.max()) + 1 if len(self.groups) else 0
        for _ in range(resamples if count > 1 else 0):
            drawn = np.bincount(random.integers(0, count, count), minlength=count)
            yield self.curve(drawn[self.groups])


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, from groups drawn anew; NaN where it cannot be told."""

    value: float
    low: float
    high: float


def estimates(
    judged: Judged,
    wanted: Mapping[str, Callable[[Curve], float]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Numbers read off the curve by name, all from the same draws.

    Args:
        judged: the rows.
        wanted: how each number is read off.
        seed: of the draws.
        resamples: number of draws; 0 gives no intervals.
    """
    found: dict[str, list[float]] = {name: [] for name in wanted}
    for curve in judged.curves(seed, resamples):
        for name, of in wanted.items():
            found[name].append(of(curve))
    return {name: _estimate(values) for name, values in found.items()}


def _estimate(values: list[float]) -> Estimate:
    tail = (1 - LEVEL) / 2
    drawn = [value for value in values[1:] if np.isfinite(value)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) > 1 else (np.nan, np.nan)
    return Estimate(values[0], float(low), float(high))


def recall_at(judged: Judged, share: float, *, seed: int = 0) -> Estimate:
    """Recall of the positives where this share of the unlabelled rows is flagged."""
    return estimates(judged, {"recall": lambda curve: curve.recall_at(share)}, seed=seed)["recall"]


# Source: Garg et al., NeurIPS 2021, section 4: delta = 0.1, gamma = 0.01.
DELTA, GAMMA = 0.1, 0.01


def prior_bound(judged: Judged) -> Callable[[Curve], float]:
    """How to read off a curve the share of positives among the unlabelled rows, at most.

    Where positives are found in a share r and unlabelled rows flagged in a share q, at most q / r
    of the unlabelled rows are positive; the threshold with the smallest such bound counts, away
    from the top of the ranking, where few rows decide. It is the share itself only if nothing but
    positives stands above that threshold, and only if the labelled positives are like the hidden
    ones.

    Args:
        judged: the rows, whose numbers decide how far from the top is far enough.

    Source: best bin estimation of Garg, Wu, Smola, Balakrishnan & Lipton, "Mixture proportion
    estimation and PU learning: a modern approach", NeurIPS 2021, algorithm 1.
    """
    counts = max(int(judged.positive.sum()), 1), max(int((~judged.positive).sum()), 1)
    slack = sum(np.sqrt(np.log(4 / DELTA) / (2 * n)) for n in counts)

    def bound(curve: Curve) -> float:
        there = curve.recall > 0
        if not curve.is_judged or not there.any():
            return float("nan")
        flagged, recall = curve.flagged[there], curve.recall[there]
        best = int(np.argmin((flagged + (1 + GAMMA) * slack) / recall))
        return float(min(1.0, flagged[best] / recall[best]))

    return bound


def precision(recall: float, flagged: float, prior: float) -> float:
    """Share of positives among the flagged unlabelled rows, if the prior is true."""
    return min(1.0, prior * recall / flagged) if flagged > 0 else float("nan")
