"""Pareto fronts against brute force, and the order within them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.fronts import crowding, pareto_fronts
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.pareto import Pareto

from .formulas import candidates

FEW = st.integers(1, 4).flatmap(
    lambda width: arrays(
        float, st.tuples(st.integers(0, 25), st.just(width)), elements=st.integers(0, 5).map(float)
    )
)
ANY = st.integers(1, 4).flatmap(
    lambda width: arrays(
        float, st.tuples(st.integers(0, 25), st.just(width)), elements=st.floats(-1e9, 1e9)
    )
)


def brute_force(values: np.ndarray) -> list[int]:
    """Peel off what no other row dominates, by the definition."""
    fronts = [0] * len(values)
    left, number = set(range(len(values))), 0
    while left:
        number += 1
        best = {
            row
            for row in left
            if not any(
                (values[one] >= values[row]).all() and (values[one] > values[row]).any()
                for one in left
            )
        }
        for row in best:
            fronts[row] = number
        left -= best
    return fronts


@settings(deadline=None, max_examples=100)
@given(st.one_of(FEW, ANY))
def test_fronts_are_those_of_brute_force(values: np.ndarray) -> None:
    assert list(pareto_fronts(values)) == brute_force(values)


def test_many_rows_agree_with_two_objectives_written_as_three() -> None:
    values = np.random.default_rng(0).normal(size=(3000, 2))
    tripled = np.column_stack([values, values[:, 0]])
    assert (pareto_fronts(values) == pareto_fronts(tripled)).all()


def test_crowding_by_hand() -> None:
    # Spans 4 and 4; the middle: (3 - 0) / 8 + (4 - 1) / 8, and (4 - 1) / 8 + (3 - 0) / 8.
    values = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert list(crowding(values)) == pytest.approx([np.inf, 0.75, 0.75, np.inf])
    assert list(crowding(np.ones((2, 2)))) == [np.inf, np.inf]


@pytest.fixture
def table() -> pd.DataFrame:
    columns = {
        "hardness": [30.0, 20.0, 10.0, 20.0, np.nan, 22.0],
        "price": [9.0, 5.0, 1.0, 6.0, 1.0, np.inf],
    }
    return candidates(*["C"] * 6, **columns)


def judged(table: pd.DataFrame, **options: Any) -> Judged:
    given_options = {"objectives": {"hardness": "max", "price": "min"}, **options}
    return Pareto(**given_options).open(Path())(table)


def test_fronts_with_directions_by_hand(table: pd.DataFrame) -> None:
    found = judged(table)
    assert list(found.columns["front"]) == [1, 1, 1, 2, 0, 0]
    assert found.order is not None
    # Ends first, by id, then what is between them.
    assert [table["id"][row] for row in found.order] == ["a", "c", "b", "d"]
    assert list(found.reasons) == ["", "", "", "", "hardness is not known", "price is not known"]


def test_fronts_and_places_are_limited(table: pd.DataFrame) -> None:
    first = judged(table, fronts=1)
    assert first.reasons[3] == "not in the first 1 Pareto fronts"
    assert list(first.order or ()) == [0, 2, 1]
    two = judged(table, keep=2)
    assert list(two.order or ()) == [0, 2]
    assert two.reasons[1] == "not among the first 2 by Pareto front"


def test_order_does_not_depend_on_the_order_of_rows(table: pd.DataFrame) -> None:
    turned = table.iloc[::-1].reset_index(drop=True)
    ids = [turned["id"][row] for row in judged(turned).order or ()]
    assert ids == ["a", "c", "b", "d"]


def test_the_worse_end_counts_where_caution_is_asked_for(table: pd.DataFrame) -> None:
    unsure = table.assign(hardness_low=[1.0, 20.0, 10.0, 20.0, 1.0, 1.0], price_high=table["price"])
    found = judged(unsure, cautious=True)
    # (1, 9) loses to all, (20, 6) to (20, 5), and (1, 1), whose value is unknown, to (10, 1).
    assert list(found.columns["front"]) == [3, 1, 1, 2, 2, 0]


def test_a_missing_column_is_named(table: pd.DataFrame) -> None:
    with pytest.raises(GnnmatError, match="Did you mean 'hardness'"):
        judged(table, objectives={"hardnes": "max"})
    assert list(Pareto(objectives={"x": "max", "y": "min"}).needs()) == ["x", "y"]


def test_nothing_known_leaves_nothing() -> None:
    found = judged(candidates("C", hardness=[np.nan], price=[1.0]))
    assert list(found.order or ()) == []
    assert list(found.columns["front"]) == [0]
