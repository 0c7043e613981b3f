"""Tables of a PU page: elements, families, and the unlabelled crystals with the highest scores."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gnnmat.pages.markup import Markup, formula_markup, number, shortened, table
from gnnmat.pages.periodic_table import elements_of, periodic_table
from gnnmat.pages.pu_figures import UNLABELLED
from gnnmat.pages.sections import section

LISTED = 30
LEAST_OF_AN_ELEMENT = 5


def elements_section(scores: pd.DataFrame) -> Markup:
    """Mean score of the unlabelled crystals of each element; nothing for too few."""
    unlabelled = scores[(scores["label"] == UNLABELLED) & scores["score"].notna()]
    rows = [
        (symbol, score)
        for formula, score in zip(unlabelled["formula"], unlabelled["score"], strict=True)
        for symbol in elements_of(str(formula))
    ]
    table_ = pd.DataFrame(rows, columns=["element", "score"]).groupby("element")["score"]
    found = table_.agg(["mean", "size"])
    found = found[found["size"] >= LEAST_OF_AN_ELEMENT]
    if not len(found):
        return Markup("")
    return section(
        "Mean score of the unlabelled crystals of each element",
        periodic_table(found["mean"].to_dict(), found["size"].to_dict(), "mean score"),
        lead=f"Elements in fewer than {LEAST_OF_AN_ELEMENT} unlabelled crystals are left out.",
    )


def families_words() -> str:
    """What the table of families shows."""
    return (
        "Crystals of one prototype (space group and Wyckoff positions), the families with most "
        "unlabelled crystals: how many are positive already, and what the others score. All are in "
        "families.csv."
    )


def families_table(families: pd.DataFrame) -> Markup:
    """The first rows of ``families.csv``."""
    lines = [
        (
            shortened(row["prototype"], 60),
            f"{row['positives']:,}",
            f"{row['unlabelled']:,}",
            number(row["mean_score"]),
            number(row["highest"]),
            row["best"],
        )
        for row in families.head(LISTED).to_dict("records")
    ]
    head = ("prototype", "positives", "unlabelled", "mean score", "highest", "which")
    return table(head, lines, numeric=(1, 2, 3, 4))


def best_table(scores: pd.DataFrame) -> Markup:
    """The unlabelled crystals with the highest scores."""
    rows = scores[scores["label"] == UNLABELLED].sort_values("score", ascending=False)
    lines: Sequence[Sequence[object]] = [
        (
            row["id"],
            formula_markup(row["formula"]),
            number(row["score"]),
            number(row["standard_error"]),
            f"{row['fits']}",
            shortened(row["prototype"], 60),
        )
        for row in rows.head(LISTED).to_dict("records")
    ]
    head = ("id", "formula", "score", "standard error", "fits", "prototype")
    return table(head, lines, numeric=(2, 3, 4))
