"""Metrics against scikit-learn, intervals against simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from gnnmat.errors import GnnmatError
from gnnmat.workflows.scores import score


def values(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["metric"]: row["value"] for row in rows}


def predictions(n: int, classes: int, seed: int = 0) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    chances = random.dirichlet(np.ones(classes), n)
    chances[np.arange(n), truth] += 0.3
    chances = np.round(chances / chances.sum(1, keepdims=True), 2)  # with ties
    chances /= chances.sum(1, keepdims=True)
    return truth, chances.argmax(1), chances


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=40))
@settings(deadline=None)
def test_regression_metrics_are_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    truth, prediction = np.array(pairs).T
    found = values(score(truth, prediction, resamples=2))
    assert found["MAE"] == pytest.approx(sk.mean_absolute_error(truth, prediction))
    assert found["RMSE"] == pytest.approx(sk.root_mean_squared_error(truth, prediction))
    assert found["median AE"] == pytest.approx(sk.median_absolute_error(truth, prediction))
    if np.ptp(truth) > 1e-3:
        assert found["R2"] == pytest.approx(sk.r2_score(truth, prediction), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
def test_class_metrics_are_those_of_scikit_learn(classes: int) -> None:
    truth, said, chances = predictions(200, classes)
    rows = score(truth, said, kind="classification", probabilities=chances, classes=range(classes))
    found = values(rows)
    auc = (
        sk.roc_auc_score(truth, chances[:, 1])
        if classes == 2
        else sk.roc_auc_score(truth, chances, multi_class="ovr", average="macro")
    )
    expected = {
        "accuracy": sk.accuracy_score(truth, said),
        "balanced accuracy": sk.balanced_accuracy_score(truth, said),
        "F1 macro": sk.f1_score(truth, said, average="macro"),
        "ROC AUC": auc,
        "log loss": sk.log_loss(truth, chances),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows if row["metric"] != "ECE")


def test_one_column_of_probabilities_belongs_to_the_second_class() -> None:
    truth, said, chances = predictions(50, 2)
    names = np.array(["insulator", "metal"])
    whole, column = (
        score(names[truth], names[said], kind="classification", probabilities=p, classes=names)
        for p in (chances, chances[:, 1])
    )
    for one, other in zip(whole, column, strict=True):
        assert one["metric"] == other["metric"]
        assert [one[key] for key in ("value", "low", "high")] == pytest.approx(
            [other[key] for key in ("value", "low", "high")]
        )


def test_calibration_error_is_that_counted_by_hand() -> None:
    # Bin of 0.9: three of four right, gap 0.15; bin of 0.6: one of one right, gap 0.4.
    chances = np.array([0.9, 0.9, 0.9, 0.9, 0.6])
    rows = score(
        ["b", "b", "b", "a", "b"], ["b"] * 5, kind="classification",
        probabilities=chances, classes=["a", "b"],
    )  # fmt: skip
    assert values(rows)["ECE"] == pytest.approx((4 * 0.15 + 1 * 0.4) / 5)


def test_weighted_metrics_are_those_of_repeated_rows() -> None:
    """What the bootstrap does, for one resample and every metric."""
    import pandas as pd

    from gnnmat.workflows.metrics import class_metrics, number_metrics

    random = np.random.default_rng(1)
    counts = random.multinomial(60, np.ones(60) / 60)
    truth, said, chances = predictions(60, 3)
    chosen = np.repeat(np.arange(60), counts)
    pairs = [
        (
            number_metrics(truth.astype(float), chances[:, 0], ""),
            number_metrics(truth[chosen].astype(float), chances[chosen, 0], ""),
        ),
        (
            class_metrics(pd.Series(truth), pd.Series(said), chances, range(3)),
            class_metrics(
                pd.Series(truth[chosen]), pd.Series(said[chosen]), chances[chosen], range(3)
            ),
        ),
    ]
    for weighted, repeated in pairs:
        for one, other in zip(weighted, repeated, strict=True):
            by_weight = one.of(counts[None].astype(float))
            assert by_weight == pytest.approx(other.of(np.ones((1, 60)))), one.name


def test_interval_of_a_mean_error_is_that_of_the_normal_law() -> None:
    error = np.abs(np.random.default_rng(0).normal(size=2000))
    row = score(np.zeros(2000), error, resamples=4000)[0]
    half = 1.96 * error.std(ddof=1) / np.sqrt(2000)
    assert row["low"] == pytest.approx(error.mean() - half, abs=0.1 * half)
    assert row["high"] == pytest.approx(error.mean() + half, abs=0.1 * half)


def test_interval_covers_the_true_error_nearly_95_times_in_100() -> None:
    """100 errors a time; the mean of |N(0, 1)| is sqrt(2 / pi)."""
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(400):
        row = score(np.zeros(100), random.normal(size=100), seed=seed, resamples=300)[0]
        covered += row["low"] <= np.sqrt(2 / np.pi) <= row["high"]
    # Three standard deviations of a count of 400 are 3.3%; percentile intervals run a little short.
    assert 0.905 <= covered / 400 <= 0.985


def test_whole_groups_are_drawn() -> None:
    """Twenty equal rows a group tell no more than one: the interval must not shrink."""
    error = np.random.default_rng(0).normal(size=50)
    single = score(np.zeros(50), error)[0]
    repeated = np.repeat(error, 20)
    grouped = score(np.zeros(1000), repeated, groups=np.repeat(np.arange(50), 20))[0]
    loose = score(np.zeros(1000), repeated)[0]
    assert grouped["high"] - grouped["low"] == pytest.approx(single["high"] - single["low"])
    assert loose["high"] - loose["low"] < 0.4 * (grouped["high"] - grouped["low"])


def test_same_seed_gives_the_same_interval() -> None:
    truth = np.random.default_rng(0).normal(size=30)
    assert score(truth, truth * 0.9, seed=1) == score(truth, truth * 0.9, seed=1)
    assert score(truth, truth * 0.9, seed=1) != score(truth, truth * 0.9, seed=2)


def test_rows_without_truth_are_left_out_and_not_counted() -> None:
    rows = score([1.0, np.nan, 3.0], [1.5, 9.0, 3.0], unit="eV")
    assert {row["n"] for row in rows} == {2}
    assert values(rows)["MAE"] == 0.25
    assert [row["unit"] for row in rows] == ["eV", "eV", "eV", ""]
    named = score(["a", None, np.nan, "b"], ["a", "a", "b", "a"], kind="classification")
    assert named[0]["n"] == 2
    assert values(named)["accuracy"] == 0.5
    assert score([np.nan], [1.0]) == []


def test_one_row_has_values_but_no_interval() -> None:
    rows = score([2.0], [2.5])
    assert values(rows) == {"MAE": 0.5, "RMSE": 0.5, "median AE": 0.5, "R2": None}
    assert all(row["low"] is None and row["high"] is None for row in rows)
    assert score([1.0, 2.0], [1.0, 2.0], groups=["a", "a"])[0]["low"] is None


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 + 0.1])
def test_constant_truth_has_no_r2(constant: float) -> None:
    rows = values(score(np.full(7, constant), np.arange(7.0)))
    assert rows["R2"] is None
    assert rows["MAE"] is not None


def test_one_class_has_no_roc_auc() -> None:
    rows = score(
        ["a", "a"], ["a", "b"], kind="classification", probabilities=[0.2, 0.7], classes=["a", "b"]
    )
    found = values(rows)
    assert found["ROC AUC"] is None
    assert found["accuracy"] == 0.5


def test_prediction_that_is_not_a_number_leaves_no_score() -> None:
    rows = score([1.0, 2.0, 3.0], [1.0, np.nan, 3.0])
    assert {row["value"] for row in rows} == {None}
    assert {row["n"] for row in rows} == {3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truth": [1, 2], "prediction": [1]}, "2 truths, but 1 values of prediction"),
        (
            {"truth": ["a"], "prediction": ["a"], "probabilities": [[1.0]]},
            "need the list of classes",
        ),
        (
            {"truth": ["a"], "prediction": ["a"], "probabilities": [[1.0]], "classes": ["a", "b"]},
            "Probabilities for 1 classes, but there are 2",
        ),
        (
            {"truth": ["c"], "prediction": ["a"], "classes": ["a", "b"]},
            "'c' is not one of the classes",
        ),
    ],
)
def test_mistakes_are_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(GnnmatError, match=message):
        score(**arguments, kind="classification")
