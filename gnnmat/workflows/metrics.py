"""Metrics as functions of row weights, so that a bootstrap sample is a row of counts.

Every function takes weights (R, n), how often each row counts in each of R samples, and
returns (R,); NaN where the metric is not defined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

# Bins of the calibration error. Source: Guo et al., ICML 2017, section 4 (M = 15).
BINS = 15


@dataclass(frozen=True)
class Metric:
    """A metric: its name, its unit and the function from weights (R, n) to values (R,)."""

    name: str
    unit: str
    of: Callable[[Floats], Floats]


def number_metrics(truth: Floats, prediction: Floats, unit: str) -> list[Metric]:
    """Errors of numbers, truth and prediction (n,)."""
    error = np.abs(prediction - truth)
    if not np.isfinite(error).all():
        names = (("MAE", unit), ("RMSE", unit), ("median AE", unit), ("R2", ""))
        return [Metric(name, its_unit, _undefined) for name, its_unit in names]
    # Centred, so that the variance of large numbers is not a difference of larger ones.
    centred = truth - truth.mean()
    is_constant = bool(np.ptp(truth) == 0)
    sums = np.stack([error, error**2, centred, centred**2], axis=1)
    order = np.argsort(error, kind="stable")

    def r2(weights: Floats) -> Floats:
        total = weights.sum(1)
        _, square, first, second = (weights @ sums).T
        spread = second - first**2 / total
        # Rounding leaves a spread of about 1e-16 of the squares where all drawn truths agree.
        defined = (spread > 1e-12 * second) & (not is_constant)
        return np.where(defined, 1 - square / np.where(defined, spread, 1), np.nan)

    return [
        Metric("MAE", unit, lambda weights: weights @ error / weights.sum(1)),
        Metric("RMSE", unit, lambda weights: np.sqrt(weights @ error**2 / weights.sum(1))),
        Metric("median AE", unit, lambda weights: _median(weights[:, order], error[order])),
        Metric("R2", "", r2),
    ]


def class_metrics(
    truth: pd.Series,
    prediction: pd.Series,
    probabilities: Floats | None,
    classes: Sequence[object] | None,
) -> list[Metric]:
    """Metrics of class names, truth and prediction (n,), probabilities (n, classes) or (n,)."""
    if classes is None:
        if probabilities is not None:
            raise GnnmatError("Probabilities need the list of classes that they belong to.")
        named = {class_name(value) for value in [*truth, *prediction.dropna()]}
        names = sorted(named)
    else:
        names = [class_name(value) for value in classes]
    true, said = (_codes(values, names) for values in (truth, prediction))
    is_right = (true == said).astype(float)
    in_truth, in_prediction = _one_hot(true, len(names)), _one_hot(said, len(names))
    in_both = _one_hot(np.where(true == said, true, -1), len(names))
    metrics = [
        Metric("accuracy", "", lambda weights: weights @ is_right / weights.sum(1)),
        Metric(
            "balanced accuracy", "", lambda weights: _recall(weights @ in_both, weights @ in_truth)
        ),
        Metric(
            "F1 macro",
            "",
            lambda weights: _f1(weights @ in_both, weights @ in_truth, weights @ in_prediction),
        ),
    ]
    if probabilities is None:
        return metrics
    return metrics + _probability_metrics(true, _two_columns(probabilities, names))


def class_name(value: object) -> str:
    """A class as text; 1.0 is ``1``, since a missing label turns a column of 0 and 1 to floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _probability_metrics(true: NDArray[np.int64], chances: Floats) -> list[Metric]:
    if not np.isfinite(chances).all():
        return [Metric(name, "", _undefined) for name in ("ROC AUC", "log loss", "ECE")]
    n, width = chances.shape
    curves = [_auc_of(true == place, chances[:, place]) for place in range(width)]
    ours = chances[np.arange(n), true] / chances.sum(1)
    loss = -np.log(np.clip(ours, np.finfo(float).eps, 1.0))
    sure = chances.max(1)
    bins = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    gap = (chances.argmax(1) == true) - sure
    binned = np.zeros((n, BINS))
    binned[np.arange(n), bins] = gap

    def auc(weights: Floats) -> Floats:
        if width == 2:
            return curves[1](weights)
        # NaN for a class that was not drawn: then the mean over classes is not defined.
        return np.mean([curve(weights) for curve in curves], axis=0)

    return [
        Metric("ROC AUC", "", auc),
        Metric("log loss", "", lambda weights: weights @ loss / weights.sum(1)),
        Metric("ECE", "", lambda weights: np.abs(weights @ binned).sum(1) / weights.sum(1)),
    ]


def _undefined(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)


def _median(weights: Floats, ascending: Floats) -> Floats:
    """Medians of values repeated ``weights`` times; the mean of the middle two if even."""
    reached = weights.cumsum(1)
    half = reached[:, -1:] / 2
    low = (reached < half).sum(1)
    high = (reached <= half).sum(1)
    return (ascending[low] + ascending[high]) / 2


def _codes(values: pd.Series, names: list[str]) -> NDArray[np.int64]:
    known = {name: place for place, name in enumerate(names)}
    codes = [-1 if pd.isna(value) else known.get(class_name(value), -2) for value in values]
    if -2 in codes:
        stray = class_name(values.iloc[codes.index(-2)])
        raise GnnmatError(f"'{stray}' is not one of the classes.", why=f"Classes: {names}.")
    return np.asarray(codes, dtype=np.int64)


def _one_hot(codes: NDArray[np.int64], width: int) -> csr_array:
    """(n, classes) one in the column of the row's class; a row of zeros for -1."""
    rows = np.flatnonzero(codes >= 0)
    return csr_array((np.ones(len(rows)), (rows, codes[rows])), shape=(len(codes), width))


def _recall(right: Floats, truths: Floats) -> Floats:
    """Mean recall over the classes that occur in the truth, from counts (R, classes)."""
    occurs = truths > 0
    return (right / np.maximum(truths, 1)).sum(1) / occurs.sum(1)


def _f1(right: Floats, truths: Floats, predictions: Floats) -> Floats:
    """Mean F1 over the classes that occur in truth or prediction, from counts (R, classes)."""
    both = truths + predictions
    return (2 * right / np.maximum(both, 1)).sum(1) / (both > 0).sum(1)


def _auc_of(positive: NDArray[np.bool_], chance: Floats) -> Callable[[Floats], Floats]:
    """The area under the ROC curve as a function of weights; equal chances count half."""
    order = np.argsort(chance, kind="stable")
    starts = np.flatnonzero(np.diff(chance[order], prepend=-np.inf) > 0)
    is_positive = positive[order].astype(float)

    def area(weights: Floats) -> Floats:
        ranked = weights[:, order]
        won = np.add.reduceat(ranked * is_positive, starts, axis=1)
        lost = np.add.reduceat(ranked * (1 - is_positive), starts, axis=1)
        below = lost.cumsum(1) - lost / 2
        pairs = won.sum(1) * lost.sum(1)
        return np.where(pairs > 0, (won * below).sum(1) / np.where(pairs > 0, pairs, 1), np.nan)

    return area


def _two_columns(probabilities: Floats, names: list[str]) -> Floats:
    if probabilities.ndim == 1:
        probabilities = np.stack([1 - probabilities, probabilities], axis=1)
    if probabilities.shape[1] != len(names):
        raise GnnmatError(
            f"Probabilities for {probabilities.shape[1]} classes, but there are {len(names)}.",
            why=f"Classes: {', '.join(names)}.",
        )
    return probabilities
