"""Conformal intervals against counts by hand and made-up data; each check has a broken twin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError
from gnnmat.train.interval_quality import Judged, fifths
from gnnmat.train.intervals import (
    Interval,
    absolute_errors,
    conformal_quantile,
    fewest_groups,
    fit_floor,
    fit_interval,
)

Floats = NDArray[np.float64]
Quantile = Callable[[ArrayLike, ArrayLike, float], float]


def rows_alone(scores: ArrayLike, groups: ArrayLike, coverage: float) -> float:
    """The twin that takes every row for a group of its own."""
    return conformal_quantile(scores, np.arange(len(np.asarray(scores))), coverage)


def without_correction(scores: ArrayLike, groups: ArrayLike, coverage: float) -> float:
    """The twin that takes the plain quantile, as though there were endless rows."""
    return float(np.quantile(np.asarray(scores), coverage, method="inverted_cdf"))


def check_count(quantile: Quantile) -> None:
    scores = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0, 3.5, 8.0, 7.0])
    # ceil(11 x 0.8) = 9: the ninth smallest of ten.
    assert quantile(scores, np.arange(10), 0.8) == 8.0
    assert quantile(scores, np.arange(10), 0.9) == 9.0
    assert quantile(scores, np.arange(10), 0.95) == math.inf


def check_groups(quantile: Quantile) -> None:
    scores = np.arange(1.0, 21.0)
    alone = quantile(scores, np.arange(20), 0.9)
    # The easiest formula a hundred times more tells nothing new.
    many = np.concatenate([scores, np.full(100, 1.0)])
    groups = np.concatenate([np.arange(20), np.zeros(100, dtype=int)])
    assert quantile(many, groups, 0.9) == alone == 19.0


def test_quantile_is_the_one_counted_by_hand() -> None:
    check_count(conformal_quantile)
    with pytest.raises(AssertionError):
        check_count(without_correction)


def test_duplicates_of_a_formula_do_not_narrow_the_interval() -> None:
    check_groups(conformal_quantile)
    with pytest.raises(AssertionError):
        check_groups(rows_alone)


def test_rows_of_a_group_share_its_weight() -> None:
    # Two groups of two rows and eight of one; weights 1/2, then 1, over 11 groups with the new
    # one: 0.5, 1, 1.5, 2, 3, ... 10 elevenths. 0.8 x 11 = 8.8 is reached at the eleventh row.
    groups = [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert conformal_quantile(np.arange(1.0, 13.0), groups, 0.8) == 11.0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.sampled_from([0.5, 0.8, 0.9]))
def test_quantile_of_single_rows_is_an_order_statistic(values: list[int], share: float) -> None:
    scores = np.array(values, dtype=float)
    place = math.ceil((len(scores) + 1) * share - 1e-9)
    expected = np.sort(scores)[place - 1] if place <= len(scores) else math.inf
    assert conformal_quantile(scores, np.arange(len(scores)), share) == expected


def test_fewest_groups_give_a_finite_interval_and_one_less_does_not() -> None:
    for share, count in ((0.9, 9), (0.8, 4), (0.95, 19)):
        assert fewest_groups(share) == count
        assert math.isfinite(conformal_quantile(np.arange(count), np.arange(count), share))
        less = np.arange(count - 1)
        assert conformal_quantile(less, less, share) == math.inf


def noisy(rows: int, seed: int) -> tuple[Floats, Floats]:
    """(rows,) absolute errors whose size is known, and a spread that tells it in other units."""
    draw = np.random.default_rng(seed)
    size = 0.1 + draw.random(rows) ** 2
    return np.abs(size * draw.normal(size=rows)), 0.3 * size


def judged(errors: Floats, half: Floats, spread: Floats) -> Judged:
    zero = np.zeros(len(errors))
    return Judged(errors, zero, -half, half, spread, np.arange(len(errors)))


def fitted(errors: Floats, spread: Floats, **more: Any) -> Interval:
    return fit_interval(errors, spread, np.arange(len(errors)), target="gap", **more)


def mean_coverage(scaled: bool) -> tuple[float, float]:
    """Coverage over all rows, and in the fifth of largest spread, over twenty calibrations."""
    whole, hardest = [], []
    for seed in range(20):
        interval = fitted(*noisy(400, seed))
        errors, spread = noisy(1000, 1000 + seed)
        half = interval.half_width(spread) if scaled else np.full(1000, interval.constant)
        found = judged(errors, half, spread)
        whole.append(found.inside.mean())
        hardest.append(fifths(found)[-1]["coverage"])
    return float(np.mean(whole)), float(np.mean(hardest))


def test_heteroscedastic_noise_is_covered_everywhere_only_by_scaled_intervals() -> None:
    whole, hardest = mean_coverage(scaled=True)
    # Twenty calibrations on 400 rows (80 in a fifth), judged on 1,000 (200): three binomial errors.
    assert abs(whole - 0.9) < 3 * math.sqrt(0.09 / 20 * (1 / 400 + 1 / 1000))
    assert abs(hardest - 0.9) < 3 * math.sqrt(0.09 / 20 * (1 / 80 + 1 / 200))
    plain, worst = mean_coverage(scaled=False)
    assert abs(plain - 0.9) < 3 * math.sqrt(0.09 / 20 * (1 / 400 + 1 / 1000))
    assert worst < 0.75


def test_spread_that_says_nothing_makes_all_intervals_alike() -> None:
    draw = np.random.default_rng(0)
    errors, spread = np.abs(draw.normal(size=300)), draw.random(300)
    interval = fitted(errors[:150], spread[:150])
    width = interval.half_width(spread)
    assert interval.floor > 3 * spread.max()
    assert interval.half_width([0.0, 0.01]) == pytest.approx([width.min()] * 2, rel=0.3)
    assert abs((errors[150:] <= width[150:]).mean() - 0.9) < 0.06


def test_spread_that_is_zero_everywhere_gives_the_constant_interval() -> None:
    errors = np.arange(1.0, 101.0)
    interval = fitted(errors, np.zeros(100), kind="constant")
    assert interval.edges == ()
    # ceil(101 x 0.9) = 91.
    assert interval.half_width([0.0]) == pytest.approx([91.0])
    assert interval.constant == 91.0


def test_many_spreads_of_zero_have_a_bin_of_their_own() -> None:
    """Half of the rows are metals, for which all members say zero; the others differ in noise."""
    inside = []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        spread = np.where(draw.random(2000) < 0.51, 0.0, draw.gamma(2.0, 0.5, 2000))
        errors = np.abs(draw.laplace(size=2000)) * np.where(spread > 0, 0.05 + spread, 0.02)
        interval = fitted(errors[:1000], spread[:1000])
        assert len(interval.quantiles) >= 4
        half = interval.half_width(spread[1000:])
        order = np.argsort(spread[1000:], kind="stable")
        inside.append([(errors[1000:] <= half)[one].mean() for one in np.array_split(order, 5)])
    each = np.mean(inside, axis=0)
    # Twenty calibrations on some 120 rows a bin, judged on 200.
    assert float(np.abs(each - 0.9).max()) < 3.5 * math.sqrt(0.09 / 20 * (1 / 120 + 1 / 200))


def test_floor_is_found_again() -> None:
    draw = np.random.default_rng(1)
    spread = draw.random(20_000)
    errors = draw.laplace(size=20_000) * 3.0 * (0.2 + spread)
    floor = fit_floor(np.abs(errors), spread, np.ones(20_000))
    assert floor == pytest.approx(0.2, rel=0.15)


def test_bins_need_forty_groups_each() -> None:
    assert len(fitted(*noisy(200, 0)).quantiles) == 5
    assert len(fitted(*noisy(199, 0)).quantiles) == 4
    assert len(fitted(*noisy(79, 0)).quantiles) == 1
    errors, spread = noisy(200, 0)
    by_spread = np.argsort(np.argsort(spread)) // 4
    few = fit_interval(errors, spread, by_spread, target="gap")
    assert (len(few.quantiles), few.groups, few.rows) == (1, 50, 200)


def test_on_a_logarithmic_scale_intervals_are_factors() -> None:
    errors = absolute_errors([10.0, 1.0, 0.0], [1.0, 1.0, 1.0], logarithm=True)
    assert errors[:2] == pytest.approx([math.log(10), 0.0])
    assert errors[2] > 20  # zero has no logarithm, and is never covered
    interval = fitted(*noisy(100, 0), logarithm=True)
    low, high = interval.bounds([2.0, 20.0], [0.1, 0.1])
    assert (low > 0).all()
    assert high / [2.0, 20.0] == pytest.approx([2.0, 20.0] / low)
    assert high[1] / high[0] == pytest.approx(10.0)


def test_interval_is_written_and_read_back() -> None:
    interval = fitted(*noisy(250, 0), unit="eV")
    assert Interval.from_dict(asdict(interval)) == interval


def test_too_few_groups_are_refused_with_the_number_needed() -> None:
    with pytest.raises(GnnmatError, match="8 groups of validation rows are too few for 90%") as one:
        fit_interval(np.ones(30), np.ones(30), np.arange(30) % 8, target="gap")
    assert "At least 9" in one.value.why
