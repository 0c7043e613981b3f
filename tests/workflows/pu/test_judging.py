"""Curves, bounds and intervals against scikit-learn, counts by hand, and known mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from gnnmat.workflows.pu.judging import (
    Curve,
    Estimate,
    Judged,
    estimates,
    precision,
    recall_at,
)
from gnnmat.workflows.pu.judging import prior_bound as how_to_bound


def prior_bound(rows: Judged) -> Estimate:
    return estimates(rows, {"bound": how_to_bound(rows)})["bound"]


def judged(score: list[float], positive: list[int], groups: list[int] | None = None) -> Judged:
    count = len(score)
    names = np.arange(count) if groups is None else np.array(groups)
    return Judged.of(np.array(score), np.array(positive, dtype=bool), names)


def mixture(prior: float, count: int = 4000, seed: int = 0) -> Judged:
    """Positives at 0.6 to 1, negatives at 0 to 0.7, unlabelled rows mixed by the prior."""
    draw = np.random.default_rng(seed)
    high, low = draw.uniform(0.6, 1, 2 * count), draw.uniform(0, 0.7, count)
    hidden = draw.random(count) < prior
    score = np.concatenate([high[:count], np.where(hidden, high[count:], low)])
    return judged(score.tolist(), [1] * count + [0] * count)


def test_curve_and_ranking_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    positive = draw.random(300) < 0.3
    score = np.round(draw.random(300) + 0.3 * positive, 2)  # with ties
    one = judged(score.tolist(), positive.tolist())
    flagged, recall, thresholds = roc_curve(positive, score, drop_intermediate=False)
    found = one.curve()
    np.testing.assert_allclose(found.threshold, thresholds[1:])
    np.testing.assert_allclose(found.flagged, flagged[1:])
    np.testing.assert_allclose(found.recall, recall[1:])
    assert found.ranking == pytest.approx(roc_auc_score(positive, score))


def test_recall_is_counted_by_hand() -> None:
    one = judged([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 1, 0])
    assert recall_at(one, 1 / 3).value == pytest.approx(2 / 3)
    assert recall_at(one, 2 / 3).value == pytest.approx(1)
    assert one.curve().above(0.55) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert one.curve().above(0.6) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert one.curve().above(0.95) == (0, 0)
    assert one.curve().above(0.0) == (1, 1)


@pytest.mark.parametrize("positive", [[1, 1, 1], [0, 0, 0]])
def test_what_rows_of_one_kind_cannot_tell_is_not_told(positive: list[int]) -> None:
    one = judged([0.9, 0.5, 0.1], positive)
    wanted = {"ranking": lambda curve: curve.ranking, "recall": lambda curve: curve.recall_at(0.5)}
    for found in estimates(one, wanted).values():
        assert np.isnan([found.value, found.low, found.high]).all()
    assert np.isnan(prior_bound(one).value)
    empty = judged([], [])
    assert np.isnan(empty.curve().ranking)


def test_rows_without_a_score_do_not_count() -> None:
    one = judged([0.9, float("nan"), 0.1], [1, 1, 0])
    assert len(one.score) == 2
    assert one.curve().ranking == 1.0


def test_intervals_hold_what_they_promise_and_grow_with_groups() -> None:
    inside, widths = 0, []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        positive = np.arange(200) < 100
        score = draw.normal(size=200) + positive
        found = recall_at(judged(score.tolist(), positive.tolist()), 0.5)
        # Half of the unlabelled stand above their median, 0; positives above it: Phi(1).
        inside += found.low <= 0.8413 <= found.high
        widths.append(found.high - found.low)
    assert inside >= 33  # 38 expected, 2.5% of chance below
    several = judged(
        np.repeat(score, 4).tolist(),
        np.repeat(positive, 4).tolist(),
        np.repeat(np.arange(200), 4).tolist(),
    )
    apart = judged(np.repeat(score, 4).tolist(), np.repeat(positive, 4).tolist())
    kept, lost = recall_at(several, 0.5), recall_at(apart, 0.5)
    assert kept.high - kept.low == pytest.approx(widths[-1], rel=0.3)
    assert lost.high - lost.low < 0.7 * (kept.high - kept.low)


@pytest.mark.parametrize("prior", [0.1, 0.4])
def test_bound_is_the_prior_where_only_positives_stand_on_top(prior: float) -> None:
    found = prior_bound(mixture(prior))
    assert found.value == pytest.approx(prior, abs=0.03)
    assert found.low <= found.value <= found.high


def test_bound_is_no_prior_where_nothing_is_told_apart() -> None:
    draw = np.random.default_rng(0)
    one = judged(draw.random(2000).tolist(), [1] * 1000 + [0] * 1000)
    assert prior_bound(one).value > 0.8


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_curves_rise_to_one_on_any_input(rows: list[tuple[float, bool]]) -> None:
    score, positive = zip(*rows, strict=True)
    one = judged(list(score), [int(p) for p in positive])
    found: Curve = one.curve()
    flagged, recall = found.flagged, found.recall
    assert not (np.diff(flagged) < 0).any()
    assert not (np.diff(recall) < 0).any()
    if any(positive) and not all(positive):
        assert flagged[-1] == pytest.approx(1)
        assert recall[-1] == pytest.approx(1)
        assert 0 <= prior_bound(one).value <= 1


def test_precision_follows_from_the_prior() -> None:
    # Of 1,000 unlabelled rows 100 are positive, 80 of them among the 200 flagged.
    assert precision(recall=0.8, flagged=0.2, prior=0.1) == pytest.approx(0.4)
    assert precision(recall=0.8, flagged=0.2, prior=0.9) == 1.0
    assert np.isnan(precision(recall=0.8, flagged=0.0, prior=0.1))
