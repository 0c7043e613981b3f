"""What a PU model must beat: a forest that sees composition alone, and columns like E_hull."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from gnnmat.engine import available_cores
from gnnmat.models.elements import element_properties
from gnnmat.workflows.baselines import COLUMNS_A_SPLIT, ROWS_A_TREE, TREES
from gnnmat.workflows.composition import composition_features
from gnnmat.workflows.preparation import Prepared

Floats = NDArray[np.float64]

# A score needs shares that are no whole votes: leaves of several rows rank finer.
LEAF = 3


def composition_scores(
    prepared: Prepared, positive: NDArray[np.bool_], parts: Sequence[NDArray[np.str_]], seed: int
) -> Floats:
    """(samples,) out-of-bag scores of a forest on statistics over the elements.

    Args:
        prepared: the crystals.
        positive: (samples,) labels as the fits have them.
        parts: of the fits, whose test rows are scored from their train and val rows.
        seed: of the forests.
    """
    features = composition_features(prepared.dataset.numbers, element_properties()[0])
    total, count = np.zeros(len(positive)), np.zeros(len(positive))
    for number, part in enumerate(parts):
        train, test = np.isin(part, ("train", "val")), part == "test"
        forest = RandomForestClassifier(
            n_estimators=TREES,
            max_features=COLUMNS_A_SPLIT,
            min_samples_leaf=LEAF,
            max_samples=ROWS_A_TREE if train.sum() > ROWS_A_TREE else None,
            class_weight="balanced",
            random_state=seed + number,
            n_jobs=available_cores(),
        ).fit(features[train], positive[train])
        forest.set_params(n_jobs=1)
        total[test] += forest.predict_proba(features[test])[:, 1]
        count[test] += 1
    return np.divide(total, count, out=np.full(len(positive), np.nan), where=count > 0)


def column_scores(prepared: Prepared, name: str) -> Floats:
    """(samples,) a score that ranks the rows of a column smallest first; NaN where it is empty."""
    values = prepared.dataset.table[name].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(-values, dtype=np.float64)
