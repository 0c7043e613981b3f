"""How well predicted stability finds stable crystals: what Matbench Discovery reports.

Energies above the hull are in eV/atom, predicted and true. Stable means at most ``threshold``. A
prediction that is no number counts as unstable, and is left out of MAE, RMSE and R2 alone. Rows
without a truth are left out.

Source: Riebesell et al., Nat. Mach. Intell. 7, 836 (2025), arXiv 2308.14920: DAF, counts, triangle
of peril; differs in: F1 and precision are 0 instead of undefined where something is stable and
nothing right was flagged; the paper gives missing predictions dummy energies, its code leaves
them out, as is done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError
from gnnmat.workflows.scores import LEVEL, score
from gnnmat.workflows.screening.discovery_counts import classification, energies, parts_of
from gnnmat.workflows.screening.discovery_curves import by_distance

Floats = NDArray[np.float64]

CHUNK = 2_000_000  # drawn groups held at once: 16 MB


@dataclass(frozen=True)
class Discovery:
    """What is reported of predicted stability.

    Args:
        scores: ``metric, value, low, high, unit``; intervals are 95% percentile bootstrap ones, and
            value is NaN where a metric is not defined.
        near: a row for each range of true distances from the threshold, see `by_distance`.
        rows: with a truth.
        missing: of them, without a prediction.
        unknown: rows without a truth, left out.
        threshold: eV/atom.
    """

    scores: pd.DataFrame
    near: pd.DataFrame
    rows: int
    missing: int
    unknown: int
    threshold: float

    def value(self, metric: str) -> float:
        """One number."""
        return float(self.scores.set_index("metric")["value"][metric])


def judge_discovery(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    threshold: float = 0.0,
    groups: ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Discovery:
    """Scores of predicted energies above the hull.

    F1, DAF (discovery acceleration factor: precision / prevalence), precision, recall, accuracy,
    TPR, FPR, TNR, FNR, the counts TP, FP, TN, FN, prevalence, share of the false positives within
    0.05 eV/atom of the threshold, MAE, RMSE, R2.

    Args:
        truth: (rows,) eV/atom; NaN: not known.
        predicted: (rows,) eV/atom; what is not finite counts as unstable.
        threshold: eV/atom, at or below which a crystal is stable, for both.
        groups: (rows,) what the bootstrap draws as a whole, such as formulas; default: rows.
        seed: same seed, same intervals.
        resamples: bootstrap samples; 0 gives no intervals.

    Raises:
        GnnmatError: lengths differ, no row has a truth, or the threshold is no number.
    """
    true, said = energies(truth, predicted, threshold)
    there = np.isfinite(true)
    member = _members(groups, len(true))[there]
    unknown = int((~there).sum())
    true, said = true[there], said[there]
    parts = parts_of(true, said, threshold)
    values = classification(parts.sum(axis=0)[None])
    drawn = classification(_bootstrap(parts, member, seed, resamples))
    rows = [
        {"metric": name, "value": float(values[name][0]), **_interval(drawn[name]), "unit": ""}
        for name in values
    ]
    rows += _regression(true, said, member, seed, resamples)
    near = by_distance(true, said, threshold=threshold)
    missing = int((~np.isfinite(said)).sum())
    return Discovery(pd.DataFrame(rows), near, len(true), missing, unknown, threshold)


def _regression(
    true: Floats, said: Floats, member: NDArray[np.int64], seed: int, resamples: int
) -> list[dict[str, Any]]:
    """MAE, RMSE and R2 over the rows that have a prediction."""
    told = np.isfinite(said)
    found = score(
        true[told],
        said[told],
        groups=member[told] if resamples else np.zeros(int(told.sum())),
        unit="eV/atom",
        seed=seed,
        resamples=resamples,
    )
    by_name = {row["metric"]: row for row in found}
    none = {"value": None, "low": None, "high": None}
    return [
        {"metric": name, "unit": unit}
        | {key: _number(by_name.get(name, none)[key]) for key in none}
        for name, unit in (("MAE", "eV/atom"), ("RMSE", "eV/atom"), ("R2", ""))
    ]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _members(groups: ArrayLike | None, rows: int) -> NDArray[np.int64]:
    """(rows,) the number of each row's group."""
    if groups is None:
        return np.arange(rows)
    names = np.asarray(groups).ravel()
    if len(names) != rows:
        raise GnnmatError(f"{rows:,} energies, but {len(names):,} groups.")
    return np.asarray(pd.factorize(names, use_na_sentinel=False)[0], dtype=np.int64)


def _bootstrap(parts: Floats, member: NDArray[np.int64], seed: int, resamples: int) -> Floats:
    """(resamples, 5) counts where whole groups are drawn with replacement."""
    present, place = np.unique(member, return_inverse=True)
    units = len(present)
    of_group = np.stack([np.bincount(place, column, units) for column in parts.T], axis=1)
    random = np.random.default_rng(seed)
    if units < 2:
        return np.empty((0, parts.shape[1]))
    drawn = []
    for start in range(0, resamples, max(1, CHUNK // units)):
        size = min(max(1, CHUNK // units), resamples - start)
        picks = random.integers(0, units, (size, units)) + np.arange(size)[:, None] * units
        weights = np.bincount(picks.ravel(), minlength=size * units).reshape(size, units)
        drawn.append(weights @ of_group)
    return np.concatenate(drawn) if drawn else np.empty((0, parts.shape[1]))


def _interval(sample: Floats) -> dict[str, float]:
    defined = sample[np.isfinite(sample)]
    if len(defined) < 2:
        return {"low": float("nan"), "high": float("nan")}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return {"low": float(low), "high": float(high)}
