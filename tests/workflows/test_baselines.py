"""Baselines against scikit-learn's own, composition statistics against numbers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import log_loss, mean_absolute_error

from gnnmat.data.composition import composition_features
from gnnmat.workflows.baselines import FOREST, score_baselines

# Mass and electronegativity by atomic number; only H, O and Na are known.
TABLE = np.full((119, 3), np.nan)
TABLE[1] = [1.008, 2.2, np.nan]
TABLE[8] = [15.999, 3.44, np.nan]
TABLE[11] = [22.99, np.nan, np.nan]


def numbers_of(n: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.choice([1, 8, 11], random.integers(1, 9)) for _ in range(n)]


def parts_of(n: int) -> np.ndarray:
    return np.array((["train"] * 7 + ["val", "test", ""]) * (n // 10))


def value(rows: list[dict[str, Any]], **where: str) -> float:
    found = [row for row in rows if all(row[key] == name for key, name in where.items())]
    assert len(found) == 1
    return float(found[0]["value"])


def test_statistics_of_water_are_those_by_hand() -> None:
    (water,) = composition_features([np.array([1, 8, 1])], TABLE)
    mean, std, low, high, spread = water.reshape(5, 3)
    assert mean[0] == pytest.approx(18.015 / 3)
    assert std[0] == pytest.approx(np.std([1.008, 1.008, 15.999]))
    assert (low[1], high[1]) == (2.2, 3.44)
    assert spread[1] == pytest.approx(1.24)


def test_missing_property_is_the_median_and_an_empty_column_is_zero() -> None:
    (sodium,) = composition_features([np.array([11])], TABLE)
    assert sodium[1] == pytest.approx((2.2 + 3.44) / 2)
    assert sodium[2] == 0


@given(st.lists(st.sampled_from([1, 8, 11, 92]), min_size=1, max_size=12), st.integers(1, 4))
@settings(deadline=None)
def test_statistics_are_those_of_numpy_and_of_any_cell(numbers: list[int], cells: int) -> None:
    single, cell, _ = composition_features(
        [np.array(numbers), np.array(numbers * cells), np.array([1])], TABLE
    )
    known = np.nan_to_num(TABLE[:, 0], nan=np.nanmedian(TABLE[:, 0]))[numbers]
    assert single[[0, 3, 6, 9, 12]] == pytest.approx(
        [known.mean(), known.std(), known.min(), known.max(), np.ptp(known)]
    )
    assert cell == pytest.approx(single)


def test_constant_answers_are_those_of_dummy_regressors() -> None:
    truth = np.random.default_rng(0).exponential(size=50)
    parts = parts_of(50)
    train, test = parts == "train", parts == "test"
    rows = score_baselines(truth, parts, target="gap", unit="eV", resamples=10)
    for strategy in ("mean", "median"):
        dummy = DummyRegressor(strategy=strategy).fit(truth[train, None], truth[train])
        expected = mean_absolute_error(truth[test], dummy.predict(truth[test, None]))
        found = value(rows, baseline=strategy, split="test", metric="MAE")
        assert found == pytest.approx(expected)
    assert {row["split"] for row in rows} == {"val", "test"}
    assert {row["n"] for row in rows} == {5}
    assert {row["target"] for row in rows} == {"gap"}
    assert set(rows[0]) == {
        "target", "split", "baseline", "metric", "value", "low", "high", "n", "unit", "note",
    }  # fmt: skip


def test_majority_class_is_that_of_the_dummy_classifier() -> None:
    truth = np.random.default_rng(0).choice(["metal", "gap", "rare"], 100, p=[0.3, 0.6, 0.1])
    parts = parts_of(100)
    train, test = parts == "train", parts == "test"
    rows = score_baselines(truth, parts, kind="classification", resamples=10)
    dummy = DummyClassifier(strategy="prior").fit(truth[train, None], truth[train])
    chances = dummy.predict_proba(truth[test, None])
    where = {"baseline": "majority class", "split": "test"}
    expected = log_loss(truth[test], chances, labels=dummy.classes_)
    assert value(rows, **where, metric="log loss") == pytest.approx(expected)
    assert value(rows, **where, metric="accuracy") == np.mean(truth[test] == "gap")


def test_forest_is_scikit_learns_on_the_train_rows_alone() -> None:
    numbers = numbers_of(100)
    truth = np.array([np.mean(atoms == 8) for atoms in numbers])
    parts = parts_of(100)
    train, test = parts == "train", parts == "test"
    features = composition_features(numbers, TABLE)
    rows = score_baselines(truth, parts, features=features, seed=3, resamples=10)
    forest = RandomForestRegressor(100, max_features=1 / 3, random_state=3)
    expected = forest.fit(features[train], truth[train]).predict(features[test])
    where = {"split": "test", "metric": "MAE"}
    found = value(rows, **where, baseline=FOREST)
    assert found == pytest.approx(mean_absolute_error(truth[test], expected))
    assert found < 0.3 * value(rows, **where, baseline="mean")


def test_forest_classifies_what_composition_tells() -> None:
    numbers = numbers_of(100)
    truth = np.array([bool((atoms == 8).any()) for atoms in numbers])
    rows = score_baselines(
        truth,
        parts_of(100),
        features=composition_features(numbers, TABLE),
        kind="classification",
        classes=[False, True],
        resamples=10,
    )
    where = {"split": "test", "metric": "accuracy"}
    assert value(rows, **where, baseline=FOREST) == 1
    assert value(rows, **where, baseline="majority class") < 1


def test_class_that_training_lacks_has_no_chance_but_does_no_harm() -> None:
    numbers = numbers_of(20)
    truth = np.array(["a", "b"] * 10, dtype=object)
    parts = parts_of(20)
    truth[parts == "test"] = "c"
    features = composition_features(numbers, TABLE)
    rows = score_baselines(truth, parts, features=features, kind="classification", resamples=10)
    assert value(rows, split="test", metric="accuracy", baseline=FOREST) == 0


def test_large_training_sets_cap_each_tree_and_say_so() -> None:
    numbers = numbers_of(100)
    rows = score_baselines(
        np.arange(100.0),
        parts_of(100),
        features=composition_features(numbers, TABLE),
        rows_a_tree=50,
        resamples=10,
    )
    notes = {row["note"] for row in rows if row["baseline"] == FOREST}
    assert notes == {"100 trees on element statistics, each on 50 of 70 rows to save time"}


def test_rows_without_a_label_neither_train_nor_count() -> None:
    truth = np.ones(50)
    parts = parts_of(50)
    truth[np.flatnonzero(parts == "train")[0]] = np.nan
    truth[np.flatnonzero(parts == "test")[0]] = np.nan
    features = composition_features(numbers_of(50), TABLE)
    rows = score_baselines(truth, parts, features=features, resamples=10)
    test = [row for row in rows if row["split"] == "test" and row["metric"] == "MAE"]
    assert [(row["baseline"], row["value"], row["n"]) for row in test] == [
        ("mean", 0.0, 4),
        ("median", 0.0, 4),
        (FOREST, 0.0, 4),
    ]
    assert score_baselines(np.full(50, np.nan), parts) == []
