"""Numbers for how sure several voices are, and whether probabilities mean what they say.

All functions are plain numpy; the natural logarithm is used, so that information is in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SMALLEST = 1e-12  # probability; keeps logarithms finite
FEWEST = 20  # truths from which the size of errors can be told to about a sixth


def entropy(probabilities: ArrayLike) -> Floats:
    """(...,) entropy of distributions (..., classes)."""
    p = np.clip(np.asarray(probabilities, dtype=float), SMALLEST, 1.0)
    return np.asarray(-(p * np.log(p)).sum(axis=-1))


def mutual_information(probabilities: ArrayLike) -> Floats:
    r"""(rows,) what a voice tells about itself: H(mean) - mean(H), zero where all voices agree.

    Args:
        probabilities: (voices, rows, classes).

    Source: Houlsby et al., arXiv 1112.5745 (2011); as a measure of what a model does not know,
    Smith & Gal, UAI 2018.
    """
    p = np.asarray(probabilities, dtype=float)
    return np.maximum(entropy(p.mean(axis=0)) - entropy(p).mean(axis=0), 0.0)


def with_temperature(probabilities: ArrayLike, temperature: float) -> Floats:
    """(rows, classes) probabilities made flatter (temperature above one) or sharper (below)."""
    logs = np.log(np.clip(np.asarray(probabilities, dtype=float), SMALLEST, 1.0)) / temperature
    logs -= logs.max(axis=-1, keepdims=True)
    flat = np.exp(logs)
    return np.asarray(flat / flat.sum(axis=-1, keepdims=True))


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The temperature with the largest likelihood of the labels.

    Args:
        probabilities: (rows, classes).
        labels: (rows,) class indices.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2; on
    mean probabilities of an ensemble after Rahaman & Thiery, NeurIPS 2021.
    """
    from scipy.optimize import minimize_scalar

    p = np.asarray(probabilities, dtype=float)
    true = np.asarray(labels, dtype=np.int64)
    rows = np.arange(len(true))

    def loss(log_temperature: float) -> float:
        scaled = with_temperature(p, float(np.exp(log_temperature)))
        return float(-np.log(np.clip(scaled[rows, true], SMALLEST, 1.0)).mean())

    # From a twentieth to twenty: beyond, the labels say nothing (all right, or all wrong).
    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def error_factor(differences: ArrayLike, errors: ArrayLike) -> float | None:
    """What standard errors are to be multiplied by to be as large as differences from the truth.

    The factor with the largest normal likelihood, the root mean square of difference / error.

    Args:
        differences: (rows,) truth minus prediction; NaN where the truth is not known.
        errors: (rows,) standard errors.

    Returns:
        None where fewer than `FEWEST` truths are known.

    Source: Laves et al., "Well-calibrated regression uncertainty in medical imaging with deep
    learning", MIDL 2020 (sigma scaling).
    """
    off = np.asarray(differences, dtype=float) / np.asarray(errors, dtype=float)
    off = off[np.isfinite(off)]
    return float(np.sqrt(np.mean(off**2))) if len(off) >= FEWEST else None


@dataclass(frozen=True)
class Bin:
    """Rows whose largest probability lies in (low, high].

    Args:
        low: lower edge.
        high: upper edge.
        count: rows.
        confidence: mean of their largest probabilities.
        accuracy: share of them that are right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> list[Bin]:
    """Confidence and accuracy in bins of equal width; bins without rows are left out.

    Source: Guo et al., ICML 2017, section 2 (15 bins in section 4).
    """
    p = np.asarray(probabilities, dtype=float)
    sure = p.max(axis=-1)
    right = p.argmax(axis=-1) == np.asarray(labels, dtype=np.int64)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(
            low=number / bins,
            high=(number + 1) / bins,
            count=int((place == number).sum()),
            confidence=float(sure[place == number].mean()),
            accuracy=float(right[place == number].mean()),
        )
        for number in range(bins)
        if (place == number).any()
    ]


def calibration_error(table: list[Bin]) -> float:
    """The expected calibration error: mean gap of confidence and accuracy over all rows."""
    rows = sum(one.count for one in table)
    return sum(one.count * abs(one.accuracy - one.confidence) for one in table) / max(rows, 1)
