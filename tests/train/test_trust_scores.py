"""Densities against scikit-learn and scipy; thresholds against what chance must give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from gnnmat.errors import GnnmatError
from gnnmat.train.trust_scores import NEIGHBOURS, Usual, fit_density, limit


def two_clouds(count: int = 150) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = np.repeat([0, 1], count)
    spread = draw.normal(size=(2, 4, 4))
    rows = np.einsum("nij,nj->ni", spread[labels], draw.normal(size=(2 * count, 4)))
    return rows + labels[:, None] * 10, labels


def test_distance_is_the_mahalanobis_distance_from_the_nearest_class() -> None:
    rows, labels = two_clouds()
    density = fit_density(rows, labels)
    new = np.random.default_rng(1).normal(5, 8, (20, 4))
    scale = rows.std(axis=0)
    each = [
        LedoitWolf()
        .fit((rows[labels == c] - rows.mean(0)) / scale)
        .mahalanobis((new - rows.mean(0)) / scale)
        for c in (0, 1)
    ]
    assert density.distance(new) == pytest.approx(np.sqrt(np.min(each, axis=0)), rel=1e-6)


def test_neighbours_is_the_distance_from_the_tenth_nearest_reference() -> None:
    rows, labels = two_clouds()
    density = fit_density(rows, labels)
    new = np.random.default_rng(1).normal(5, 8, (20, 4))
    standard = (rows - rows.mean(0)) / rows.std(0), (new - rows.mean(0)) / rows.std(0)
    expected = np.sort(cdist(standard[1], standard[0]), axis=1)[:, NEIGHBOURS - 1]
    assert len(density.references) == len(rows)
    assert density.neighbours(new) == pytest.approx(expected, rel=1e-6)


def test_feature_that_never_moved_is_noticed_when_it_moves() -> None:
    rows, labels = two_clouds()
    still = np.concatenate([rows, np.zeros((len(rows), 1))], axis=1)
    density = fit_density(still, labels)
    moved = still[:1].copy()
    moved[0, -1] = 5.0
    usual = density.distance(still)
    assert np.isfinite(usual).all()
    assert density.distance(moved)[0] > 10 * usual.max()


def test_rows_without_a_class_do_not_make_one() -> None:
    rows, labels = two_clouds()
    labels[:5] = -1
    assert len(fit_density(rows, labels).means) == 2
    with pytest.raises(GnnmatError, match="too few training rows"):
        fit_density(rows[:1])


def test_surprise_is_minus_the_log_of_the_share_that_is_as_strange() -> None:
    usual = Usual.of(np.arange(99.0))
    # 50 of 99 are at least 49; with the new one 51 of 100.
    assert usual.surprise([49.0])[0] == pytest.approx(-np.log(51 / 100))
    assert usual.surprise([-1.0])[0] == 0.0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=60),
    st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=20),
)
def test_stranger_is_never_less_surprising(values: list[float], new: list[float]) -> None:
    found = Usual.of(values).surprise(np.sort(new))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_threshold_undoes_surprise() -> None:
    usual = Usual.of(np.random.default_rng(0).exponential(size=2000))
    for surprise in (1.0, 3.0, 6.0):
        assert usual.surprise([usual.threshold(surprise)])[0] == pytest.approx(surprise, abs=0.05)
    # The tail of an exponential is one: P(x > 6) = exp(-6).
    assert usual.threshold(6.0) == pytest.approx(6.0, rel=0.15)


def test_limit_leaves_the_stated_share_above() -> None:
    # 5% of 99 + 1 is 5: four validation rows above, and a new row with probability 5 / 100.
    assert limit(np.arange(99.0), 0.05) == 94.0
    assert limit(np.arange(19.0), 0.05) == 18.0


def test_new_rows_are_refused_at_most_as_often_as_stated() -> None:
    draw = np.random.default_rng(3)
    shares = []
    for _ in range(200):
        values = draw.gamma(2.0, size=150)
        new = draw.gamma(2.0, size=500)
        shares.append((new > limit(values, 0.05)).mean())
    assert 0.04 < np.mean(shares) < 0.052


def test_too_few_rows_for_a_rate_are_refused_in_words() -> None:
    with pytest.raises(GnnmatError, match="18 validation rows are too few") as caught:
        limit(np.arange(18.0), 0.05)
    assert "At least 19 are needed" in caught.value.why
    assert "split.val" in caught.value.fix
