"""Metrics of predictions, each with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError
from gnnmat.target import curve_array
from gnnmat.workflows.curve_metrics import curve_metrics
from gnnmat.workflows.metrics import Metric, class_metrics, number_metrics

Floats = NDArray[np.float64]
Kind = Literal["regression", "classification", "curve"]

LEVEL = 0.95
CHUNK = 2_000_000  # weights held at once: 16 MB


def score(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    kind: Kind = "regression",
    probabilities: ArrayLike | None = None,
    classes: Sequence[object] | None = None,
    groups: ArrayLike | None = None,
    unit: str = "",
    seed: int = 0,
    resamples: int = 1000,
) -> list[dict[str, Any]]:
    """Metrics with a 95% percentile bootstrap interval.

    Rows are drawn with replacement, or whole groups where groups are given (atoms of one
    crystal, polymorphs of one formula). Rows without a truth are left out. A metric that is
    not defined has value None: R2 for one row or a constant truth, ROC AUC for one class, all
    of them where a prediction is not finite. An interval needs two rows (two groups), else it
    is None; resamples in which a metric is not defined do not count.

    Regression: ``MAE``, ``RMSE``, ``median AE``, ``R2``. Classification: ``accuracy``,
    ``balanced accuracy``, ``F1 macro``; with probabilities also ``ROC AUC`` (several classes:
    mean of one against the rest), ``log loss`` and ``ECE``. Curves: ``MAE``, ``RMSE`` and
    ``R2`` over all points, drawn curve by curve; ``n`` counts curves.

    Args:
        truth: (n,) numbers, class names or `Curve`; NaN or None: no label.
        prediction: (n,) likewise.
        kind: of the target.
        probabilities: (n, classes), or (n,) for the second of two classes.
        classes: class names, in the order of ``probabilities``.
        groups: (n,) names of what is drawn as a whole.
        unit: of the target, repeated in rows that have it.
        seed: same seed, same interval.
        resamples: bootstrap samples.

    Returns:
        Rows ``metric, value, low, high, n, unit``; none where no row has a truth.

    Raises:
        GnnmatError: lengths differ, or probabilities without their classes.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    truths, predictions = _column(truth), _column(prediction)
    _check_lengths(len(truths), prediction=predictions, probabilities=probabilities, groups=groups)
    kept = truths.notna().to_numpy()
    if not kept.any():
        return []
    if kind == "regression":
        metrics = number_metrics(
            truths[kept].to_numpy(dtype=float), predictions[kept].to_numpy(dtype=float), unit
        )
    elif kind == "curve":
        size = len(truths[kept].iloc[0])
        given, said = (curve_array(values[kept], size) for values in (truths, predictions))
        metrics = curve_metrics(given, said, unit)
    else:
        chances = None if probabilities is None else np.asarray(probabilities, dtype=float)[kept]
        metrics = class_metrics(truths[kept], predictions[kept], chances, classes)
    member = None
    if groups is not None:
        member = pd.factorize(np.asarray(groups).ravel()[kept], use_na_sentinel=False)[0]
    return _rows(metrics, int(kept.sum()), member, seed, resamples)


def _rows(
    metrics: list[Metric], n: int, member: NDArray[np.int64] | None, seed: int, resamples: int
) -> list[dict[str, Any]]:
    functions = [metric.of for metric in metrics]
    values = [float(function(np.ones((1, n)))[0]) for function in functions]
    drawn = _bootstrap(functions, n, member, seed, resamples)
    rows = []
    for metric, value, sample in zip(metrics, values, drawn, strict=True):
        low, high = _interval(sample) if np.isfinite(value) else (None, None)
        rows.append(
            {
                "metric": metric.name,
                "value": value if np.isfinite(value) else None,
                "low": low,
                "high": high,
                "n": n,
                "unit": metric.unit,
            }
        )
    return rows


def _bootstrap(
    functions: list[Callable[[Floats], Floats]],
    n: int,
    member: NDArray[np.int64] | None,
    seed: int,
    resamples: int,
) -> list[Floats]:
    """The metrics of each resample; a resample is how often each row was drawn."""
    units = n if member is None else int(member.max()) + 1
    if units < 2:
        return [np.empty(0) for _ in functions]
    random = np.random.default_rng(seed)
    parts: list[list[Floats]] = [[] for _ in functions]
    step = max(1, CHUNK // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        picks = random.integers(0, units, (size, units))
        picks += np.arange(size)[:, None] * units
        weights = np.bincount(picks.ravel(), minlength=size * units).reshape(size, units)
        spread = (weights if member is None else weights[:, member]).astype(float)
        for part, function in zip(parts, functions, strict=True):
            part.append(function(spread))
    return [np.concatenate(part) for part in parts]


def _interval(sample: Floats) -> tuple[float | None, float | None]:
    defined = sample[np.isfinite(sample)]
    if len(defined) < 2:
        return None, None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _column(values: Any) -> pd.Series:
    # numpy would turn the NaN in a list of class names into the name "nan".
    flat = values.ravel() if isinstance(values, np.ndarray) else list(values)
    return pd.Series(flat)


def _check_lengths(n: int, **given: Any) -> None:
    for name, values in given.items():
        if values is not None and len(values) != n:
            raise GnnmatError(f"{n} truths, but {len(values)} values of {name}.")
