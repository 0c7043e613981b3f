"""What the scores of a PU run are worth, beside what composition and other columns say."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.symmetry import symmetries
from gnnmat.workflows.preparation import Prepared, split_table
from gnnmat.workflows.pu.judging import (
    Judged,
    flagged_curve,
    precision,
    prior_bound,
    ranking,
    recall_above,
    recall_at,
)
from gnnmat.workflows.pu.labels import POSITIVE, UNLABELLED
from gnnmat.workflows.pu.options import PuConfig
from gnnmat.workflows.pu.rivals import column_scores, composition_scores
from gnnmat.workflows.pu.scores import SCORE

Floats = NDArray[np.float64]

COMPOSITION = "composition alone"
THRESHOLD = 0.5
SHARES = (0.05, 0.1, 0.2, 0.221, 0.3, 0.5)  # 0.221: what the scores of Jang et al. flag
CURVE_POINTS = 200


def verdict(
    config: PuConfig, prepared: Prepared, scores: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The scores with those of rivals, and in numbers what they are worth.

    Args:
        config: the recipe.
        prepared: the crystals, with the labels that the fits were told.
        scores: a row a labelled crystal, in the order of the data.
    """
    rows = np.flatnonzero(prepared.parts != "")
    table, seed = split_table(prepared.dataset, rows, quiet=True), config.options.seed
    groups = table.groups(config.options.by)
    parts = [split.assign(table) for split in config.splits()[: config.options.folds]]
    everywhere = [_spread(part, rows, len(prepared.parts)) for part in parts]
    told = _told(prepared)
    rivals = {COMPOSITION: composition_scores(prepared, told, everywhere, seed)[rows]}
    for name in config.options.compare:
        rivals[f"{name} alone"] = column_scores(prepared, name)[rows]
    scores = scores.assign(
        **{COMPOSITION: rivals[COMPOSITION]},
        **{name: prepared.dataset.table[name].to_numpy()[rows] for name in config.options.compare},
        prototype=_prototypes(prepared, rows),
    )
    return scores, _summary(config, scores, groups, rivals, seed)


def _summary(
    config: PuConfig,
    scores: pd.DataFrame,
    groups: NDArray[np.str_],
    rivals: dict[str, Floats],
    seed: int,
) -> dict[str, Any]:
    positive = ((scores["label"] == POSITIVE) & ~scores["spy"]).to_numpy()
    unlabelled = (scores["label"] == UNLABELLED).to_numpy()
    own = scores[SCORE].to_numpy(dtype=float)
    known = (positive | unlabelled) & np.isfinite(own)
    judged = _judged(own, known, positive, groups)
    recall, flagged = recall_above(judged, THRESHOLD, seed=seed)
    bound = prior_bound(judged, seed=seed)
    found: dict[str, Any] = {
        "method": config.options.method,
        "fits": config.options.fits,
        "positives": int(positive.sum()),
        "unlabelled": int(unlabelled.sum()),
        "judged_positives": int(judged.positive.sum()),
        "judged_unlabelled": int((~judged.positive).sum()),
        "threshold": THRESHOLD,
        "recall": asdict(recall),
        "flagged": asdict(flagged),
        "prior_at_most": asdict(bound),
        "precision": [
            {"prior": prior, "precision": precision(recall.value, flagged.value, prior)}
            for prior in _priors(bound.high)
        ],
        "models": [_worth("this model", judged, seed)],
    }
    for name, values in rivals.items():
        both = known & np.isfinite(values)
        found["models"].append(_worth(name, _judged(values, both, positive, groups), seed))
        if not both[known].all():
            same = f"this model, rows that have {name.removesuffix(' alone')}"
            found["models"].append(_worth(same, _judged(own, both, positive, groups), seed))
    if scores["spy"].any():
        spy = scores["spy"].to_numpy()
        both = (spy | unlabelled) & np.isfinite(own)
        found["models"].append(_worth("this model, spies", _judged(own, both, spy, groups), seed))
    return found


def _judged(
    values: Floats, rows: NDArray[np.bool_], positive: NDArray[np.bool_], groups: NDArray[np.str_]
) -> Judged:
    return Judged.of(values[rows], positive[rows], groups[rows])


def _worth(name: str, judged: Judged, seed: int) -> dict[str, Any]:
    """One line of the table of models, with its curve."""
    thresholds, flagged, recall = flagged_curve(judged)
    at = np.linspace(0, 1, CURVE_POINTS + 1)
    return {
        "name": name,
        "positives": int(judged.positive.sum()),
        "unlabelled": int((~judged.positive).sum()),
        "ranking": asdict(ranking(judged, seed=seed)),
        "recall_at": [
            {"share": share, **asdict(recall_at(judged, share, seed=seed))} for share in SHARES
        ],
        "curve": {
            "flagged": at.tolist(),
            "recall": np.interp(at, np.append(0, flagged), np.append(0, recall)).tolist(),
            "threshold": np.interp(at, flagged, thresholds).tolist(),
        },
    }


def _priors(highest: float) -> list[float]:
    """Priors from next to nothing to the highest that the scores allow."""
    return [round(highest * share, 4) for share in (0.1, 0.25, 0.5, 0.75, 1.0)]


def _told(prepared: Prepared) -> NDArray[np.bool_]:
    """(samples,) whether the fits are told that a row is positive."""
    labels = prepared.dataset.labels
    assert labels.sample is not None
    place = labels.spec.targets[0].classes.index(POSITIVE)
    return np.asarray((labels.sample[:, 0] == place).numpy())


def _spread(part: NDArray[np.str_], rows: NDArray[np.int64], count: int) -> NDArray[np.str_]:
    """(samples,) parts of all rows from those of the labelled ones."""
    found = np.full(count, "", dtype="<U5")
    found[rows] = part
    return found


def _prototypes(prepared: Prepared, rows: NDArray[np.int64]) -> list[str]:
    found = symmetries(prepared.dataset, rows, quiet=False)
    return [found[row].prototype for row in rows]
