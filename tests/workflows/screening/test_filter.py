"""Conditions on columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.stages.best import Best
from gnnmat.workflows.screening.stages.filter import OPERATORS, Filter, parse_condition

NOWHERE = Path()


def judged(stage: Filter | Best, table: pd.DataFrame) -> list[str]:
    return list(stage.open(NOWHERE)(table).reasons)


def test_every_condition_must_hold_and_the_first_missed_is_the_reason() -> None:
    table = pd.DataFrame({"id": list("abcd"), "x": [1.0, 5.0, 9.0, np.nan], "fine": [True] * 4})
    table.loc[1, "fine"] = False
    reasons = judged(Filter(keep=("fine", "x >= 5")), table)
    assert reasons == ["not x >= 5", "not fine", "", "x is not known"]


def test_not_drops_what_is_true() -> None:
    table = pd.DataFrame({"id": ["a", "b"], "in_domain": [True, False]})
    assert judged(Filter(keep="not in_domain"), table) == ["in_domain", ""]


def test_words_are_compared_as_words() -> None:
    table = pd.DataFrame({"id": ["a", "b", "c"], "crystal_system": ["cubic", "hexagonal", None]})
    reasons = judged(Filter(keep="crystal_system == cubic"), table)
    assert reasons == ["", "not crystal_system == cubic", "crystal_system is not known"]


@given(
    st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1, max_size=20),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(-3, 3),
)
def test_agrees_with_pandas(values: list[float], sign: str, limit: int) -> None:
    table = pd.DataFrame({"id": range(len(values)), "x": values})
    left = [not one for one in judged(Filter(keep=f"x {sign} {limit}"), table)]
    wanted = table.dropna().query(f"x {sign} {limit}").index
    assert list(np.flatnonzero(left)) == list(wanted)


@pytest.mark.parametrize("text", ["", ">= 3", "x >= many", "x ~ 3", "__import__('os')", "x; y"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Filter(keep=text)


def test_nothing_is_ever_run() -> None:
    assert parse_condition("x == __import__").value == "__import__"


def test_a_column_that_is_not_there_names_the_nearest() -> None:
    table = pd.DataFrame({"id": ["a"], "hardness": [1.0]})
    with pytest.raises(GnnmatError, match="hardnes") as caught:
        judged(Filter(keep="hardnes > 3"), table)
    assert "hardness" in caught.value.fix


def test_the_best_stay_in_order_and_ties_go_by_id() -> None:
    table = pd.DataFrame({"id": ["d", "a", "c", "b", "e"], "x": [2.0, 2.0, 9.0, np.nan, 1.0]})
    found = Best(by="x", keep=3).open(NOWHERE)(table)
    assert [table["id"][row] for row in found.order] == ["c", "a", "d"]
    reasons = ["", "", "", "x is not known", "not among the best 3 by x"]
    assert list(found.reasons) == reasons


def test_the_cautious_go_by_the_worse_end() -> None:
    table = pd.DataFrame({"id": ["a", "b"], "x": [9.0, 5.0], "x_low": [1.0, 4.0]})
    order = Best(by="x", cautious=True).open(NOWHERE)(table).order
    assert list(order) == [1, 0]


def test_the_smallest_first() -> None:
    table = pd.DataFrame({"id": ["a", "b"], "x": [9.0, 5.0]})
    assert list(Best(by="x", largest=False).open(NOWHERE)(table).order) == [1, 0]
