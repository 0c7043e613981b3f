"""The filters of a screen's page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from gnnmat.pages.markup import Markup, join, tag
from gnnmat.pages.screen_data import Quantity

KINDS = (("all", "all of"), ("any", "any of"), ("only", "only from"))
SHOWN = (("every", "everything"), ("front", "the front"), ("short", "the shortlist"))


def controls(quantities: Sequence[Quantity], facts: Mapping[str, Any]) -> Markup:
    """The form above the diagram; ``screen.js`` reads it by the ids.

    Args:
        quantities: numbers to filter by, in the order of the packed columns.
        facts: ``hasDomain`` and ``hasLearned``: whether there is anything to filter by.
    """
    trust = []
    if facts["hasDomain"]:
        trust.append(_check("in-domain", "inside the domain only"))
    if facts["hasLearned"]:
        trust.append(_check("not-learned", "without learned rows"))
    ranges = tag(
        "details",
        tag("summary", "Ranges of numbers", tag("span", id="ranges-used", class_="muted")),
        tag("div", *(_range(i, one) for i, one in enumerate(quantities)), class_="ranges"),
    )
    first = tag(
        "div",
        tag("label", "Elements ", _select("how", KINDS)),
        _input(id="elements", type="text", placeholder="B C N", aria_label="elements wanted"),
        tag("label", "without ", _input(id="without", type="text", placeholder="Pb Cd")),
        tag("label", "show ", _select("shown", SHOWN)),
        *trust,
        _check("log", "log scales"),
        class_="line",
    )
    second = tag(
        "div",
        tag("output", id="count", aria_live="polite"),
        tag("button", "Clear filters", id="clear", type="button"),
        tag("span", id="unknown", role="alert"),
        class_="line",
    )
    return tag(
        "form",
        first,
        second,
        ranges,
        id="filters",
        aria_label="filters",
        autocomplete="off",
    )


def _range(place: int, one: Quantity) -> Markup:
    ends = [
        _input(type="number", step="any", data_column=place, data_end=end, placeholder=words,
               aria_label=f"{one.name}, {words}")
        for end, words in (("low", "least"), ("high", "most"))
    ]  # fmt: skip
    return tag("div", tag("span", one.name), ends[0], " to ", ends[1])


def _check(name: str, words: str) -> Markup:
    return tag("label", _input(id=name, type="checkbox"), " ", words)


def _select(name: str, options: Sequence[tuple[str, str]]) -> Markup:
    return tag("select", *(tag("option", words, value=value) for value, words in options), id=name)


def _input(**attributes: object) -> Markup:
    """An input, which has no end tag."""
    written = join(
        Markup(f' {key.replace("_", "-")}="{html.escape(str(value), quote=True)}"')
        for key, value in attributes.items()
    )
    return Markup(f"<input{written}>")
