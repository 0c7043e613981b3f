"""Where verdicts of stability go wrong, and what a campaign that trusts them finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.discovery_counts import energies, parts_of

# eV/atom. Distances from the threshold at which errors are counted apart.
EDGES = (0.025, 0.05, 0.1, 0.2)


def by_distance(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    threshold: float = 0.0,
    edges: Sequence[float] = EDGES,
) -> pd.DataFrame:
    """Where the errors lie: counts and errors by how far a crystal truly is from the threshold.

    Args:
        truth: (rows,) eV/atom.
        predicted: (rows,) eV/atom.
        threshold: eV/atom.
        edges: eV/atom, rising; the same on both sides. The threshold itself is stable.

    Returns:
        ``low, high`` (eV/atom from the threshold, low < distance <= high), ``n, TP, FP, TN, FN``,
        ``wrong`` (their share), ``MAE``, and ``peril``: whether the mean error exceeds the mean
        distance, so that an error in the bad direction turns the verdict over.
    """
    true, said = energies(truth, predicted, threshold)
    ends = np.asarray(edges, dtype=np.float64)
    if not len(ends) or (np.diff(ends) <= 0).any() or ends[0] <= 0:
        raise GnnmatError(f"Edges {list(edges)} do not rise from above 0.")
    sides = np.concatenate([[-np.inf], -ends[::-1], [0.0], ends, [np.inf]])
    distance = true - threshold
    place = np.searchsorted(sides[1:-1], distance, side="left")
    rows = []
    for number, (low, high) in enumerate(zip(sides[:-1], sides[1:], strict=True)):
        here = (place == number) & np.isfinite(true)
        parts = parts_of(true[here], said[here], threshold).sum(axis=0)
        counts = dict(zip(("TP", "FP", "TN", "FN"), parts[:4].astype(int), strict=True))
        told = here & np.isfinite(said)
        error = float(np.abs(said - true)[told].mean()) if told.any() else float("nan")
        away = float(np.abs(distance[told]).mean()) if told.any() else float("nan")
        size = int(here.sum())
        wrong = (counts["FP"] + counts["FN"]) / size if size else float("nan")
        rows.append(
            {"low": low, "high": high, "n": size, **counts, "wrong": wrong, "MAE": error}
            | {"peril": error > away}
        )
    return pd.DataFrame(rows)


def campaign(
    truth: ArrayLike, predicted: ArrayLike, sizes: Sequence[int], *, threshold: float = 0.0
) -> pd.DataFrame:
    """What is found where the predicted most stable are computed first: a row a size.

    Crystals without a prediction come last. Equal predictions are taken at their expected share,
    so that the order of the file does not matter.

    Args:
        truth: (rows,) eV/atom; rows without one are left out.
        predicted: (rows,) eV/atom; only the order counts.
        sizes: numbers of crystals computed.
        threshold: eV/atom, for the truth.

    Returns:
        ``computed, found`` (expected number of stable ones), ``precision, recall, DAF``; the
        prevalence is that of all rows.
    """
    true, said = energies(truth, predicted, threshold)
    said = said[np.isfinite(true)]
    stable = (true[np.isfinite(true)] <= threshold).astype(np.float64)
    worth = np.where(np.isfinite(said), said, np.inf)
    _, place, count = np.unique(worth, return_inverse=True, return_counts=True)
    share = np.bincount(place, weights=stable) / count
    found = np.concatenate([[0.0], np.cumsum(np.repeat(share, count))])
    for size in sizes:
        if not 1 <= size <= len(stable):
            raise GnnmatError(f"{size:,} of {len(stable):,} crystals cannot be computed.")
    at = np.asarray(sizes, dtype=np.int64)
    total = stable.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = found[at] / at, found[at] / total
        gain = precision / (total / len(stable))
    columns = {"computed": at, "found": found[at], "precision": precision, "recall": recall}
    return pd.DataFrame({**columns, "DAF": gain})
