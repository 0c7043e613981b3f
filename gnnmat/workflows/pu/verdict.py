"""What the scores of a PU run are worth, beside what composition and other columns say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.symmetry import symmetries
from gnnmat.workflows.preparation import Prepared, split_table
from gnnmat.workflows.pu.judging import Curve, Judged, estimates, precision, prior_bound
from gnnmat.workflows.pu.labels import POSITIVE, UNLABELLED
from gnnmat.workflows.pu.options import PuConfig
from gnnmat.workflows.pu.rivals import bare, column_scores, composition_scores
from gnnmat.workflows.pu.rows import PuRows
from gnnmat.workflows.pu.scores import SCORE, TREES

Floats = NDArray[np.float64]

OWN, SAME_ROWS = "this model", ", the same rows as "
COMPOSITION = "composition alone"
THRESHOLD = 0.5
SHARES = (0.05, 0.1, 0.2, 0.221, 0.3, 0.5)  # 0.221: what the scores of Jang et al. flag
CURVE_POINTS = 200
BAND = tuple(number / 40 for number in range(41))  # shares at which the curve has an interval


def verdict(
    config: PuConfig, found: PuRows, parts: Sequence[NDArray[np.str_]], scores: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The scores with those of rivals, and in numbers what they are worth.

    Args:
        config: the recipe.
        found: crystals and labels.
        parts: (labelled rows,) the part of each row in every fit.
        scores: a row a labelled crystal, in the order of the data.
    """
    prepared, seed = found.prepared, config.options.seed
    rows = np.flatnonzero(prepared.parts != "")
    groups = split_table(prepared.dataset, rows, quiet=True).groups(config.options.by)
    everywhere = [_spread(part, rows, len(prepared.parts)) for part in parts]
    rivals = {COMPOSITION: composition_scores(prepared, found.told, everywhere, seed)[rows]}
    if TREES in scores:
        rivals[TREES] = scores[TREES].to_numpy(dtype=float)
    columns = {}
    for name in config.options.compare:
        rivals[f"{bare(name)} alone"] = column_scores(prepared, name)[rows]
        columns[bare(name)] = column_scores(prepared, f"-{bare(name)}")[rows]
    scores = scores.assign(
        **{COMPOSITION: rivals[COMPOSITION]}, **columns, prototype=_prototypes(prepared, rows)
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
    read = {
        "recall": lambda curve: curve.above(THRESHOLD)[0],
        "flagged": lambda curve: curve.above(THRESHOLD)[1],
        "prior_at_most": prior_bound(judged),
    }
    found: dict[str, Any] = {
        "method": config.options.method,
        "fits": config.options.fits,
        "positives": int(positive.sum()),
        "unlabelled": int(unlabelled.sum()),
        "judged_positives": int(judged.positive.sum()),
        "judged_unlabelled": int((~judged.positive).sum()),
        "threshold": THRESHOLD,
        **{name: asdict(one) for name, one in estimates(judged, read, seed=seed).items()},
        "models": [_worth(OWN, judged, seed)],
    }
    recall, flagged, bound = (found[name]["value"] for name in read)
    highest = found["prior_at_most"]["high"]
    found["precision"] = [
        {"prior": prior, "precision": precision(recall, flagged, prior)}
        for prior in _priors(highest if np.isfinite(highest) else bound)
    ]
    for name, values in rivals.items():
        both = known & np.isfinite(values)
        found["models"].append(_worth(name, _judged(values, both, positive, groups), seed))
        if not both[known].all():
            same = f"{OWN}{SAME_ROWS}{name}"
            found["models"].append(_worth(same, _judged(own, both, positive, groups), seed))
    if scores["spy"].any():
        spy = scores["spy"].to_numpy()
        both = (spy | unlabelled) & np.isfinite(own)
        found["models"].append(_worth(f"{OWN}, spies", _judged(own, both, spy, groups), seed))
    return found


def _judged(
    values: Floats, rows: NDArray[np.bool_], positive: NDArray[np.bool_], groups: NDArray[np.str_]
) -> Judged:
    return Judged.of(values[rows], positive[rows], groups[rows])


def _worth(name: str, judged: Judged, seed: int) -> dict[str, Any]:
    """One line of the table of models, with its curve."""
    read: dict[str, Callable[[Curve], float]] = {"ranking": lambda curve: curve.ranking}
    for share in {*SHARES, *BAND}:
        read[str(share)] = partial(Curve.recall_at, share=share)
    numbers = estimates(judged, read, seed=seed)
    curve, at = judged.curve(), np.linspace(0, 1, CURVE_POINTS + 1)
    drawn: dict[str, list[float]] = {"flagged": [], "recall": [], "threshold": []}
    if curve.is_judged:
        drawn = {
            "flagged": at.tolist(),
            "recall": [curve.recall_at(share) for share in at],
            "threshold": np.interp(at, curve.flagged, curve.threshold).tolist(),
        }
    return {
        "name": name,
        "positives": int(judged.positive.sum()),
        "unlabelled": int((~judged.positive).sum()),
        "ranking": asdict(numbers["ranking"]),
        "recall_at": [{"share": share, **asdict(numbers[str(share)])} for share in SHARES],
        "curve": drawn,
        "band": {
            "flagged": list(BAND),
            "low": [numbers[str(share)].low for share in BAND],
            "high": [numbers[str(share)].high for share in BAND],
        },
    }


def _priors(highest: float) -> list[float]:
    """Priors from next to nothing to the highest that the scores allow."""
    return [round(highest * share, 4) for share in (0.1, 0.25, 0.5, 0.75, 1.0)]


def _spread(part: NDArray[np.str_], rows: NDArray[np.int64], count: int) -> NDArray[np.str_]:
    """(samples,) parts of all rows from those of the labelled ones."""
    found = np.full(count, "", dtype="<U5")
    found[rows] = part
    return found


def _prototypes(prepared: Prepared, rows: NDArray[np.int64]) -> list[str]:
    found = symmetries(prepared.dataset, rows, quiet=False)
    return [found[row].prototype for row in rows]
