"""Proposals: what is asked for next, why, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.acquisition import METHODS, expected_improvement
from gnnmat.workflows.screening.features import candidate_features
from gnnmat.workflows.screening.propose import propose
from gnnmat.workflows.screening.spread import predicted_spread, weighed
from gnnmat.workflows.screening.table import rows_of

MEAN = np.array([10.0, 12.0, 11.0, 3.0, 8.0])
HALF = np.array([1.0, 0.1, 4.0, 9.0, 0.2])


def rock_salt(first: int, second: int, a: float) -> tuple[np.ndarray, list[int], list[float]]:
    half = a / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return half, [first, second], [0, 0, 0, 0.5, 0.5, 0.5]


@pytest.fixture
def table() -> pd.DataFrame:
    pairs = [(11, 17, 5.64), (12, 8, 4.21), (12, 8, 4.23), (19, 35, 6.6), (3, 9, 4.03)]
    crystals = [as_crystal(*rock_salt(*one)) for one in pairs]
    found = rows_of(list("abcde"), crystals)
    return found.assign(K_vrh=MEAN, K_vrh_low=MEAN - HALF, K_vrh_high=MEAN + HALF)


def test_expected_improvement_is_over_the_best_prediction(table: pd.DataFrame) -> None:
    found = propose(table, "K_vrh", 2, diversity=0)
    wanted = expected_improvement(MEAN, HALF / 1.6448536269514722, 12.0)  # norm.ppf(0.95)
    assert list(found["id"]) == [table["id"][row] for row in np.argsort(-wanted)[:2]]
    assert found["acquisition"].to_numpy() == pytest.approx(np.sort(wanted)[::-1][:2])
    assert list(found.columns) == ["id", "acquisition", "why"]


@pytest.mark.parametrize(
    ("method", "maximise", "first"),
    [
        ("greedy", True, "b"),
        ("greedy", False, "d"),
        ("uncertainty", True, "d"),
        ("upper_confidence_bound", True, "c"),  # 11 + 2 * 4 / 1.645 = 15.9
        ("upper_confidence_bound", False, "d"),
        ("expected_improvement", False, "d"),
    ],
)
def test_first_choice_by_hand(table: pd.DataFrame, method: str, maximise: bool, first: str) -> None:
    assert propose(table, "K_vrh", 1, method, maximise=maximise)["id"][0] == first


def test_two_cells_of_magnesia_are_not_proposed_together(table: pd.DataFrame) -> None:
    # One pair of ten is alike, so a share of 0.1 of the pairs is just beyond it.
    assert list(propose(table, "K_vrh", 2, "greedy", diversity=0)["id"]) == ["b", "c"]
    found = propose(table, "K_vrh", 2, "greedy", diversity=0.2)
    assert list(found["id"]) == ["b", "a"]
    assert "1 ranked higher are too like a choice" in found["why"][1]


def test_known_candidates_are_never_proposed(table: pd.DataFrame) -> None:
    known = table["id"].isin(["b", "c"])
    assert not set(propose(table, "K_vrh", 3, "greedy", known=known)["id"]) & {"b", "c"}


def test_given_best_moves_the_choice(table: pd.DataFrame) -> None:
    assert propose(table, "K_vrh", 1, best=0.0)["id"][0] == "b"  # 12 above 0, and sure
    # z is (3 - 20) / (9 / 1.645) = -3.1 for d, (11 - 20) / (4 / 1.645) = -3.7 for c.
    assert propose(table, "K_vrh", 1, best=20.0)["id"][0] == "d"


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_proposals_and_table_is_not_changed(
    table: pd.DataFrame, method: str
) -> None:
    before = table.copy(deep=True)
    one, other = (propose(table, "K_vrh", 3, method, 7) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(table, before)
    assert one["id"].is_unique
    assert one["why"].str.len().min() > 5


def test_random_draws_all_with_equal_chance(table: pd.DataFrame) -> None:
    first = [propose(table, "K_vrh", 1, "random", seed)["id"][0] for seed in range(200)]
    shares = pd.Series(first).value_counts(normalize=True)
    assert len(shares) == 5
    assert shares.min() > 0.1  # 0.2 less 3.5 standard errors


def test_missing_predictions_are_counted_and_left_out(table: pd.DataFrame) -> None:
    gaps = table.assign(K_vrh_low=np.where(table["id"] == "d", np.nan, table["K_vrh_low"]))
    with pytest.warns(GnnmatWarning, match="1 candidates without 'K_vrh' or its spread"):
        found = propose(gaps, "K_vrh", 2, "uncertainty")
    assert "d" not in set(found["id"])


def test_too_few_candidates_are_all_proposed(table: pd.DataFrame) -> None:
    with pytest.warns(GnnmatWarning, match="9 candidates were asked for, but 5 are left"):
        assert len(propose(table, "K_vrh", 9)) == 5


def test_greedy_needs_no_spread(table: pd.DataFrame) -> None:
    bare = table.drop(columns=["K_vrh_low", "K_vrh_high"])
    assert propose(bare, "K_vrh", 1, "greedy")["id"][0] == "b"
    with pytest.raises(GnnmatError, match=r"Nothing says how sure 'K_vrh' is(.|\n)*gnnmat trust"):
        propose(bare, "K_vrh", 1)


def test_wrong_questions_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(GnnmatError, match="no column 'K_vhr'(.|\n)*Did you mean 'K_vrh'"):
        propose(table, "K_vhr", 1)
    with pytest.raises(GnnmatError, match="0 candidates were asked for"):
        propose(table, "K_vrh", 0)
    with pytest.raises(GnnmatError, match="No candidate is left to propose of 5"):
        propose(table, "K_vrh", 1, known=[True] * 5)
    with pytest.raises(GnnmatError, match=r"known: expected \(5,\), got \(3,\)"):
        propose(table, "K_vrh", 1, known=[True] * 3)
    with pytest.raises(GnnmatError, match=r"features: expected \(5, f\), got \(4, 2\)"):
        propose(table, "K_vrh", 2, features=np.zeros((4, 2)))
    with pytest.raises(GnnmatError, match="holds something that is no number"):
        propose(table, "formula", 1)


def test_spread_is_that_of_interval_or_members(table: pd.DataFrame) -> None:
    both = table.assign(K_vrh_members=[[one - 1, one + 1] for one in MEAN])
    assert predicted_spread(both, "K_vrh") == pytest.approx(HALF / 1.6448536)
    assert list(predicted_spread(both, "K_vrh", "members")) == [1.0] * 5
    lone = table.assign(K_vrh_members=[[one] for one in MEAN])
    assert np.isnan(predicted_spread(lone, "K_vrh", "members")).all()


def test_weighed_objectives_keep_the_correlation_of_their_members(table: pd.DataFrame) -> None:
    draw = np.random.default_rng(0).normal(size=(5, 6))
    given = table.assign(
        K_vrh_members=list(MEAN[:, None] + draw),
        G=2 * MEAN,
        G_members=list(2 * MEAN[:, None] + 2 * draw),
    )
    # G is twice K member by member: in standard deviations the two are one, and cancel.
    same = weighed(given, {"K_vrh": 1.0, "G": -1.0})
    assert same["score"].to_numpy() == pytest.approx(0)
    assert predicted_spread(same, "score") == pytest.approx(0)
    twice = weighed(given, {"K_vrh": 1.0, "G": 1.0})
    assert predicted_spread(twice, "score") == pytest.approx(2 * draw.std(axis=1) / MEAN.std())


def test_weighed_intervals_add_up_as_if_independent(table: pd.DataFrame) -> None:
    given = table.assign(G=MEAN, G_low=MEAN - HALF, G_high=MEAN + HALF)
    found = weighed(given, {"K_vrh": 3.0, "G": 4.0}, "both")  # 3, 4, 5
    wanted = 5 * HALF / 1.6448536 / MEAN.std()
    assert predicted_spread(found, "both") == pytest.approx(wanted)
    with pytest.raises(GnnmatError, match="the same for all candidates"):
        weighed(table.assign(K_vrh=1.0), {"K_vrh": 1.0})


def test_features_are_those_of_any_cell(table: pd.DataFrame) -> None:
    lattice, numbers, frac = rock_salt(11, 17, 5.64)
    wide = np.array(lattice)
    wide[0] *= 2
    double = np.concatenate([np.reshape(frac, (2, 3)) * [0.5, 1, 1]] * 2)
    double[2:, 0] += 0.5
    large = candidate_features(rows_of(["x"], [as_crystal(wide, numbers * 2, double)]))
    small = candidate_features(table.iloc[:1])
    assert large[0, :-1] == pytest.approx(small[0, :-1])
    assert (large[0, -1], small[0, -1]) == (4, 2)
    # NaCl: 5.64^3 / 8 Å^3 an atom, (22.98977 + 35.45) / 2 u of IUPAC.
    assert np.exp(small[0, -4]) == pytest.approx(5.64**3 / 8)
    assert small[0, -2] == pytest.approx((22.98977 + 35.45) / 2 / (5.64**3 / 8), rel=1e-4)
