"""A page of plain tables: no script, no request leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gnnmat.pages.document import document
from gnnmat.pages.markup import table, tag


@dataclass(frozen=True)
class Listing:
    """One table under a heading; ``numeric`` columns stand flush right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    numeric: Sequence[int] = ()


def listing_page(title: str, lead: str, listings: Sequence[Listing]) -> str:
    """The whole page as HTML text, everything escaped."""
    body = tag(
        "main",
        tag("header", tag("h1", title), tag("p", lead, class_="muted")),
        *(
            tag("section", tag("h2", one.title), table(one.head, one.rows, one.numeric))
            for one in listings
        ),
    )
    return document(title, body)
