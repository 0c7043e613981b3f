"""Whether intervals keep what they promise, and whether the unsure rows are the wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FIFTHS = 5
# Share of the rows, the most uncertain ones, that are left out along the curve.
DROPPED = np.arange(0, 100, 5) / 100


@dataclass(frozen=True)
class Judged:
    """Labelled rows with an interval around the prediction of each, in the unit of the target.

    Args:
        truth: (rows,).
        prediction: (rows,).
        low: (rows,) lower ends.
        high: (rows,) upper ends.
        spread: (rows,) what the intervals were scaled with; difficulty is ordered by it.
        groups: (rows,) what is kept together.
    """

    truth: Floats
    prediction: Floats
    low: Floats
    high: Floats
    spread: Floats
    groups: NDArray[Any]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(rows,) whether the truth lies in the interval."""
        return (self.low <= self.truth) & (self.truth <= self.high)

    def take(self, rows: ArrayLike) -> Judged:
        """Some of the rows."""
        chosen = np.asarray(rows)
        fields = (self.truth, self.prediction, self.low, self.high, self.spread, self.groups)
        return Judged(*(field[chosen] for field in fields))

    @classmethod
    def joined(cls, first: Judged, second: Judged) -> Judged:
        """The rows of both."""
        names = ("truth", "prediction", "low", "high", "spread", "groups")
        return cls(*(np.concatenate([getattr(first, n), getattr(second, n)]) for n in names))


def coverage(inside: ArrayLike, groups: ArrayLike) -> tuple[float, float]:
    """The share of rows inside, and its standard error when groups are drawn and not rows.

    Source: Cameron & Miller, J. Human Resources 50, 317 (2015), section II (clustered errors).
    """
    hit = np.asarray(inside, dtype=float)
    if not len(hit):
        return float("nan"), float("nan")
    share = float(hit.mean())
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    count = len(names)
    if count < 2:
        return share, float("nan")
    sums = np.bincount(member.ravel(), weights=hit - share, minlength=count)
    error = np.sqrt((sums**2).sum() * count / (count - 1)) / len(hit)
    # All rows inside does not mean that all future ones are: one half row is missing.
    least = np.sqrt(0.5 * (count - 0.5)) / count**1.5
    return share, float(max(error, least))


def calibration_error(nominal: float, groups: int) -> float:
    """How far the coverage strays because only so many groups were calibrated on.

    Source: Vovk, "Conditional validity of inductive conformal predictors", ACML 2012: given the
    calibration rows, coverage follows a beta distribution.
    """
    return float(np.sqrt(nominal * (1 - nominal) / (groups + 2)))


def fifths(judged: Judged) -> list[dict[str, Any]]:
    """Coverage, error and width in fifths of the rows, from the smallest spread to the largest.

    Rows of one spread may fall into two fifths: they are cut by rank.
    """
    order = np.argsort(judged.spread, kind="stable")
    out = []
    for rows in np.array_split(order, FIFTHS):
        part = judged.take(rows)
        if not len(rows):
            continue
        share, error = coverage(part.inside, part.groups)
        out.append(
            {
                "rows": len(rows),
                "spread": [float(part.spread.min()), float(part.spread.max())],
                "coverage": share,
                "se": error,
                "mean_error": float(np.abs(part.truth - part.prediction).mean()),
                "mean_width": float((part.high - part.low).mean()),
            }
        )
    return out


def quality(judged: Judged) -> dict[str, Any]:
    """Coverage with its standard error, widths, and the same in fifths, for a JSON file."""
    share, error = coverage(judged.inside, judged.groups)
    width = judged.high - judged.low
    parts = fifths(judged)
    return {
        "rows": len(judged.truth),
        "groups": len(np.unique(judged.groups)),
        "coverage": share,
        "se": error,
        "mean_width": float(width.mean()),
        "median_width": float(np.median(width)),
        "mean_error": float(np.abs(judged.truth - judged.prediction).mean()),
        "worst_fifth": min((one["coverage"] for one in parts), default=float("nan")),
        "fifths": parts,
    }


def error_curve(errors: ArrayLike, uncertainty: ArrayLike) -> dict[str, Any]:
    """Mean error of what is left when the most uncertain rows are dropped.

    Args:
        errors: (rows,) absolute errors.
        uncertainty: (rows,) the higher the less sure.

    Returns:
        ``dropped`` (shares), ``model``, ``random`` and ``oracle`` (which knows the errors) mean
        errors; ``gain``, the area between random and model in units of that between random and
        oracle (1: as good as knowing the errors, 0: as good as chance, below: worse); and
        ``correlation``, Spearman's, of uncertainty and error (None: one of them never changes).

    Source: Ilg et al., "Uncertainty estimates and multi-hypotheses networks for optical flow",
    ECCV 2018 (sparsification curves).
    """
    e, u = np.asarray(errors, dtype=float), np.asarray(uncertainty, dtype=float)
    # Rows of one uncertainty cannot be told apart: each counts as their mean.
    _, member = np.unique(u, return_inverse=True)
    member = member.ravel()
    shared = (np.bincount(member, weights=e) / np.bincount(member))[member]
    model = _left(shared[np.argsort(u, kind="stable")])
    oracle = _left(np.sort(e))
    random = np.full(len(DROPPED), e.mean())
    room = float((random - oracle).sum())
    return {
        "dropped": DROPPED.tolist(),
        "model": model.tolist(),
        "random": random.tolist(),
        "oracle": oracle.tolist(),
        "gain": float((random - model).sum()) / room if room > 0 else 0.0,
        "correlation": _rank_correlation(e, u),
    }


def _left(ascending: Floats) -> Floats:
    """Mean over the first rows, for every share that is dropped at the end."""
    kept = np.maximum(np.ceil((1 - DROPPED) * len(ascending) - 1e-9).astype(int), 1)
    found: Floats = np.cumsum(ascending)[kept - 1] / kept
    return found


def _rank_correlation(first: Floats, second: Floats) -> float | None:
    from scipy.stats import spearmanr

    if len(first) < 3 or not np.ptp(first) > 0 or not np.ptp(second) > 0:
        return None
    return float(spearmanr(first, second).statistic)
