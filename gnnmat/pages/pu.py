"""``report.html`` of a PU run: what was found, what it is worth, and what nobody can know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import (
    ABSENT,
    Markup,
    join,
    number,
    plural,
    table,
    tag,
)
from gnnmat.pages.pu_figures import (
    column_figure,
    flagged_figure,
    histograms,
    precision_figure,
)
from gnnmat.pages.pu_tables import (
    LISTED,
    best_table,
    elements_section,
    families_table,
    families_words,
)
from gnnmat.pages.sections import config_section, plot, section
from gnnmat.pages.shell import shell

SHOWN_SHARES = (0.1, 0.221, 0.3)


def pu_page(
    title: str,
    scores: pd.DataFrame,
    families: pd.DataFrame,
    summary: Mapping[str, Any],
    config_yaml: str,
) -> str:
    """The whole page as HTML text.

    Args:
        title: name of the run.
        scores: a row a crystal, as in ``scores.csv``.
        families: a row a prototype, as in ``families.csv``.
        summary: as in ``pu.json``.
        config_yaml: the recipe.
    """
    figures: dict[str, Figure] = {
        "scores": histograms(scores),
        "flagged": flagged_figure(
            [one for one in summary["models"] if ", the same rows as" not in one["name"]]
        ),
        "precision": precision_figure(summary),
    }
    sections = [
        section(
            "Scores",
            tag(
                "div",
                plot("scores", "distribution of the scores"),
                plot("flagged", "positives found against unlabelled rows flagged"),
                class_="pair",
            ),
            lead=_scores_words(summary),
        ),
        section("What it is compared with", _models(summary), lead=_models_words(summary)),
        section(
            "If positives are rare among the unlabelled",
            plot("precision", "precision over the prior", "wide"),
            lead=_prior_words(summary),
        ),
        _columns(scores, summary, figures),
        elements_section(scores),
        section("Families", families_table(families), lead=families_words()),
        section(
            "Unlabelled crystals with the highest scores",
            best_table(scores),
            lead=f"The first {LISTED}; all of them are in scores.csv.",
        ),
        config_section(config_yaml),
    ]
    header = tag(
        "header",
        tag("h1", title),
        tag("p", _subtitle(summary), class_="muted"),
        tag("dl", _facts(summary), class_="facts"),
    )
    counts = {key: summary[key] for key in ("positives", "unlabelled", "fits", "method")}
    # One panel: the script draws what panels hold.
    inside = tag("div", *sections, class_="panel")
    return shell(title, header, inside, figures, counts)


def _subtitle(summary: Mapping[str, Any]) -> str:
    how = {
        "folds": "every row scored by fits that have learned from other folds",
        "bags": "every unlabelled row scored by the bags that did not draw it",
        "heads": "small heads on a frozen encoder, rows scored by the bags that did not draw them",
    }[summary["method"]]
    return (
        f"{plural(summary['positives'], 'positive')}, {summary['unlabelled']:,} unlabelled; "
        f"{plural(summary['fits'], 'fit')}, {how}"
    )


def _between(one: Mapping[str, Any], scale: float = 100) -> str:
    if one["low"] != one["low"] or one["low"] is None:
        return ""
    return f"{number(scale * one['low'])} to {number(scale * one['high'])}"


def _facts(summary: Mapping[str, Any]) -> Markup:
    model, threshold = summary["models"][0], summary["threshold"]
    facts = [
        (f"positives found above {threshold:g}", summary["recall"], "%"),
        (f"unlabelled flagged above {threshold:g}", summary["flagged"], "%"),
        ("a positive ranks above an unlabelled row", model["ranking"], "%"),
        ("positives among the unlabelled, at most", summary["prior_at_most"], "%"),
    ]
    return join(
        tag(
            "div",
            tag("dt", name),
            tag("dd", f"{number(100 * one['value'])}{unit} ", tag("small", _between(one))),
        )
        for name, one, unit in facts
    )


def _scores_words(summary: Mapping[str, Any]) -> str:
    left = summary.get("twins", 0)
    scored = summary["judged_positives"] + summary["judged_unlabelled"]
    every = summary["positives"] + summary["unlabelled"]
    words = (
        "A score says how much a crystal looks like the positives to fits that have not seen it. "
        "It ranks; it is no probability of being positive, because no crystal is known to be "
        "negative."
    )
    if scored < every:
        words += (
            f" {every - scored:,} of {every:,} rows have no score: they chose the epochs, or every "
            "fit has learned from their group."
        )
    if left:
        words += (
            f" {plural(left, 'unlabelled crystal')} with the structure of a positive one "
            "were left out (twins.csv)."
        )
    return words


def _models_words(summary: Mapping[str, Any]) -> str:
    trees = (
        "The trees, which are half of the model, see elements, packing and the kind of structure, "
        "and no bonds: how well they do alone says how much is due to families of crystals. "
    )
    named = any(one["name"] == "trees alone" for one in summary["models"])
    return (trees if named else "") + (
        "Positives found where that share of the unlabelled rows is flagged, with 95% intervals "
        "from groups drawn anew. Rankings count rows that a model can score; where a column is "
        "empty the model is shown on the same rows beside it. Spies are positives that were "
        "hidden among the unlabelled rows. All of this takes labelled positives to be like those "
        "that nobody labelled; what was made first, or often, may be another kind."
    )


def _models(summary: Mapping[str, Any]) -> Markup:
    head = ["", "positives", "unlabelled", "ranking / %"]
    head += [f"found at {100 * share:g}%" for share in SHOWN_SHARES]
    lines = []
    for one in summary["models"]:
        at = {round(row["share"], 4): row for row in one["recall_at"]}
        cells: list[object] = [one["name"], f"{one['positives']:,}", f"{one['unlabelled']:,}"]
        cells += [_cell(one["ranking"])]
        cells += [_cell(at[share]) if share in at else ABSENT for share in SHOWN_SHARES]
        lines.append(cells)
    return table(head, lines, numeric=range(1, len(head)), class_="metrics")


def _cell(one: Mapping[str, Any]) -> Markup:
    value = tag("span", number(100 * one["value"]), class_="score")
    return join([value, tag("small", _between(one))])


def _prior_words(summary: Mapping[str, Any]) -> str:
    bound = summary["prior_at_most"]
    return (
        "How many of the flagged crystals are positive depends on how many of all unlabelled ones "
        "are, which no data of this kind can tell. If the labelled positives are like the hidden "
        f"ones, the scores allow {number(100 * bound['value'])}% at most ({_between(bound)}); the "
        "share may be far smaller."
    )


def _columns(
    scores: pd.DataFrame, summary: Mapping[str, Any], figures: dict[str, Figure]
) -> Markup:
    plots = []
    names = [one["name"].removesuffix(" alone") for one in summary["models"]]
    for name in names:
        if name in scores.columns and name not in ("composition",):
            made = column_figure(scores, name)
            if made is not None:
                figures[f"column-{name}"] = made
                plots.append(plot(f"column-{name}", f"score over {name}", "wide"))
    return section("Scores over other columns", *plots)
