"""Hypotheses and their couplings as a reader of the terminal meets them."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from gnnmat.cli.answers import has_hypotheses, print_hypotheses  # noqa: TID251
from rich.console import Console

NAN = np.nan


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("a", "model", "weak", "", 0.9, NAN, 0.1, 0.9),
        ("a", "weak.J", 1.2344, "meV", NAN, 0.021, NAN, NAN),
        ("a", "strong.J", 9.0, "meV", NAN, 0.5, NAN, NAN),
        ("b", "model", "strong", "", 0.99999, NAN, 1.0, 0.0),
        ("b", "weak.J", 2.0, "meV", NAN, 0.1, NAN, NAN),
        ("b", "strong.J", -9.0, "meV", NAN, 12.0, NAN, NAN),
    ]
    names = ["id", "target", "prediction", "unit", "probability", "error"]
    return pd.DataFrame(rows, columns=[*names, "probability_strong", "probability_weak"])


def test_only_the_numbers_of_the_predicted_hypothesis_are_said(table: pd.DataFrame) -> None:
    out = io.StringIO()
    print_hypotheses(Console(file=out, width=200), table)
    assert out.getvalue().splitlines() == [
        "a: weak, probability 0.900",
        "  J 1.234 +- 0.021 meV",
        "b: strong, probability > 0.999",
        "  J -9 +- 12 meV",
    ]


def test_names_in_brackets_are_text(table: pd.DataFrame) -> None:
    out = io.StringIO()
    print_hypotheses(Console(file=out, width=200), table.replace({"a": "[red]x[/]"}))
    assert "[red]x[/]: weak" in out.getvalue()


def test_other_tables_are_told_apart(table: pd.DataFrame) -> None:
    assert has_hypotheses(table)
    assert not has_hypotheses(table[table["target"] == "model"])
    assert not has_hypotheses(table.replace({"weak.J": "band_gap"}))
    assert not has_hypotheses(table.drop(columns=["probability"]))
