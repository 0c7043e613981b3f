"""Acquisition functions against quadrature, arbitrary precision and arithmetic by hand."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.acquisition import (
    METHODS,
    Beliefs,
    check_method,
    expected_improvement,
    greedy,
    log_expected_improvement,
    upper_confidence_bound,
)

CASES = [(1.0, 2.0, 0.5), (10.0, 0.3, 10.0), (-3.0, 1.5, 1.0), (400.0, 25.0, 440.0)]


@pytest.mark.parametrize("maximise", [True, False])
@pytest.mark.parametrize(("mean", "spread", "best"), CASES)
def test_expected_improvement_is_the_integral_over_the_improvement(
    mean: float, spread: float, best: float, maximise: bool
) -> None:
    sign = 1 if maximise else -1
    ends = (best, mean + 40 * spread) if maximise else (mean - 40 * spread, best)
    wanted, _ = quad(
        lambda y: sign * (y - best) * norm.pdf(y, mean, spread),
        *ends,
        points=[mean] if ends[0] < mean < ends[1] else None,
        limit=500,
    )
    found = expected_improvement([mean], [spread], best, maximise=maximise)
    assert found[0] == pytest.approx(wanted, rel=1e-9)


def test_at_the_best_it_is_the_spread_over_the_root_of_two_pi() -> None:
    # z = 0: s phi(0), by hand.
    assert expected_improvement([5.0], [2.0], 5.0)[0] == pytest.approx(2 / np.sqrt(2 * np.pi))


@pytest.mark.parametrize("z", [3.0, 0.0, -1.0, -1.001, -5.0, -37.0, -1e3, -1e6, -6.8e7, -1e9])
def test_logarithm_is_right_far_below_the_best(z: float) -> None:
    with mpmath.workdps(60):
        x = mpmath.mpf(z)
        phi = mpmath.exp(-(x**2) / 2) / mpmath.sqrt(2 * mpmath.pi)
        # Far out the two terms agree in more digits than are kept: the series of the tail.
        tail = x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2 + phi if z > -1e5 else phi / x**2
        wanted = float(mpmath.log(tail))
    assert log_expected_improvement([z], [1.0], 0.0)[0] == pytest.approx(wanted, rel=1e-9)


def test_logarithm_still_ranks_what_underflows() -> None:
    means = np.array([-60.0, -50.0, -55.0])
    assert (expected_improvement(means, np.ones(3), 0.0) == 0).all()
    assert list(np.argsort(-log_expected_improvement(means, np.ones(3), 0.0))) == [1, 2, 0]


def test_without_spread_the_improvement_itself_is_expected() -> None:
    assert list(expected_improvement([3.0, 1.0], [0.0, 0.0], 2.0)) == [1.0, 0.0]
    assert list(expected_improvement([3.0, 1.0], [0.0, 0.0], 2.0, maximise=False)) == [0.0, 1.0]


def test_missing_numbers_stay_missing() -> None:
    found = log_expected_improvement([np.nan, 1.0, 1.0], [1.0, np.nan, 1.0], 0.0)
    assert list(np.isnan(found)) == [True, True, False]


def test_confidence_bounds_are_those_by_hand() -> None:
    assert list(upper_confidence_bound([1.0, 2.0], [3.0, 0.5], kappa=2)) == [7.0, 3.0]
    low = upper_confidence_bound([1.0, 2.0], [3.0, 0.5], kappa=2, maximise=False)
    assert list(low) == [5.0, -1.0]  # -(1 - 6), -(2 - 1)


def test_greedy_turns_the_sign_where_smaller_is_better() -> None:
    assert list(greedy([1.0, -2.0], maximise=False)) == [-1.0, 2.0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_float64_and_changes_nothing_given(method: str) -> None:
    mean, spread = np.array([1.0, 2.0], np.float32), np.array([0.5, 0.1], np.float32)
    beliefs = Beliefs(mean.copy(), spread.copy(), 1.5)  # type: ignore[arg-type]
    key = METHODS[method](beliefs, np.random.default_rng(0))
    assert key.shape == (2,)
    assert method == "greedy" or key.dtype == np.float64
    assert (beliefs.mean == mean).all()
    assert (beliefs.spread == spread).all()


def test_negative_spread_is_refused() -> None:
    with pytest.raises(GnnmatError, match=r"A spread is -1"):
        expected_improvement([1.0], [-1.0], 0.0)


def test_unknown_method_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(GnnmatError, match="Did you mean 'uncertainty'"):
        check_method("uncertanty")
