"""Intervals around predicted numbers that hold the truth as often as they say; plain numpy.

Split conformal prediction: |truth - prediction| / (floor + spread) on validation rows tells by how
much the scale of a new row has to be multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

COVERAGE = 0.9
# Bins of difficulty with a quantile of their own, and groups that each of them needs: with 40 the
# coverage of a bin is known to 5 percentage points.
BINS, GROUPS_A_BIN = 5, 40
TINY = 1e-12  # truth of a target on a logarithmic scale that has no logarithm

# Where the spread of a row comes from.
SPREADS = {
    "disagreement": "standard deviation over the members",
    "dropout": "standard deviation over draws of dropout",
    "error": "error that the model predicts",
    "distance": "distance from the nearest training rows, in the features of the network",
    "constant": "nothing: all rows alike",
}


@dataclass(frozen=True)
class Interval:
    """The intervals of one target: prediction -+ quantile x (floor + spread).

    Args:
        target: name.
        unit: of the target.
        coverage: share of new rows whose truth lies inside.
        spread: a key of `SPREADS`.
        floor: that is added to every spread, in its unit.
        edges: (bins - 1,) spreads at which another quantile begins, ascending.
        quantiles: (bins,) factors of the scale.
        constant: half-width of intervals that are equally wide everywhere, to compare with.
        logarithm: whether all of this is about the natural logarithm of the target.
        rows: that it was calibrated on.
        groups: of them.
    """

    target: str
    unit: str
    coverage: float
    spread: str
    floor: float
    edges: tuple[float, ...]
    quantiles: tuple[float, ...]
    constant: float
    logarithm: bool = False
    rows: int = 0
    groups: int = 0

    def half_width(self, spread: ArrayLike) -> Floats:
        """(rows,) half the width of the intervals, in the scale of the target."""
        s = np.asarray(spread, dtype=float)
        place = np.searchsorted(self.edges, s, side="right")
        width: Floats = np.asarray(self.quantiles)[place] * (self.floor + s)
        return width

    def bounds(self, prediction: ArrayLike, spread: ArrayLike) -> tuple[Floats, Floats]:
        """(rows,) lower and upper ends, in the unit of the target."""
        return around(prediction, self.half_width(spread), self.logarithm)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Interval:
        """The interval that `dataclasses.asdict` wrote."""
        edges, quantiles = tuple(plain["edges"]), tuple(plain["quantiles"])
        return cls(**{**plain, "edges": edges, "quantiles": quantiles})


def around(prediction: ArrayLike, half: ArrayLike, logarithm: bool) -> tuple[Floats, Floats]:
    """(rows,) ends of intervals; on a logarithmic scale they are factors of the prediction."""
    middle, width = np.asarray(prediction, dtype=float), np.asarray(half, dtype=float)
    if logarithm:
        return middle * np.exp(-width), middle * np.exp(width)
    return middle - width, middle + width


def absolute_errors(truth: ArrayLike, prediction: ArrayLike, logarithm: bool = False) -> Floats:
    """(rows,) |truth - prediction|, of their logarithms if wanted."""
    t, p = np.asarray(truth, dtype=float), np.asarray(prediction, dtype=float)
    if logarithm:
        t, p = np.log(np.maximum(t, TINY)), np.log(np.maximum(p, TINY))
    found: Floats = np.abs(t - p)
    return found


def group_weights(groups: ArrayLike) -> Floats:
    """(rows,) one over the rows of the same group, so that every group counts once."""
    _, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / sizes[member.ravel()]
    return weights


def conformal_quantile(scores: ArrayLike, groups: ArrayLike, coverage: float) -> float:
    """The score that a row of a new group exceeds with a chance of at most 1 - coverage.

    Every group has the weight of one row, shared by its rows; one more group has an infinite
    score. With one row a group it is the ceil((n + 1) coverage)-th smallest score, so that rows
    counted twice neither narrow nor widen anything.

    Args:
        scores: (rows,) errors in units of their scale.
        groups: (rows,) what is exchangeable: formulas, or rows.
        coverage: between 0 and 1.

    Returns:
        Infinity where there are too few groups.

    Source: Vovk, Gammerman & Shafer, "Algorithmic learning in a random world" (2005); Lei et al.,
    J. Am. Stat. Assoc. 113, 1094 (2018); for groups Lee, Barber & Willett, arXiv 2306.06342
    (2023), and Dunn, Wasserman & Ramdas, J. Am. Stat. Assoc. 118, 2491 (2023).
    """
    found, weights = np.asarray(scores, dtype=float), group_weights(groups)
    if not len(found):
        return float("inf")
    order = np.argsort(found, kind="stable")
    total = len(np.unique(np.asarray(groups)))
    share = np.cumsum(weights[order]) / (total + 1)
    # Sums of weights such as 1/3 miss whole numbers by a rounding.
    place = int(np.searchsorted(share, coverage - 1e-9))
    return float(found[order][place]) if place < len(found) else float("inf")


def fewest_groups(coverage: float) -> int:
    """Groups without which no interval of this coverage is finite."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def fit_floor(errors: ArrayLike, spread: ArrayLike, weights: ArrayLike) -> float:
    """The floor with which errors are most likely Laplace distributed with scale floor + spread.

    A spread that says nothing gets a floor so high that all rows are treated alike.

    Args:
        errors: (rows,) absolute errors.
        spread: (rows,) not negative.
        weights: (rows,) of the rows.

    Source: Kendall & Gal, NeurIPS 2017 (likelihood of a Laplace distribution whose scale is
    predicted); differs in: the common factor of the scale is eliminated.
    """
    e, s, w = (np.asarray(one, dtype=float) for one in (errors, spread, weights))
    middle = float(np.median(s))
    if not middle > 0:
        middle = float(s.mean())
    if not middle > 0:
        return 1.0
    floors = middle * np.geomspace(1e-2, 1e3, 101)
    scale = floors[:, None] + s
    factor = np.average(e / scale, axis=1, weights=w)
    loss = np.average(np.log(scale), axis=1, weights=w) + np.log(np.maximum(factor, 1e-300))
    return float(floors[int(loss.argmin())])


def fit_interval(
    errors: ArrayLike,
    spread: ArrayLike,
    groups: ArrayLike,
    *,
    target: str,
    unit: str = "",
    kind: str = "disagreement",
    coverage: float = COVERAGE,
    logarithm: bool = False,
) -> Interval:
    """The intervals of one target, from rows the network was not fitted to.

    Rows are cut into as many bins of their spread, up to five, as leave forty groups to each,
    and every bin has a quantile of its own.

    Args:
        errors: (rows,) absolute errors, of logarithms if ``logarithm``.
        spread: (rows,) how unsure the model is of each.
        groups: (rows,) formulas, or whatever is kept together.
        target: name.
        unit: of the target.
        kind: of the spread, a key of `SPREADS`.
        coverage: share of new rows whose truth shall lie inside.
        logarithm: whether it is about logarithms.

    Raises:
        GnnmatError: too few groups for the coverage.

    Source: Angelopoulos & Bates, arXiv 2107.07511 (2021), section 2.3 (conformalized scalar
    uncertainty); bins: Bostrom & Johansson, "Mondrian conformal regressors", COPA 2020.
    """
    e, s, names = np.asarray(errors, dtype=float), np.asarray(spread, float), np.asarray(groups)
    count = len(np.unique(names))
    if count < fewest_groups(coverage):
        raise GnnmatError(
            f"{count} groups of validation rows are too few for {coverage:.0%} intervals of "
            f"'{target}'.",
            why=f"At least {fewest_groups(coverage)} are needed; what the split keeps together, "
            "else crystals of one formula, are one group.",
            fix="Use a larger split.val, or a lower --coverage.",
        )
    floor = fit_floor(e, s, group_weights(names))
    scores = e / (floor + s)
    edges = _edges(s, names, coverage)
    place = np.searchsorted(edges, s, side="right")
    quantiles = tuple(
        conformal_quantile(scores[place == one], names[place == one], coverage)
        for one in range(len(edges) + 1)
    )
    constant = conformal_quantile(e, names, coverage)
    return Interval(
        target, unit, coverage, kind, floor, edges, quantiles, constant, logarithm, len(e), count
    )


def _edges(spread: Floats, groups: NDArray[Any], coverage: float) -> tuple[float, ...]:
    """Spreads between bins, as many as leave enough groups on both sides of each.

    Rows of the smallest spread have a bin of their own where they would fill one, as members
    that agree on a gap of exactly zero do.
    """
    least = max(GROUPS_A_BIN, fewest_groups(coverage))
    rest = spread[spread > spread.min()]
    for bins in range(BINS, 1, -1):
        if len(rest) and len(spread) - len(rest) > len(spread) / bins:
            inner = np.quantile(rest, np.arange(1, bins - 1) / (bins - 1))
            edges = np.unique([rest.min(), *inner])
        else:
            edges = np.unique(np.quantile(spread, np.arange(1, bins) / bins))
        place = np.searchsorted(edges, spread, side="right")
        each = [len(np.unique(groups[place == one])) for one in range(len(edges) + 1)]
        if len(edges) == bins - 1 and min(each) >= least:
            return tuple(float(edge) for edge in edges)
    return ()
