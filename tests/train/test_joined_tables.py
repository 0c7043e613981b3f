"""Crystals and measured patterns in one table, in the order in which they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.powder_pattern import powder_pattern
from gnnmat.train.joined_tables import predict_apart

PATTERN = powder_pattern("film", np.linspace(10, 80, 50), np.ones(50))


class Asked:
    """Stands for `Predictor.predict`: each item is its own id, what begins with 'bad' is none."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Any], dict[str, Any]]] = []

    def __call__(self, items: list[Any], ids: list[str] | None = None, **more: Any) -> pd.DataFrame:
        self.calls.append((items, more))
        good = [one for one in items if not str(one).startswith("bad")]
        if not good:
            raise GnnmatError("Not one structure could be used.")
        names = ids or [str(one).partition(".")[0] for one in good]
        domain = "in_distribution" if ".xy" in str(good[0]) else "in_domain"
        return pd.DataFrame({"id": names, domain: False, "refused": ""})


def test_each_kind_is_asked_alone_and_order_is_kept() -> None:
    asked = Asked()
    items = ["a.cif", "b.cif", "a.xy", 7, "c.xy"]
    table = predict_apart(asked, items, [False, False, True, False, True], wavelength="CuKa")
    assert table["id"].tolist() == ["a", "b", "a (2)", "structure-4", "c"]
    assert [one for one, _ in asked.calls] == [["a.cif", "b.cif"], ["a.xy"], [7], ["c.xy"]]
    said = [more.get("wavelength") for _, more in asked.calls]
    assert said == [None, "CuKa", None, "CuKa"]  # crystals are asked without
    assert "in_distribution" not in table
    assert table["in_domain"].tolist() == [False] * 5


def test_what_cannot_be_used_stands_in_its_place() -> None:
    items = ["a.cif", "bad.xy", "bad2.xy", "b.cif"]
    table = predict_apart(Asked(), items, [False, True, True, False])
    assert table["id"].tolist() == ["a", "bad", "bad2", "b"]
    refused = ["", *["Not one structure could be used."] * 2, ""]
    assert table["refused"].tolist() == refused
    with pytest.raises(GnnmatError, match="Not one structure"):
        predict_apart(Asked(), ["bad.cif", "bad.xy"], [False, True])


def test_names_are_handed_on() -> None:
    table = predict_apart(Asked(), ["a.cif", PATTERN], [False, True], ids=["x", "y"])
    assert table["id"].tolist() == ["x", "y"]
    with pytest.raises(GnnmatError, match="2 samples but 1 ids"):
        predict_apart(Asked(), ["a.cif", PATTERN], [False, True], ids=["x"])


def test_a_state_for_each_of_both_kinds_is_refused() -> None:
    items, measured = ["a.cif", "b.xy"], [False, True]
    predict_apart(Asked(), items, measured, state={"temperature": 300.0})
    with pytest.raises(GnnmatError, match="with a state for each"):
        predict_apart(Asked(), items, measured, state={"temperature": [300.0, 400.0]})
