"""Scores and baselines of curves against scikit-learn; curves written and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score

from gnnmat.target import Axis, Curve, curve_array, curves, read_curve
from gnnmat.workflows.baselines import score_baselines
from gnnmat.workflows.curve_file import write_curves
from gnnmat.workflows.curve_metrics import curve_metrics
from gnnmat.workflows.run_folder import read_predictions
from gnnmat.workflows.scores import score

NAN = float("nan")


def made(n: int = 40, points: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=(n, points)) * [1, 2, 3, 0.5, 0.1] + [5, 0, 1, 9, 2]
    return truth, truth + draw.normal(size=(n, points))


def test_scores_are_those_of_scikit_learn() -> None:
    truth, said = made()
    rows = {row["metric"]: row for row in score(curves(truth), curves(said), kind="curve")}
    assert rows["MAE"]["value"] == pytest.approx(mean_absolute_error(truth, said), rel=1e-4)
    expected = r2_score(truth, said, multioutput="variance_weighted")
    assert rows["R2"]["value"] == pytest.approx(expected, rel=1e-4)
    assert rows["MAE"]["n"] == 40
    assert rows["MAE"]["low"] < rows["MAE"]["value"] < rows["MAE"]["high"]


def test_the_mean_curve_explains_nothing() -> None:
    truth, _ = made()
    mean = np.tile(truth.mean(0), (len(truth), 1))
    found = {one.name: float(one.of(np.ones((1, 40)))[0]) for one in curve_metrics(truth, mean, "")}
    assert found["R2"] == pytest.approx(0, abs=1e-9)


def test_points_without_a_truth_do_not_count() -> None:
    truth = [Curve([1.0, NAN, 3.0]), None, Curve([NAN, 2.0, NAN])]
    said = [Curve([2.0, 99.0, 3.0]), Curve([0, 0, 0]), Curve([99.0, 5.0, 99.0])]
    rows = {row["metric"]: row["value"] for row in score(truth, said, kind="curve")}
    assert rows["MAE"] == pytest.approx((1 + 0 + 3) / 3)


def test_baselines_of_curves_are_their_mean_and_a_forest() -> None:
    truth, _ = made(60)
    features = truth[:, :2]
    parts = np.array((["train"] * 4 + ["test"]) * 12)
    rows = score_baselines(
        curves(truth), parts, features=features, kind="curve", target="dos", resamples=50
    )
    value = {(r["baseline"], r["metric"]): r["value"] for r in rows if r["split"] == "test"}
    train, test = truth[parts == "train"], truth[parts == "test"]
    expected = mean_absolute_error(test, np.tile(train.mean(0), (len(test), 1)))
    assert value["mean curve", "MAE"] == pytest.approx(expected, rel=1e-4)
    assert value["composition forest", "R2"] > value["mean curve", "R2"]


@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(NAN), min_size=2, max_size=6))
def test_a_curve_comes_back_from_its_text(points: list[float]) -> None:
    found = read_curve(str(Curve(points)))
    np.testing.assert_array_equal(found, points)


def test_curves_come_back_from_the_files_of_a_run(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "id": ["a", "b", "a"],
            "split": ["train", "test", "test"],
            "target": ["dos", "dos", "gap"],
            "truth": [Curve([1.0, NAN]), None, 1.5],
            "prediction": [Curve([0.5, 2.0]), Curve([3.0, 4.0]), 1.25],
        }
    )
    table.to_csv(tmp_path / "predictions.csv", index=False)
    found = read_predictions(tmp_path / "predictions.csv")
    assert found["prediction"].tolist() == [Curve([0.5, 2.0]), Curve([3.0, 4.0]), 1.25]
    assert isinstance(found["truth"].iloc[0], Curve)
    assert np.isnan(found["truth"].iloc[1])
    written = write_curves(tmp_path, table, {"dos": Axis("freq", "1/cm", (0.0, 10.0))})
    assert written is not None
    with np.load(written) as arrays:
        assert sorted(arrays) == ["dos_axis", "dos_id", "dos_prediction", "dos_split", "dos_truth"]
        np.testing.assert_array_equal(arrays["dos_truth"], [[1, NAN], [NAN, NAN]])
    assert write_curves(tmp_path, table, {}) is None


def test_missing_curves_are_rows_of_nan() -> None:
    np.testing.assert_array_equal(
        curve_array([Curve([1, 2]), None, NAN], 2),  # type: ignore[list-item]
        [[1, 2], [NAN, NAN], [NAN, NAN]],
    )


def test_a_gap_in_a_curve_is_null_which_every_reader_of_json_knows() -> None:
    assert str(Curve([1.0, NAN])) == "[1.0, null]"
