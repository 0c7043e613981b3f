"""Metrics of curves as functions of weights a curve.

Weights (R, n) say how often each curve counts in each of R samples, as in
`gnnmat.workflows.metrics`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.workflows.metrics import Metric

Floats = NDArray[np.float64]


def curve_metrics(truth: Floats, prediction: Floats, unit: str) -> list[Metric]:
    """Errors over all points of all curves; points without a truth do not count.

    ``R2`` compares with the mean curve, not with the mean of all points: the mean curve has 0,
    and what every curve has in common earns nothing. It is scikit-learn's ``r2_score`` with
    ``multioutput="variance_weighted"``.

    Args:
        truth: (n, points), NaN where there is none.
        prediction: (n, points).
        unit: of the values.
    """
    known = np.isfinite(truth)
    if not np.isfinite(prediction[known]).all():
        names = (("MAE", unit), ("RMSE", unit), ("R2", ""))
        return [Metric(name, its_unit, _undefined) for name, its_unit in names]
    counts = known.sum(1).astype(float)
    error = np.where(known, prediction - truth, 0.0)
    absolute, square = np.abs(error).sum(1), (error**2).sum(1)
    filled = np.where(known, truth, 0.0)
    mean = filled.sum(0) / np.maximum(known.sum(0), 1)
    centred = np.where(known, truth - mean, 0.0)

    def r2(weights: Floats) -> Floats:
        many = np.maximum(weights @ known.astype(float), 1)
        first, second = weights @ centred, weights @ (centred**2).sum(1)
        spread = second - (first**2 / many).sum(1)
        defined = spread > 1e-12 * second
        return np.where(defined, 1 - weights @ square / np.where(defined, spread, 1), np.nan)

    return [
        Metric("MAE", unit, lambda weights: weights @ absolute / (weights @ counts)),
        Metric("RMSE", unit, lambda weights: np.sqrt(weights @ square / (weights @ counts))),
        Metric("R2", "", r2),
    ]


def _undefined(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)
