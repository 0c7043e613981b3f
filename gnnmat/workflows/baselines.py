"""What a model must beat: constant answers and a forest that sees the composition alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from gnnmat.workflows.metrics import class_name
from gnnmat.workflows.scores import Kind, score

Floats = NDArray[np.float64]

TREES = 100
# Share of the columns that a split may choose from. Formation energies of 10,000 crystals come
# out at 0.157 eV/atom with a third and at 0.160 eV/atom, in twice the time, with all.
# Source: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning (2009), 15.3.
COLUMNS_A_SPLIT = 1 / 3
# Rows drawn for one tree at most: bounds the cost at about 20 s on one core.
ROWS_A_TREE = 20_000

FOREST = "composition forest"


@dataclass(frozen=True)
class _Guess:
    """What one baseline answers for every row."""

    name: str
    note: str
    prediction: NDArray[Any]
    probabilities: Floats | None = None


def composition_features(numbers: Sequence[NDArray[np.int64]], table: Floats) -> Floats:
    """(n, 5 p) statistics over the atoms of each crystal: mean, std, min, max, range.

    Each is weighted by the number of atoms, so that any cell of a crystal gives the same. A
    property that an element lacks is the median over the elements that have it.

    Args:
        numbers: n arrays (atoms,) of atomic numbers, none empty.
        table: (119, p) elemental properties by atomic number, NaN where not known.

    Source: after Ward et al., npj Comput. Mater. 2, 16028 (2016), "Elemental Property
    Attributes"; differs in: standard instead of mean absolute deviation, no mode.
    """
    properties = _imputed(np.asarray(table, dtype=np.float64))
    if not len(numbers):
        return np.empty((0, 5 * properties.shape[1]))
    counts = np.array([len(atoms) for atoms in numbers])
    starts = np.cumsum(counts) - counts
    values = properties[np.concatenate(list(numbers))]
    mean = np.add.reduceat(values, starts) / counts[:, None]
    deviation = (values - np.repeat(mean, counts, axis=0)) ** 2
    std = np.sqrt(np.add.reduceat(deviation, starts) / counts[:, None])
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.concatenate([mean, std, low, high, high - low], axis=1)


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
) -> list[dict[str, Any]]:
    """Scores of the baselines on val and test.

    ``mean`` and ``median`` of the training truths, or ``majority class`` (probabilities: the
    shares in train), and ``composition forest``: a random forest on `composition_features`.
    All learn from the train rows alone, as the weights of a model do; val chooses nothing here.
    With more train rows than ``rows_a_tree`` the forest is made cheaper, and ``note`` says so.

    Args:
        truth: (n,) numbers or class names; NaN: no label.
        parts: (n,) ``train``, ``val``, ``test``; other rows are ignored.
        features: (n, f) composition features; None (images) leaves the forest out.
        kind: of the target.
        classes: class names; default those in the truths.
        target: name, repeated in the rows.
        unit: of the target.
        groups: (n,) names of what the bootstrap draws as a whole.
        seed: of forest and bootstrap.
        resamples: bootstrap samples.
        jobs: threads of the forest.
        rows_a_tree: most rows that one tree is grown on; None: no limit.

    Returns:
        Rows ``target, split, baseline, metric, value, low, high, n, unit, note``; none where no
        train row has a label.
    """
    answers = np.asarray(truth, dtype=np.float64 if kind == "regression" else object)
    where = np.asarray(parts, dtype=str)
    train = np.flatnonzero((where == "train") & ~pd.isna(answers))
    if not len(train):
        return []
    settings = _forest_settings(len(train), seed, jobs, rows_a_tree)
    if kind == "regression":
        guesses = _number_guesses(answers, train, features, settings)
        names = None
    else:
        names = _names(answers, classes)
        guesses = _class_guesses(answers, train, features, names, settings)
    rows = []
    for guess in guesses:
        for split in ("val", "test"):
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
    truth: Floats, train: NDArray[np.int64], features: Floats | None, settings: dict[str, Any]
) -> Iterator[_Guess]:
    known = truth[train]
    yield _Guess("mean", "mean of train", np.full(len(truth), known.mean()))
    yield _Guess("median", "median of train", np.full(len(truth), np.median(known)))
    if features is not None:
        forest = _predicting(RandomForestRegressor(**settings).fit(features[train], known))
        yield _Guess(FOREST, _note(settings, len(train)), forest.predict(features))


def _class_guesses(
    truth: NDArray[np.object_],
    train: NDArray[np.int64],
    features: Floats | None,
    names: list[str],
    settings: dict[str, Any],
) -> Iterator[_Guess]:
    place = {name: column for column, name in enumerate(names)}
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
        yield _Guess(FOREST, _note(settings, len(train)), named[chances.argmax(1)], chances)


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


def _note(settings: dict[str, Any], n_train: int) -> str:
    note = f"{TREES} trees on element statistics"
    if settings["max_samples"] is None:
        return note
    return f"{note}, each on {settings['max_samples']:,} of {n_train:,} rows to save time"


def _names(truth: NDArray[np.object_], classes: Sequence[object] | None) -> list[str]:
    if classes is not None:
        return [class_name(value) for value in classes]
    return sorted({class_name(value) for value in truth[~pd.isna(truth)]})


def _imputed(table: Floats) -> Floats:
    """The table with each missing property replaced by the median of its column."""
    known = np.isfinite(table)
    medians = np.array(
        [
            np.median(column[mask]) if mask.any() else 0.0
            for column, mask in zip(table.T, known.T, strict=True)
        ]
    )
    return np.where(known, table, medians)
