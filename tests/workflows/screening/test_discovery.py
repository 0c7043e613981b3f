"""Discovery metrics against counts by hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.discovery import judge_discovery
from gnnmat.workflows.screening.discovery_curves import by_distance, campaign

NAN = float("nan")
# Stable: 4 of 10. Flagged: rows 0, 1, 4, 5; row 3 has no prediction.
TRUTH = [-0.1, 0.0, -0.02, -0.3, 0.01, 0.2, 0.03, 0.5, 0.06, 1.0]
SAID = [-0.2, -0.0, 0.01, NAN, -0.01, -0.1, 0.02, 0.4, 0.07, 0.9]


def made(rows: int = 500) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.normal(0.1, 0.15, rows)
    return truth, truth + random.normal(0, 0.08, rows)


def test_counts_and_scores_by_hand() -> None:
    found = judge_discovery(TRUTH, SAID, resamples=0)
    assert [found.value(one) for one in ("TP", "FP", "TN", "FN")] == [2, 2, 4, 2]
    assert found.value("precision") == 0.5
    assert found.value("recall") == found.value("TPR") == 0.5
    assert found.value("FNR") == 0.5
    assert found.value("prevalence") == 0.4
    assert found.value("DAF") == pytest.approx(0.5 / 0.4)
    assert found.value("F1") == 0.5
    assert found.value("accuracy") == 0.6
    assert found.value("FPR") == pytest.approx(2 / 6)
    assert found.value("TNR") == pytest.approx(4 / 6)
    # Row 4 is 0.01 above the hull, row 5 is 0.2 above it.
    assert found.value("false positives near the hull") == 0.5
    # |errors| of the nine rows with a prediction.
    assert found.value("MAE") == pytest.approx(
        (0.1 + 0 + 0.03 + 0.02 + 0.3 + 0.01 + 0.1 + 0.01 + 0.1) / 9
    )
    assert (found.rows, found.missing, found.unknown) == (10, 1, 0)


def test_scores_are_those_of_scikit_learn() -> None:
    truth, said = made()
    for threshold in (0.0, 0.05):
        found = judge_discovery(truth, said, threshold=threshold, resamples=0)
        true, flagged = truth <= threshold, said <= threshold
        assert found.value("F1") == pytest.approx(sk.f1_score(true, flagged))
        assert found.value("precision") == pytest.approx(sk.precision_score(true, flagged))
        assert found.value("recall") == pytest.approx(sk.recall_score(true, flagged))
        assert found.value("accuracy") == pytest.approx(sk.accuracy_score(true, flagged))
        tn, fp, fn, tp = sk.confusion_matrix(true, flagged).ravel()
        assert [found.value(one) for one in ("TN", "FP", "FN", "TP")] == [tn, fp, fn, tp]
        assert found.value("R2") == pytest.approx(sk.r2_score(truth, said))
        assert found.value("RMSE") == pytest.approx(sk.root_mean_squared_error(truth, said))
        assert found.value("MAE") == pytest.approx(sk.mean_absolute_error(truth, said))


def test_on_the_threshold_is_stable() -> None:
    found = judge_discovery([0.05, 0.051], [0.05, 0.049], threshold=0.05, resamples=0)
    assert [found.value(one) for one in ("TP", "FP")] == [1, 1]


@pytest.mark.parametrize("missing", [NAN, np.inf, -np.inf, None, "failed"])
def test_no_prediction_counts_as_unstable(missing: object) -> None:
    found = judge_discovery([-0.1, -0.1, 0.1, 0.1], [-0.1, missing, missing, 0.1], resamples=0)
    assert [found.value(one) for one in ("TP", "FN", "FP", "TN")] == [1, 1, 0, 2]
    assert (found.missing, found.value("MAE")) == (2, 0.0)


def test_rows_without_a_truth_are_counted_and_left_out() -> None:
    found = judge_discovery([*TRUTH, NAN], [*SAID, -5.0], resamples=0)
    assert (found.rows, found.unknown) == (10, 1)
    assert found.value("FP") == 2


def test_finding_nothing_is_zero_and_no_stable_row_is_undefined() -> None:
    nothing = judge_discovery([-0.1, 0.2], [0.1, 0.1], resamples=0)
    assert [nothing.value(one) for one in ("F1", "precision", "DAF")] == [0, 0, 0]
    none = judge_discovery([0.1, 0.2], [0.1, 0.1], resamples=0)
    assert np.isnan([none.value(one) for one in ("F1", "DAF", "recall", "precision")]).all()


def test_model_without_predictions_has_no_errors() -> None:
    found = judge_discovery([-0.1, 0.2], [NAN, NAN], resamples=0)
    assert np.isnan([found.value(one) for one in ("MAE", "RMSE", "R2")]).all()
    assert found.value("recall") == 0


def test_intervals_agree_with_the_binomial_and_widen_with_groups() -> None:
    truth, said = made()
    found = judge_discovery(truth, said).scores.set_index("metric")
    accuracy = found.loc["accuracy"]
    error = np.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 500)
    assert accuracy["high"] - accuracy["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
    for name in ("TP", "FP", "TN", "FN", "DAF", "F1"):
        row = found.loc[name]
        assert row["low"] < row["value"] < row["high"], name
    groups = np.repeat(np.arange(500), 4)
    copies = judge_discovery(truth.repeat(4), said.repeat(4), groups=groups)
    same = copies.scores.set_index("metric").loc["accuracy"]
    assert same["high"] - same["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
    again = judge_discovery(truth, said).scores
    assert again["low"].equals(found.reset_index()["low"])


def test_errors_by_distance_by_hand() -> None:
    found = by_distance(TRUTH, SAID, edges=(0.05, 0.25))
    assert list(found["n"]) == [1, 1, 2, 2, 2, 2]
    assert list(found["low"]) == [-np.inf, -0.25, -0.05, 0.0, 0.05, 0.25]
    assert list(found["FP"]) == [0, 0, 0, 1, 1, 0]
    assert list(found["FN"]) == [1, 0, 1, 0, 0, 0]
    # -0.02 and 0.0, said 0.01 and 0.0: mean error 0.015 beside a mean distance of 0.01.
    assert list(found["peril"]) == [False, False, True, False, True, False]
    assert found["n"].sum() == 10
    moved = by_distance(np.array(TRUTH) + 0.3, np.array(SAID) + 0.3, threshold=0.3)
    assert moved["FP"].sum() == 2


def test_campaign_by_hand() -> None:
    # In the order of predictions: 0 stable, 5 not, 4 not, 1 stable, 2 stable, ..., 3 last.
    found = campaign(TRUTH, SAID, [1, 2, 3, 5, 9, 10])
    assert list(found["found"]) == [1, 1, 1, 3, 3, 4]
    assert found["precision"].to_numpy() == pytest.approx([1, 1 / 2, 1 / 3, 3 / 5, 1 / 3, 0.4])
    assert found["DAF"].to_numpy()[-1] == pytest.approx(1)
    assert found["recall"].to_numpy()[-1] == 1


def test_equal_predictions_are_worth_the_prevalence() -> None:
    found = campaign(TRUTH, np.zeros(10), [1, 5])
    assert found["DAF"].to_numpy() == pytest.approx(1)


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(GnnmatError, match="10 true energies, but 2 predicted"):
        judge_discovery(TRUTH, [0, 1])
    with pytest.raises(GnnmatError, match="No row has a true energy"):
        judge_discovery([NAN], [0.0])
    with pytest.raises(GnnmatError, match="The threshold is nan"):
        judge_discovery(TRUTH, SAID, threshold=NAN)
    with pytest.raises(GnnmatError, match="10 energies, but 3 groups"):
        judge_discovery(TRUTH, SAID, groups=[1, 2, 3])
    with pytest.raises(GnnmatError, match="11 of 10 crystals"):
        campaign(TRUTH, SAID, [11])
    with pytest.raises(GnnmatError, match="do not rise"):
        by_distance(TRUTH, SAID, edges=(0.1, 0.05))
