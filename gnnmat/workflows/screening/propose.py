"""Which candidates to compute next."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.workflows.screening.acquisition import (
    KAPPA,
    METHODS,
    WITHOUT_SPREAD,
    Beliefs,
    check_method,
)
from gnnmat.workflows.screening.batch import DIVERSITY, choose_batch, standardised
from gnnmat.workflows.screening.features import candidate_features
from gnnmat.workflows.screening.spread import SpreadSource, predicted, predicted_spread

Floats = NDArray[np.float64]


def propose(
    table: pd.DataFrame,
    objective: str,
    n: int = 20,
    method: str = "expected_improvement",
    seed: int = 0,
    *,
    maximise: bool = True,
    best: float | None = None,
    known: ArrayLike | None = None,
    features: Floats | None = None,
    diversity: float = DIVERSITY,
    kappa: float = KAPPA,
    spread: SpreadSource = "",
) -> pd.DataFrame:
    """The next candidates to compute, best first: ``id``, ``acquisition``, ``why``.

    Args:
        table: candidates of a screen, with the column ``objective`` and its interval or members.
        objective: name of the predicted number; several at once: see `weighed`.
        n: how many.
        method: ``expected_improvement``, ``upper_confidence_bound``, ``uncertainty``, ``greedy``
            or ``random``.
        seed: of equal candidates, and of what is drawn at random.
        maximise: whether larger is better.
        best: the best number known so far, in the unit of the objective, which expected
            improvement is over; default: the best that is predicted of any row.
        known: (rows,) true where the number was computed already: never proposed.
        features: (rows, f) in which near duplicates are seen; default: `candidate_features`, made
            of elements and packing, so that polymorphs are near each other.
        diversity: see `choose_batch`; 0 takes the n best, however alike.
        kappa: of the confidence bound.
        spread: where the spread is read from, see `predicted_spread`.

    Returns:
        A row a proposal. ``acquisition`` is in the unit of the objective (``random``: drawn); the
        larger the better, and so a number whose sign is turned where smaller is better.

    Raises:
        GnnmatError: a column or a method that is not there; n below 1; no candidate is left.

    Warns:
        GnnmatWarning: candidates without a prediction or a spread were left out; less than n
            are left.
    """
    check_method(method)
    if n < 1:
        raise GnnmatError(f"{n} candidates were asked for.", fix="Ask for one or more.")
    mean = predicted(table, objective)
    sure = method in WITHOUT_SPREAD
    width = np.zeros(len(table)) if sure else predicted_spread(table, objective, spread)
    left = _left(mean, width, known, method == "random", objective, n)
    limit = _best(mean, maximise) if best is None else float(best)
    beliefs = Beliefs(mean[left], width[left], limit, maximise, kappa)
    random = np.random.default_rng(seed)
    key = METHODS[method](beliefs, random)
    alike = _alike(table, features, left) if diversity > 0 and n > 1 else None
    chosen, passed = choose_batch(key, alike, n, diversity=diversity, random=random)
    shown = np.exp(key[chosen]) if method == "expected_improvement" else key[chosen]
    reasons = [
        _why(method, objective, beliefs, row, skipped)
        for row, skipped in zip(chosen, passed, strict=True)
    ]
    ids = table["id"].to_numpy()[left[chosen]]
    return pd.DataFrame({"id": ids, "acquisition": shown, "why": reasons})


def _best(mean: Floats, maximise: bool) -> float:
    """The best prediction; NaN where there is none, which leaves no candidate anyway."""
    there = mean[np.isfinite(mean)]
    if not len(there):
        return float("nan")
    return float(there.max() if maximise else there.min())


def _left(
    mean: Floats, width: Floats, known: ArrayLike | None, blind: bool, name: str, n: int
) -> NDArray[np.int64]:
    """Rows that may be proposed; the others are counted in warnings."""
    done = np.zeros(len(mean), bool) if known is None else np.asarray(known, dtype=bool)
    if done.shape != mean.shape:
        raise GnnmatError(f"known: expected ({len(mean)},), got {done.shape}.")
    told = np.isfinite(mean) & np.isfinite(width)
    usable = ~done & (told | blind)
    rows = np.flatnonzero(usable)
    missing = int((~done & ~usable).sum())
    if not len(rows):
        raise GnnmatError(
            f"No candidate is left to propose of {len(mean):,}.",
            why=f"{int(done.sum()):,} are known; of {missing:,} '{name}' or its spread is missing.",
        )
    if missing:
        warnings.warn(
            GnnmatWarning(f"{missing:,} candidates without '{name}' or its spread were left out."),
            stacklevel=3,
        )
    if len(rows) < n:
        warnings.warn(
            GnnmatWarning(f"{n:,} candidates were asked for, but {len(rows):,} are left."),
            stacklevel=3,
        )
    return rows


def _alike(table: pd.DataFrame, features: Floats | None, left: NDArray[np.int64]) -> Floats:
    if features is None:
        return standardised(candidate_features(table.iloc[left]))
    given = np.asarray(features, dtype=np.float64)
    if given.ndim != 2 or len(given) != len(table):
        raise GnnmatError(
            f"features: expected ({len(table)}, f), got {given.shape}.",
            fix="Give them in the order of the table.",
        )
    return standardised(given[left])


def _why(method: str, name: str, beliefs: Beliefs, row: int, passed: int) -> str:
    mean, width = f"{beliefs.mean[row]:.4g}", f"{beliefs.spread[row]:.2g}"
    end = "largest" if beliefs.maximise else "smallest"
    said = {
        "expected_improvement": f"{name} {mean} +- {width} may beat {beliefs.best:.4g}",
        "upper_confidence_bound": f"{name} {mean} +- {width} may be among the {end}",
        "uncertainty": f"{name} {mean} +- {width} is among the least certain",
        "greedy": f"{name} {mean} is among the {end}",
        "random": "drawn at random",
    }[method]
    note = f"; {passed:,} ranked higher are too like a choice" if passed else ""
    return said + note
