"""Tables on a narrow terminal: whole columns go, numbers are never cut."""

from __future__ import annotations

import importlib
import io
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

columns = importlib.import_module("gnnmat.cli.columns")
predict = importlib.import_module("gnnmat.cli.predict")
sensitivity = importlib.import_module("gnnmat.cli.sensitivity")

TABLE = pd.DataFrame(
    {
        "id": ["mp-1234567", "candidate-17"],
        "formula": ["Ba2YCu3O7", "Ca3Al2Si3O12"],
        "target": "formation_energy",
        "prediction": [-1.2345678, 9.5412345e-5],
        "interval_low": [-1.3456789, -0.1234567],
        "interval_high": [-1.1234567, 0.12345678],
        "disagreement": [0.012345678, 9.5412345e-5],
        "unit": "eV/atom",
        "in_domain": [True, False],
        "trust_score": [0.7654321, 0.0],
        "verdict": "in domain",
        "score_disagreement": 0.5,
        "refused": "",
    }
)


def lines(show: Any, table: pd.DataFrame, width: int) -> list[str]:
    file = io.StringIO()
    show(Console(file=file, width=width, highlight=False), table)
    return file.getvalue().splitlines()


def test_predictions_with_intervals_fit_into_80_columns() -> None:
    said = lines(predict._print, TABLE, 80)
    assert max(map(len, said)) <= 80
    head, first, second = said[:3]
    for name in ("id", "prediction", "low", "high", "in domain"):
        assert name in head
    assert "…" not in "".join(said)
    assert {"-1.235", "-1.346", "-1.123", "yes"} <= set(first.split())
    assert {"9.541e-05", "-0.1235", "0.1235", "no"} <= set(second.split())
    assert said[-1].startswith("Not shown here: disagreement")
    assert not any("trust" in line for line in said)


def test_on_a_wide_terminal_nothing_is_left_out() -> None:
    said = lines(predict._print, TABLE, 200)
    assert "disagreement" in said[0]
    assert "Ba2YCu3O7" in said[1]
    assert len(said) == 3


def test_long_names_are_folded_and_numbers_are_not() -> None:
    said = lines(predict._print, TABLE.assign(id=["x" * 70, "y" * 70]), 80)
    assert max(map(len, said)) <= 80
    assert "9.541e-05" in " ".join(said)


def test_sensitivity_fits_into_80_columns() -> None:
    number = 9.5412345e-5
    row = {"kind": "rattle", "amount": 0.05, "crystals": 3, "mean_change": number}
    row |= {"largest": -number, "bias": -number, "of_error": 12.3456, "of_half_width": number}
    row |= {"beyond": 0.123, "in_domain": 1.0, "unit": "eV/atom"}
    for targets in (["formation_energy"], ["formation_energy", "band_gap"]):
        said = lines(sensitivity._print, pd.DataFrame([{**row, "target": t} for t in targets]), 80)
        assert max(map(len, said[1:])) <= 80
        assert "…" not in "".join(said)
        head = said[2]
        assert "outside" in head
        assert "in domain" in head
        assert {"9.54e-05", "12%", "100%", "0.05"} <= set(said[3].split())
    assert "formation_energy" in said[3]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.23456, "1.235"), (-12345.678, "-12346"), (9.54e-5, "9.54e-05"), (1.5e9, "1.5e+09")],
)
def test_numbers_have_four_digits_or_all_before_the_point(value: float, shown: str) -> None:
    assert columns.number(value) == shown
