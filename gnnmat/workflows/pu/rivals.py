"""What a PU model must beat: a forest that sees composition alone, and columns like E_hull."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from gnnmat.data.composition import composition_features
from gnnmat.engine import available_cores
from gnnmat.errors import GnnmatError
from gnnmat.models.elements import element_properties
from gnnmat.sources.records import Records
from gnnmat.workflows.baselines import COLUMNS_A_SPLIT, ROWS_A_TREE, TREES
from gnnmat.workflows.preparation import Prepared

Floats = NDArray[np.float64]

# A score needs shares that are no whole votes: leaves of several rows rank finer.
LEAF = 3
MOST_FITS = 12  # more say no more about a forest


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
    parts = parts[:MOST_FITS]
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


# What the table of scores calls by these names already.
RESERVED = frozenset(
    ("id", "formula", "label", "score", "standard_error", "fits", "spy", "prototype", "trees alone")
)


def bare(name: str) -> str:
    """The column of ``-name``."""
    return name.removeprefix("-")


def check_column(records: Records, name: str, labels: str) -> None:
    """Refuse a column that cannot rank rows.

    Raises:
        GnnmatError: no such column, a reserved name, text, or no value in one kind of rows.
    """
    column = records.column(bare(name))
    if bare(name) in RESERVED or bare(name) == labels:
        raise GnnmatError(
            f"pu.compare names '{bare(name)}', which the scores have a column of their own for.",
            fix="Give the column another name.",
        )
    values = pd.to_numeric(column, errors="coerce")
    words = column[values.isna() & column.notna() & (column.astype(str).str.strip() != "")]
    if len(words):
        raise GnnmatError(
            f"pu.compare names '{bare(name)}', which holds '{words.iloc[0]}' for "
            f"'{records.ids[int(words.index[0])]}'.",
            why="Only numbers rank rows.",
        )
    there = values.notna().to_numpy()
    if records.column(labels)[there].dropna().nunique() < 2:
        raise GnnmatError(
            f"pu.compare names '{bare(name)}', which has no value for a positive or none for an "
            "unlabelled row."
        )


def column_scores(prepared: Prepared, name: str) -> Floats:
    """(samples,) a score that ranks the rows of a column; NaN where it is empty.

    Args:
        prepared: the crystals.
        name: of the column, smallest first; ``-name`` ranks largest first.
    """
    column = pd.to_numeric(prepared.dataset.table[bare(name)], errors="coerce")
    values = column.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values if name.startswith("-") else -values, dtype=np.float64)
