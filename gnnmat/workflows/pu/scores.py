"""Scores that no fit has learned: the mean over the fits that have not seen a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from gnnmat.train.hall import Hall
from gnnmat.train.trees import mixed
from gnnmat.workflows.evaluation import Evaluation
from gnnmat.workflows.preparation import Prepared
from gnnmat.workflows.pu.judging import Judged
from gnnmat.workflows.pu.labels import POSITIVE
from gnnmat.workflows.run_folder import Run
from gnnmat.workflows.training import predicted

Floats = NDArray[np.float64]

SCORE = "score"


def judge_member(prepared: Prepared, hall: Hall) -> Evaluation:
    """What one fit says of the rows it has not learned from, and how well it ranks them."""
    rows = np.flatnonzero(np.isin(prepared.parts, ("val", "test")))
    table = predicted(prepared, hall, rows).drop(columns="row").assign(crystal_system="")
    metrics = []
    for part, chosen in table.groupby("split"):
        positive = (chosen["truth"] == POSITIVE).to_numpy()
        judged = Judged.of(chosen[SCORE].to_numpy(), positive, np.arange(len(chosen)))
        value = judged.curve().ranking
        target = str(chosen["target"].iloc[0])
        metrics.append(
            {
                "target": target,
                "split": part,
                "metric": "ROC AUC",
                "value": value if np.isfinite(value) else None,
                "low": None,
                "high": None,
                "n": len(chosen),
                "unit": "",
            }
        )
    return Evaluation(predictions=table, metrics=metrics, baselines=[], audit=[])


TREES = "trees alone"


def out_of_bag(
    ids: Sequence[str], runs: Sequence[Run], beside: Sequence[Floats] = ()
) -> pd.DataFrame:
    """One row an id: ``score``, its ``standard_error`` and the number of ``fits`` behind it.

    A fit counts for the rows that are test in it. The score is their mean, NaN without any, and
    the standard error that of a mean, NaN below two. With trees, ``trees alone`` is what these
    say without the networks.

    Args:
        ids: in the order of the table.
        runs: the fits.
        beside: (samples,) log-odds of the trees of each fit; none: networks alone.
    """
    place = pd.Series(np.arange(len(ids)), index=list(ids))
    total, square, count, trees = (np.zeros(len(ids)) for _ in range(4))
    for number, run in enumerate(runs):
        table = run.predictions
        test = table[table["split"] == "test"]
        rows: NDArray[np.int64] = place.loc[test["id"]].to_numpy()
        values = test[SCORE].to_numpy(dtype=float)
        if beside:
            said = beside[number][rows]
            values = mixed(values, said)
            trees[rows] += expit(said)
        total[rows] += values
        square[rows] += values**2
        count[rows] += 1
    mean = np.divide(total, count, out=np.full(len(ids), np.nan), where=count > 0)
    some = count > 1
    spread = np.maximum(square - np.where(some, count * mean**2, 0.0), 0.0)
    error = np.full(len(ids), np.nan)
    error[some] = np.sqrt(spread[some] / (count[some] - 1) / count[some])
    found = pd.DataFrame(
        {"id": list(ids), SCORE: mean, "standard_error": error, "fits": count.astype(np.int64)}
    )
    if beside:
        alone = np.full(len(ids), np.nan)
        found[TREES] = np.divide(trees, count, out=alone, where=count > 0)
    return found
