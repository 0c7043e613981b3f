"""Loops on known functions: what is revealed, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.acquisition import METHODS, Beliefs
from gnnmat.workflows.screening.loop import (
    Campaign,
    best_rows,
    compare_loops,
    forest,
    simulate_loop,
)

POINTS = np.random.default_rng(0).uniform(-1, 1, size=(120, 2))
TRUTH = -(POINTS**2).sum(axis=1)
Floats = np.ndarray


def exact(features: Floats, values: Floats, asked: Floats, seed: int) -> Floats:
    """Members that agree on the truth."""
    return np.stack([-(asked**2).sum(axis=1)] * 2)


def test_a_surrogate_that_knows_finds_the_best_at_once() -> None:
    found = simulate_loop(
        POINTS, TRUTH, "greedy", start=5, batch=10, rounds=1, surrogate=exact, diversity=0
    )
    wanted = set(best_rows(TRUTH, 10)) - set(found.order[:5])
    assert wanted <= set(found.order[5:])


def test_found_curve_by_hand() -> None:
    made = Campaign("random", 0, np.array([4, 2, 0, 1]), 1)
    assert list(made.found([2, 3])) == [0, 0, 0.5, 0.5, 0.5]


def test_best_rows_by_hand() -> None:
    values = [3.0, np.nan, 5.0, 1.0, 4.0]
    assert list(best_rows(values, 2)) == [2, 4]
    assert list(best_rows(values, 0.3)) == [2, 4]  # 1.2 of four known rows
    assert list(best_rows(values, 1, maximise=False)) == [3]
    with pytest.raises(GnnmatError, match="The best 5 of 4 rows"):
        best_rows(values, 5)


@pytest.mark.parametrize("method", METHODS)
def test_every_row_is_asked_for_once_and_the_start_is_shared(method: str) -> None:
    settings = {"start": 10, "batch": 25, "rounds": 9, "seed": 3}
    one = simulate_loop(POINTS, TRUTH, method, surrogate=exact, **settings)  # type: ignore[arg-type]
    assert sorted(one.order) == list(range(120))
    other = simulate_loop(POINTS, TRUTH, "random", **settings)  # type: ignore[arg-type]
    assert (one.order[:10] == other.order[:10]).all()


def test_nothing_hidden_reaches_the_surrogate() -> None:
    told: list[tuple[int, set[float]]] = []

    def spying(features: Floats, values: Floats, asked: Floats, seed: int) -> Floats:
        told.append((len(asked), set(values)))
        assert len(features) + len(asked) == 120
        return np.zeros((2, len(asked)))

    made = simulate_loop(POINTS, TRUTH, "greedy", start=10, batch=5, rounds=3, surrogate=spying)
    for number, (hidden, values) in enumerate(told):
        computed = made.order[: 10 + 5 * number]
        assert hidden == 120 - len(computed)
        assert values == set(TRUTH[computed])


@pytest.mark.parametrize("maximise", [True, False])
def test_the_best_so_far_is_that_of_the_revealed_rows(
    maximise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def spying(beliefs: Beliefs, random: np.random.Generator) -> Floats:
        told.append(beliefs.best)
        return beliefs.mean

    monkeypatch.setitem(METHODS, "greedy", spying)  # type: ignore[arg-type]
    made = simulate_loop(
        POINTS, TRUTH, "greedy", start=10, batch=5, rounds=3, surrogate=exact, maximise=maximise
    )
    best = max if maximise else min
    assert told == [best(TRUTH[made.order[:size]]) for size in (10, 15, 20)]


def test_failed_computations_teach_nothing_but_are_paid_for() -> None:
    holes = TRUTH.copy()
    holes[::3] = np.nan

    def spying(features: Floats, values: Floats, asked: Floats, seed: int) -> Floats:
        assert np.isfinite(values).all()
        return exact(features, values, asked, seed)

    made = simulate_loop(POINTS, holes, start=30, batch=10, rounds=9, surrogate=spying)
    assert sorted(made.order) == list(range(120))
    with pytest.raises(GnnmatError, match="have no true number"):
        simulate_loop(POINTS, np.full(120, np.nan), start=3)


def test_forest_says_what_its_trees_say() -> None:
    said = forest(POINTS[:80], TRUTH[:80], POINTS[80:], 0)
    assert said.shape == (100, 40)
    assert np.abs(said.mean(axis=0) - TRUTH[80:]).mean() < 0.1
    assert (said == forest(POINTS[:80], TRUTH[:80], POINTS[80:], 0)).all()


def test_expected_improvement_beats_chance_with_a_forest() -> None:
    settings = {"start": 15, "batch": 5, "rounds": 5, "tops": [10], "diversity": 0.0}
    table = compare_loops(POINTS, TRUTH, ["expected_improvement", "random"], range(3), **settings)  # type: ignore[arg-type]
    last = table[table["computed"] == 40].groupby("method")["found"].mean()
    assert last["expected_improvement"] > last["random"] + 0.3
    assert list(table.columns) == ["method", "seed", "top", "computed", "found"]
    assert len(table) == 2 * 3 * 41


def test_smaller_can_be_better() -> None:
    made = simulate_loop(
        POINTS, -TRUTH, "greedy", start=5, batch=10, rounds=1, maximise=False, diversity=0,
        surrogate=lambda x, y, asked, seed: -exact(x, y, asked, seed),
    )  # fmt: skip
    assert made.found(best_rows(-TRUTH, 10, maximise=False))[-1] >= 0.9


def test_wrong_loops_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Did you mean 'greedy'"):
        simulate_loop(POINTS, TRUTH, "gready")
    with pytest.raises(GnnmatError, match=r"got \(120, 2\) and \(3,\)"):
        simulate_loop(POINTS, TRUTH[:3])
    with pytest.raises(GnnmatError, match="batch is 0"):
        simulate_loop(POINTS, TRUTH, batch=0)
    with pytest.raises(GnnmatError, match=r"gave \(70,\), expected \(members, 70\)"):
        simulate_loop(POINTS, TRUTH, surrogate=lambda x, y, asked, seed: np.zeros(len(asked)))
