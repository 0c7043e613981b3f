"""Stable or not: counts of right and wrong verdicts, and the metrics that follow from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

NEAR = 0.05  # eV/atom: so close to the threshold a false positive is a near miss. A choice.


def energies(truth: ArrayLike, predicted: ArrayLike, threshold: float) -> tuple[Floats, Floats]:
    """Both as (rows,) in float64, NaN where something is no number.

    Raises:
        GnnmatError: lengths differ, nothing is known, or the threshold is no number.
    """
    true, said = (
        pd.to_numeric(pd.Series(np.asarray(one).ravel()), errors="coerce").to_numpy(np.float64)
        for one in (truth, predicted)
    )
    if len(true) != len(said):
        raise GnnmatError(f"{len(true):,} true energies, but {len(said):,} predicted ones.")
    if not np.isfinite(true).any():
        raise GnnmatError("No row has a true energy above the hull.")
    if not np.isfinite(threshold):
        raise GnnmatError(f"The threshold is {threshold}.", fix="Give a number in eV/atom.")
    return true, said


def parts_of(true: Floats, said: Floats, threshold: float) -> Floats:
    """(rows, 5) TP, FP, TN, FN, and false positives near the threshold, as ones and zeros."""
    stable = true <= threshold
    flagged = np.isfinite(said) & (said <= threshold)
    near = true - threshold <= NEAR
    kinds = (stable & flagged, ~stable & flagged, ~stable & ~flagged, stable & ~flagged)
    return np.stack([*kinds, ~stable & flagged & near], axis=1).astype(np.float64)


def classification(counts: Floats) -> dict[str, Floats]:
    """(R,) each metric, from counts (R, 5)."""
    tp, fp, tn, fn, near = counts.T
    stable, unstable, total = tp + fn, fp + tn, tp + fp + tn + fn
    precision = np.where((tp + fp == 0) & (stable > 0), 0.0, _ratio(tp, tp + fp))
    prevalence = stable / total
    return {
        "F1": _ratio(2 * tp, 2 * tp + fp + fn),
        "DAF": _ratio(precision, prevalence),
        "precision": precision,
        "recall": _ratio(tp, stable),
        "accuracy": (tp + tn) / total,
        "TPR": _ratio(tp, stable),
        "FPR": _ratio(fp, unstable),
        "TNR": _ratio(tn, unstable),
        "FNR": _ratio(fn, stable),
        "TP": tp,
        "FP": fp,
        "TN": tn,
        "FN": fn,
        "prevalence": prevalence,
        "false positives near the hull": _ratio(near, fp),
    }


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)
