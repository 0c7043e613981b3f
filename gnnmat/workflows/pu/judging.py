"""What PU scores are worth, said without knowing a single negative row.

All curves set two things against each other that can be counted: how many held-out positives are
called positive (recall), and how many unlabelled rows are. Precision cannot be counted; it follows
from the share of positives among the unlabelled rows (the prior), which is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 400


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
        member = np.unique(groups[kept], return_inverse=True)[1]
        return cls(np.asarray(score, dtype=np.float64)[kept], positive[kept], member)

    def draws(self, seed: int, resamples: int = RESAMPLES) -> list[Floats]:
        """(n,) how often each row counts, resample by resample; first each row once."""
        random = np.random.default_rng(seed)
        count = int(self.groups.max()) + 1
        drawn = (
            np.bincount(random.integers(0, count, count), minlength=count) for _ in range(resamples)
        )
        return [np.ones(len(self.score)), *(one[self.groups].astype(float) for one in drawn)]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, from groups drawn anew."""

    value: float
    low: float
    high: float


def _estimate(values: list[float]) -> Estimate:
    tail = (1 - LEVEL) / 2
    drawn = [value for value in values[1:] if np.isfinite(value)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) > 1 else (np.nan, np.nan)
    return Estimate(values[0], float(low), float(high))


def flagged_curve(judged: Judged, weights: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """(k,) thresholds from high to low, share of unlabelled rows flagged, recall of positives.

    Rows of one score are flagged together.
    """
    weight = np.ones(len(judged.score)) if weights is None else weights
    order = np.argsort(-judged.score, kind="stable")
    score, positive, weight = judged.score[order], judged.positive[order], weight[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits, flags = np.cumsum(weight * positive)[last], np.cumsum(weight * ~positive)[last]
    return score[last], flags / max(flags[-1], 1e-12), hits / max(hits[-1], 1e-12)


def recall_at(judged: Judged, share: float, *, seed: int = 0) -> Estimate:
    """Recall of the positives where this share of the unlabelled rows is flagged."""

    def one(weights: Floats) -> float:
        _, flagged, recall = flagged_curve(judged, weights)
        return float(np.interp(share, np.append(0.0, flagged), np.append(0.0, recall)))

    return _estimate([one(weights) for weights in judged.draws(seed)])


def recall_above(judged: Judged, threshold: float, *, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Recall of the positives, and share of the unlabelled rows, above a threshold."""
    above = judged.score > threshold
    found: list[list[float]] = [[], []]
    for weights in judged.draws(seed):
        for place, rows in enumerate((judged.positive, ~judged.positive)):
            total = float((weights * rows).sum())
            found[place].append(float((weights * rows * above).sum()) / total if total else np.nan)
    return _estimate(found[0]), _estimate(found[1])


def ranking(judged: Judged, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Chance that a positive ranks above an unlabelled row: the area under the flagged curve.

    It is below what it would be against negatives, because some unlabelled rows are positive.
    """

    def one(weights: Floats) -> float:
        _, flagged, recall = flagged_curve(judged, weights)
        return float(np.trapezoid(np.append(0.0, recall), np.append(0.0, flagged)))

    return _estimate([one(weights) for weights in judged.draws(seed, resamples)])


# Source: Garg et al., NeurIPS 2021, section 4: delta = 0.1, gamma = 0.01.
DELTA, GAMMA = 0.1, 0.01


def prior_bound(judged: Judged, *, seed: int = 0) -> Estimate:
    """Share of positives among the unlabelled rows, at most.

    Where positives are found in a share r and unlabelled rows flagged in a share q, at most q / r
    of the unlabelled rows are positive; the threshold with the smallest such bound counts, away
    from the top of the ranking, where few rows decide. It is the share itself only if nothing but
    positives stands above that threshold.

    Source: best bin estimation of Garg, Wu, Smola, Balakrishnan & Lipton, "Mixture proportion
    estimation and PU learning: a modern approach", NeurIPS 2021, algorithm 1.
    """
    positives, unlabelled = int(judged.positive.sum()), int((~judged.positive).sum())
    slack = sum(np.sqrt(np.log(4 / DELTA) / (2 * n)) for n in (positives, unlabelled))

    def one(weights: Floats) -> float:
        _, flagged, recall = flagged_curve(judged, weights)
        there = recall > 0
        if not there.any():
            return float("nan")
        flagged, recall = flagged[there], recall[there]
        best = int(np.argmin((flagged + (1 + GAMMA) * slack) / recall))
        return float(min(1.0, flagged[best] / recall[best]))

    return _estimate([one(weights) for weights in judged.draws(seed)])


def precision(recall: float, flagged: float, prior: float) -> float:
    """Share of positives among the flagged unlabelled rows, if the prior is true."""
    return min(1.0, prior * recall / flagged) if flagged > 0 else float("nan")
