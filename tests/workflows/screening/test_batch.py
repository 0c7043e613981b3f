"""Batches against exclusion by hand, and their independence of order and scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.batch import choose_batch, sphere_radius, standardised


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Ten candidates on a line, three pairs of which are near.
LINE = np.array([0.0, 0.1, 5.0, 5.1, 9.0, 9.1, 20.0, 30.0, 40.0, 50.0])[:, None]
KEY = np.array([9.9, 10.0, 9.5, 9.0, 1.0, 2.0, 0.5, 0.4, 0.3, 0.2])


def test_near_duplicates_of_a_choice_are_passed_over() -> None:
    # Three of 45 pairs are 0.1 apart, all others at least 3.9: a share of 0.06 lies between.
    chosen, passed = choose_batch(KEY, LINE, 3, diversity=3 * 0.06, random=random())
    assert list(chosen) == [1, 2, 5]  # 0 is like 1, 3 is like 2
    assert list(passed) == [0, 1, 2]


def test_without_diversity_the_best_are_taken() -> None:
    chosen, passed = choose_batch(KEY, LINE, 3, diversity=0, random=random())
    assert list(chosen) == [1, 0, 2]
    assert list(passed) == [0, 0, 0]


def test_chosen_ones_lie_outside_each_others_spheres() -> None:
    places = random(1).normal(size=(400, 5))
    chosen, _ = choose_batch(random(2).random(400), places, 10, diversity=0.2, random=random())
    assert pdist(places[chosen]).min() > np.quantile(pdist(places), 0.02)


def test_spheres_shrink_until_the_batch_is_full() -> None:
    chosen, _ = choose_batch(KEY, LINE, 10, diversity=5, random=random())
    assert sorted(chosen) == list(range(10))


def test_equal_crystals_are_taken_where_nothing_else_is_left() -> None:
    chosen, _ = choose_batch(np.arange(4.0), np.zeros((4, 0)), 3, random=random())
    assert list(chosen) == [3, 2, 1]


def test_only_the_order_of_the_keys_counts() -> None:
    key, places = random(3).normal(size=200), random(4).normal(size=(200, 3))
    one, _ = choose_batch(key, places, 12, random=random(5))
    other, _ = choose_batch(np.exp(3 * key) - 7, places, 12, random=random(5))
    assert (one == other).all()


def test_equal_keys_are_drawn_by_the_seed() -> None:
    picks = {tuple(choose_batch(np.ones(50), None, 5, random=random(s))[0]) for s in range(5)}
    assert len(picks) == 5
    again = choose_batch(np.ones(50), None, 5, random=random(0))[0]
    assert tuple(again) in picks


def test_rows_without_a_key_are_never_chosen() -> None:
    chosen, _ = choose_batch(np.array([np.nan, 1.0, np.nan]), LINE[:3], 3, random=random())
    assert list(chosen) == [1]


def test_minus_infinity_comes_last() -> None:
    key = np.array([-np.inf, 1.0, -np.inf])
    assert choose_batch(key, None, 3, random=random())[0][0] == 1


def test_radius_of_many_is_that_of_a_sample() -> None:
    places = random().normal(size=(6000, 2))
    exact = np.quantile(pdist(places[:3000]), 0.02)
    assert sphere_radius(places, 0.02, random()) == pytest.approx(exact, rel=0.05)


def test_standardised_columns_have_no_unit() -> None:
    values = random().normal(3, 2, size=(50, 2))
    given = np.column_stack([values, np.full(50, 7.1), 1e6 * values[:, 0]])
    found = standardised(given)
    assert found.shape == (50, 3)
    assert found[:, 0] == pytest.approx(found[:, 2])
    assert found.std(axis=0) == pytest.approx(1)


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Features of 9 candidates, but there are 10"):
        choose_batch(KEY, LINE[:9], 3, random=random())
    with pytest.raises(GnnmatError, match="not finite; the first is row 2"):
        choose_batch(KEY, np.where(LINE == 5.0, np.nan, LINE), 3, random=random())
