"""What a model must beat: constant answers, and a forest that sees composition or site alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from gnnmat.target import curve_array, curves
from gnnmat.workflows.metrics import class_name
from gnnmat.workflows.scores import Kind, score

Floats = NDArray[np.float64]

TREES = 100
# Share of the columns that a split may choose from: as good as all, in half the time.
# Source: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning (2009), 15.3.
COLUMNS_A_SPLIT = 1 / 3
# Rows drawn for one tree at most: bounds the cost at about 20 s on one core.
ROWS_A_TREE = 20_000

FOREST = "composition forest"
SITE_FOREST = "site forest"


@dataclass(frozen=True)
class _Guess:
    """What one baseline answers for every row."""

    name: str
    note: str
    prediction: NDArray[Any]
    probabilities: Floats | None = None


def score_baselines(
    truth: ArrayLike,
    parts: ArrayLike,
    *,
    features: Floats | None = None,
    kind: Kind = "regression",
    classes: Sequence[object] | None = None,
    target: str = "",
    unit: str = "",
    groups: ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 1000,
    jobs: int = 1,
    rows_a_tree: int | None = ROWS_A_TREE,
    forest: str = FOREST,
) -> list[dict[str, Any]]:
    """Scores of the baselines on val and test.

    ``mean`` and ``median`` of the training truths, or ``majority class`` (probabilities: the
    shares in train), or ``mean curve``, and a random forest on the features.
    All learn from the train rows alone; val chooses nothing here. With more train rows
    than ``rows_a_tree`` the forest is made cheaper, and ``note`` says so.

    Args:
        truth: (n,) numbers, class names or curves; NaN or None: no label.
        parts: (n,) ``train``, ``val``, ``test``; other rows are ignored.
        features: (n, f) of composition or sites; None (images) leaves the forest out.
        kind: of the target.
        classes: class names; default those in the truths.
        target: name, repeated in the rows.
        unit: of the target.
        groups: (n,) names of what the bootstrap draws as a whole.
        seed: of forest and bootstrap.
        resamples: bootstrap samples.
        jobs: threads of the forest.
        rows_a_tree: most rows that one tree is grown on; None: no limit.
        forest: its name, `FOREST` or `SITE_FOREST`.

    Returns:
        Rows ``target, split, baseline, metric, value, low, high, n, unit, note``; none where no
        train row has a label.
    """
    answers: Any = _cells(truth) if kind != "regression" else np.asarray(truth, dtype=np.float64)
    where = np.asarray(parts, dtype=str)
    train = np.flatnonzero((where == "train") & ~pd.isna(answers))
    if not len(train):
        return []
    settings = _forest_settings(len(train), seed, jobs, rows_a_tree)
    names = None
    if kind == "regression":
        guesses = _number_guesses(answers, train, features, settings, forest)
    elif kind == "curve":
        guesses = _curve_guesses(answers, train, features, settings, forest)
    else:
        names = _names(answers, classes)
        guesses = _class_guesses(answers, train, features, names, settings, forest)
    rows = []
    for guess, split in product(guesses, ("val", "test")):
        chosen = np.flatnonzero(where == split)
        scores = score(
            answers[chosen],
            guess.prediction[chosen],
            kind=kind,
            probabilities=None if guess.probabilities is None else guess.probabilities[chosen],
            classes=names,
            groups=None if groups is None else np.asarray(groups)[chosen],
            unit=unit,
            seed=seed,
            resamples=resamples,
        )
        head = {"target": target, "split": split, "baseline": guess.name}
        rows += [{**head, **row, "note": guess.note} for row in scores]
    return rows


def _number_guesses(
    truth: Floats,
    train: NDArray[np.int64],
    features: Floats | None,
    settings: dict[str, Any],
    name: str,
) -> Iterator[_Guess]:
    known = truth[train]
    yield _Guess("mean", "mean of train", np.full(len(truth), known.mean()))
    yield _Guess("median", "median of train", np.full(len(truth), np.median(known)))
    if features is not None:
        forest = _predicting(RandomForestRegressor(**settings).fit(features[train], known))
        yield _Guess(name, _note(settings, len(train), name), forest.predict(features))


def _curve_guesses(
    truth: NDArray[np.object_],
    train: NDArray[np.int64],
    features: Floats | None,
    settings: dict[str, Any],
    name: str,
) -> Iterator[_Guess]:
    known = curve_array(truth[train], len(truth[train[0]]))
    there = np.isfinite(known)
    mean = np.where(there, known, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    everywhere = np.tile(mean, (len(truth), 1))
    yield _Guess("mean curve", "mean curve of train", _cells(curves(everywhere)))
    if features is not None:
        # A forest takes no gaps; the mean curve fills them.
        filled = np.where(there, known, mean)
        forest = _predicting(RandomForestRegressor(**settings).fit(features[train], filled))
        said = _cells(curves(forest.predict(features)))
        yield _Guess(name, _note(settings, len(train), name), said)


def _class_guesses(
    truth: NDArray[np.object_],
    train: NDArray[np.int64],
    features: Floats | None,
    names: list[str],
    settings: dict[str, Any],
    name: str,
) -> Iterator[_Guess]:
    place = {label: column for column, label in enumerate(names)}
    known = np.array([place[class_name(value)] for value in truth[train]])
    named = np.array(names, dtype=object)
    shares = np.bincount(known, minlength=len(names)) / len(known)
    majority = np.full(len(truth), named[shares.argmax()], dtype=object)
    chances = np.tile(shares, (len(truth), 1))
    yield _Guess("majority class", "most frequent class of train", majority, chances)
    if features is not None:
        forest = _predicting(RandomForestClassifier(**settings).fit(features[train], known))
        chances = np.zeros((len(truth), len(names)))
        chances[:, forest.classes_] = forest.predict_proba(features)
        said = named[chances.argmax(1)]
        yield _Guess(name, _note(settings, len(train), name), said, chances)


def _predicting(forest: Any) -> Any:
    # Several jobs add up the trees in an order of their own, and the last digits of a score would
    # change from run to run.
    return forest.set_params(n_jobs=1)


def _forest_settings(n_train: int, seed: int, jobs: int, rows_a_tree: int | None) -> dict[str, Any]:
    is_capped = rows_a_tree is not None and n_train > rows_a_tree
    return {
        "n_estimators": TREES,
        "max_features": COLUMNS_A_SPLIT,
        "max_samples": rows_a_tree if is_capped else None,
        "random_state": seed,
        "n_jobs": jobs,
    }


def _note(settings: dict[str, Any], n_train: int, name: str) -> str:
    seen = "element statistics" if name == FOREST else "elements and distances around a site"
    note = f"{TREES} trees on {seen}"
    if settings["max_samples"] is None:
        return note
    return f"{note}, each on {settings['max_samples']:,} of {n_train:,} rows to save time"


def _cells(values: Any) -> NDArray[np.object_]:
    """(n,) objects; numpy alone would make a matrix of equally long curves."""
    listed = list(values)
    cells = np.empty(len(listed), dtype=object)
    for place, value in enumerate(listed):
        cells[place] = value
    return cells


def _names(truth: NDArray[np.object_], classes: Sequence[object] | None) -> list[str]:
    if classes is not None:
        return [class_name(value) for value in classes]
    return sorted({class_name(value) for value in truth[~pd.isna(truth)]})
