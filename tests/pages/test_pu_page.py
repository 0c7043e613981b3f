"""The page of a PU run: what it says, and that nothing hostile becomes markup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gnnmat.pages.pu import pu_page
from gnnmat.pages.pu_figures import column_figure, histograms
from gnnmat.workflows.pu.folder import families

HOSTILE = "</script><script>alert(1)</script>"


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def model(name: str) -> dict[str, Any]:
    shares = (0.1, 0.221, 0.3)
    return {
        "name": name,
        "positives": 40,
        "unlabelled": 60,
        "ranking": estimate(0.9),
        "recall_at": [{"share": share, **estimate(share + 0.5)} for share in shares],
        "curve": {"flagged": [0, 1], "recall": [0, 1], "threshold": [1, 0]},
    }


def summary(*names: str) -> dict[str, Any]:
    return {
        "method": "folds",
        "fits": 6,
        "positives": 40,
        "unlabelled": 60,
        "judged_positives": 38,
        "judged_unlabelled": 57,
        "threshold": 0.5,
        "recall": estimate(0.873),
        "flagged": estimate(0.2),
        "prior_at_most": estimate(0.15),
        "precision": [{"prior": 0.1, "precision": 0.4}],
        "models": [model(name) for name in names],
        "twins": 2,
    }


def scores(count: int = 100, hostile: str = "") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"mp-{number}{hostile}" for number in range(count)],
            "formula": [f"NaCl{hostile}"] * count,
            "label": ["1"] * 40 + ["0"] * (count - 40),
            "score": np.linspace(0, 1, count),
            "standard_error": [0.02] * count,
            "fits": [2] * count,
            "spy": [False] * count,
            "hull": np.linspace(1, 0, count),
            "prototype": [f"AB_225_a_b{hostile}"] * count,
        }
    )


def page(title: str, table: pd.DataFrame, found: dict[str, Any], recipe: str) -> str:
    return pu_page(title, table, families(table), found, recipe)


def test_page_says_what_was_found_and_that_a_score_is_no_probability() -> None:
    text = page("made", scores(), summary("this model", "composition alone"), "name: made")
    for words in (
        "87.3%",
        "no probability",
        "twins.csv",
        "composition alone",
        "AB_225_a_b",
        "5 of 100 rows",
    ):
        assert words in text
    assert text.count("data-figure=") == 3


def test_columns_that_were_compared_get_a_figure() -> None:
    text = page("made", scores(), summary("this model", "hull alone"), "name: made")
    assert 'data-figure="column-hull"' in text


def test_nothing_hostile_becomes_markup() -> None:
    names = ("this model", f"{HOSTILE} alone")
    table = scores(hostile=HOSTILE).rename(columns={"hull": HOSTILE})
    text = page(HOSTILE, table, summary(*names), f"name: {HOSTILE}")
    assert "<script>alert" not in text


def test_histogram_counts_each_row_once() -> None:
    made = histograms(scores())
    unlabelled, positive = made["data"]
    assert (sum(unlabelled["customdata"]), sum(positive["customdata"])) == (60, 40)
    assert abs(sum(positive["y"]) - 1) < 1e-9


def test_a_column_without_numbers_gets_no_figure() -> None:
    assert column_figure(scores().assign(hull=np.nan), "hull") is None


def test_families_count_positives_and_score_the_others() -> None:
    table = scores().assign(prototype=["a"] * 50 + ["b"] * 50)
    found = families(table).set_index("prototype")
    assert found.loc["a", ["positives", "unlabelled"]].tolist() == [40, 10]
    assert found.loc["b", "mean_score"] == table["score"][50:].mean()
    assert found.loc["b", "best"] == "mp-99"
    assert not len(families(table[table["label"] == "1"]))
