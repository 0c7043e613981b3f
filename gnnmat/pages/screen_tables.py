"""The tables of a screen's page: the shortlist, and what each stage let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.pages.markup import ABSENT, Markup, formula_markup, join, number, table, tag
from gnnmat.pages.screen_data import IN_DOMAIN, LEARNED, OUT_OF_FOLD, Quantity, columns_of, numeric

REASONS = 4  # shown of a stage before the rest is folded away


def shortlist_table(
    candidates: pd.DataFrame,
    places: Sequence[int],
    marks: NDArray[np.uint8],
    quantities: Sequence[Quantity],
) -> Markup:
    """A row a candidate, with its row in the table of all in ``data-row``.

    Headings are buttons; ``data-key`` says what they sort by: ``rank``, ``id``, ``formula``,
    ``trust``, or the place of a number.
    """
    keys = ["rank", "formula", "id", *(str(i) for i in range(len(quantities)))]
    names = ["rank", "formula", "id", *(one.name for one in quantities)]
    if has_trust := bool(columns_of(candidates, "in_domain") or columns_of(candidates, "learned")):
        keys, names = [*keys, "trust"], [*names, "model"]
    head = join(
        tag(
            "th",
            tag("button", name, type="button", data_key=key),
            scope="col",
            aria_sort="ascending" if key == "rank" else "none",
            class_="number" if key.isdigit() or key == "rank" else None,
        )
        for key, name in zip(keys, names, strict=True)
    )
    chosen = candidates.iloc[list(places)]
    cells = [_quantity_cells(chosen, one) for one in quantities]
    lines = []
    for order, (row, name, formula) in enumerate(
        zip(places, chosen["id"], chosen["formula"], strict=True)
    ):
        line = [
            tag("td", order + 1, class_="number"),
            tag("td", tag("button", formula_markup(formula), type="button", class_="pick")),
            tag("td", name, class_="id"),
            *(tag("td", column[order], class_="number") for column in cells),
        ]
        if has_trust:
            line.append(tag("td", badges(int(marks[row]), columns_of(candidates, "in_domain"))))
        lines.append(tag("tr", *line, data_row=row))
    inner = tag("table", tag("thead", tag("tr", head)), tag("tbody", join(lines)), id="listed-rows")
    return tag("div", inner, class_="scroll")


def _quantity_cells(chosen: pd.DataFrame, one: Quantity) -> list[Markup]:
    """A number with its interval below, a row each."""
    values = [number(value) for value in numeric(chosen[one.column])]
    ends = [f"{one.column}_low", f"{one.column}_high"]
    if not all(name in chosen for name in ends):
        return [join([value]) for value in values]
    low, high = (numeric(chosen[name]) for name in ends)
    return [
        join([value, tag("small", f"{number(a)} to {number(b)}") if a == a and b == b else ""])
        for value, a, b in zip(values, low, high, strict=True)
    ]


def badges(mark: int, domains: Sequence[str]) -> Markup:
    """What a model knew of a candidate, in words."""
    found = []
    if mark & LEARNED:
        found.append(tag("span", "learned", class_="badge learned"))
    elif mark & OUT_OF_FOLD:
        found.append(tag("span", "out of fold", class_="badge held"))
    if domains and not mark & IN_DOMAIN:
        found.append(tag("span", "outside the domain", class_="badge outside"))
    return join(found, " ")


def funnel_table(funnel: Sequence[Mapping[str, Any]]) -> Markup:
    """A row a stage: candidates in and out, a bar, reasons with counts, time."""
    largest = max((int(stage["into"]) for stage in funnel), default=0)
    lines = [
        [
            tag("span", stage["stage"]),
            f"{int(stage['into']):,}",
            f"{int(stage['out']):,}",
            _bar(int(stage["into"]), int(stage["out"]), largest),
            _reasons(stage),
            duration(stage.get("seconds")),
        ]
        for stage in funnel
    ]
    head = ("stage", "in", "out", "", "dropped", "time")
    return table(head, lines, numeric=(1, 2, 5), class_="funnel wordy")


def _bar(into: int, out: int, largest: int) -> Markup:
    """What came in, and in it what went out, on the scale of the first stage."""
    share = [100 * count / largest if largest else 0.0 for count in (into, out)]
    inner = tag("span", class_="through", style=f"width: {share[1]:.2f}%")
    outer = tag("span", class_="into", style=f"width: {share[0]:.2f}%")
    return tag("span", outer, inner, class_="passed", aria_hidden="true")


def _reasons(stage: Mapping[str, Any]) -> Markup:
    """Reasons with the largest first; those dropped without any are counted as well."""
    dropped = dict(stage.get("dropped") or {})
    silent = int(stage["into"]) - int(stage["out"]) - sum(dropped.values())
    if silent > 0:
        dropped["no reason given"] = silent
    ordered = sorted(dropped.items(), key=lambda one: -one[1])
    items = [tag("li", tag("b", f"{count:,}"), " ", reason) for reason, count in ordered]
    if not items:
        return tag("span", ABSENT, class_="muted")
    shown = tag("ul", *items[:REASONS], class_="reasons")
    rest = items[REASONS:]
    if not rest:
        return shown
    more = tag("summary", f"{len(rest)} more reasons" if len(rest) > 1 else "1 more reason")
    return join([shown, tag("details", more, tag("ul", *rest, class_="reasons"))])


def duration(seconds: object) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, or a dash."""
    text = number(seconds, 2)
    if text == ABSENT:
        return text
    value = float(seconds)  # type: ignore[arg-type]
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60} min"
