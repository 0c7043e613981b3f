"""A page of plain tables: no script, no request leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from gnnmat.pages.markup import escape, table, tag

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"


@dataclass(frozen=True)
class Listing:
    """One table under a heading; ``numeric`` columns stand flush right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    numeric: Sequence[int] = ()


def listing_page(title: str, lead: str, listings: Sequence[Listing]) -> str:
    """The whole page as HTML text, everything escaped."""
    style = resources.files("gnnmat.pages").joinpath("report.css").read_text("utf-8")
    body = tag(
        "main",
        tag("header", tag("h1", title), tag("p", lead, class_="muted")),
        *(
            tag("section", tag("h2", one.title), table(one.head, one.rows, one.numeric))
            for one in listings
        ),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="generator" content="gnnmat">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}\n</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
