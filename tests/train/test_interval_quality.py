"""Coverage, its error, fifths and sparsification curves against counts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gnnmat.train.interval_quality import (
    Judged,
    calibration_error,
    coverage,
    error_curve,
    fifths,
    quality,
)


def test_coverage_of_single_rows_has_the_binomial_error() -> None:
    inside = np.array([True] * 90 + [False] * 10)
    share, error = coverage(inside, np.arange(100))
    assert share == 0.9
    assert error == pytest.approx(math.sqrt(0.09 / 99))


def test_rows_counted_twice_do_not_make_the_error_smaller() -> None:
    inside = np.array([True] * 45 + [False] * 5)
    once = coverage(inside, np.arange(50))
    twice = coverage(np.repeat(inside, 2), np.repeat(np.arange(50), 2))
    assert twice == pytest.approx(once)
    # The twin that takes rows for groups believes to know more.
    assert coverage(np.repeat(inside, 2), np.arange(100))[1] < 0.8 * once[1]


def test_full_coverage_is_not_certain() -> None:
    share, error = coverage(np.ones(50, dtype=bool), np.arange(50))
    assert share == 1.0
    assert 0.005 < error < 0.03
    assert all(math.isnan(one) for one in coverage([], []))
    assert math.isnan(coverage([True, True], ["a", "a"])[1])


def test_calibration_on_few_groups_strays_far() -> None:
    # Standard deviation of the beta distribution of Vovk (2012) for 99 rows at 90%: 90 and 10.
    assert calibration_error(0.9, 99) == pytest.approx(math.sqrt(90 * 10 / 100**2 / 101), rel=1e-9)


def rows(truth: np.ndarray, half: float, spread: np.ndarray) -> Judged:
    zero = np.zeros(len(truth))
    return Judged(truth, zero, zero - half, zero + half, spread, np.arange(len(truth)))


def test_fifths_are_cut_by_spread_not_by_order() -> None:
    spread = np.array([5, 1, 4, 2, 3] * 4, dtype=float)
    found = fifths(rows(spread, 3.5, spread))
    assert [one["coverage"] for one in found] == [1, 1, 1, 0, 0]
    assert [one["spread"] for one in found] == [[n, n] for n in (1, 2, 3, 4, 5)]
    assert [one["mean_error"] for one in found] == [1, 2, 3, 4, 5]
    summary = quality(rows(spread, 3.5, spread))
    assert summary["coverage"] == 0.6
    assert summary["worst_fifth"] == 0.0
    assert summary["mean_width"] == 7.0


def test_curve_of_perfect_uncertainty_is_the_oracle() -> None:
    errors = np.arange(1.0, 101.0)
    found = error_curve(errors, errors**2)
    assert found["model"] == pytest.approx(found["oracle"])
    assert found["gain"] == pytest.approx(1.0)
    assert found["correlation"] == pytest.approx(1.0)
    # Half is dropped: 1 to 50 are left.
    assert found["oracle"][found["dropped"].index(0.5)] == pytest.approx(25.5)
    assert found["random"] == [50.5] * 20


def test_curve_of_useless_and_of_wrong_uncertainty_gains_nothing() -> None:
    errors = np.arange(1.0, 101.0)
    alike = error_curve(errors, np.ones(100))
    assert alike["gain"] == pytest.approx(0.0)
    assert alike["model"] == pytest.approx(alike["random"])
    assert alike["correlation"] is None
    assert error_curve(errors, -errors)["gain"] < -0.5
