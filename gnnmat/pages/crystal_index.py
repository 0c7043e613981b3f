"""``index.html``: several explained crystals, each with a link to its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.pages.document import document
from gnnmat.pages.markup import Markup, escape, formula_markup, join, number, plural, table, tag
from gnnmat.pages.sections import section
from gnnmat.sources.records import Refusal


def write_index(
    path: Path,
    summary: pd.DataFrame,
    pages: Mapping[str, str],
    refused: Sequence[Refusal],
    *,
    model: str,
) -> Path:
    """The index on disk.

    Args:
        path: of the page.
        summary: a row a crystal: ``id``, ``formula``, ``target``, ``prediction``, ``explained``,
            ``value``, ``baseline``, ``atoms_error``, ``bonds_error``, ``unit``.
        pages: file beside the index by id; crystals without one are listed without a link.
        refused: what could not be explained.
        model: name of the run.
    """
    write_atomically(path, index_page(summary, pages, refused, model=model))
    return path


def index_page(
    summary: pd.DataFrame, pages: Mapping[str, str], refused: Sequence[Refusal], *, model: str
) -> str:
    """The whole page as HTML text; its links lead to files beside it."""
    title = f"{plural(len(summary), 'crystal')} explained by {model}"
    lines = [
        [
            _link(row.id, pages),
            formula_markup(row.formula),
            row.prediction if isinstance(row.prediction, str) else number(row.prediction, 4),
            number(row.value, 4),
            number(row.baseline, 4),
            number(row.atoms_error, 1),
            number(row.bonds_error, 1),
        ]
        for row in summary.itertuples()
    ]
    explained = summary["explained"].iloc[0]
    head = ("crystal", "formula", "prediction", explained, "baseline", "atoms", "bonds")
    lead = "Value minus baseline is the sum of the contributions of the atoms. The last two "
    lead += "columns are the errors of the sums over atoms and over bonds."
    if len(pages) < len(summary):
        lead += f" The first {len(pages)} have pages of their own, the tables hold all."
    body = tag(
        "main",
        tag("header", tag("h1", title)),
        section("Crystals", table(head, lines, numeric=range(2, 7)), lead=lead),
        _refusals(refused),
    )
    return document(title, body, style="\na { color: var(--accent); }")


def _link(name: str, pages: Mapping[str, str]) -> Markup:
    if name not in pages:
        return escape(name)
    return tag("a", name, href="./" + quote(pages[name]))


def _refusals(refused: Sequence[Refusal]) -> Markup:
    if not refused:
        return join([])
    rows = [(one.id, one.reason) for one in refused]
    return section("Not explained", table(("crystal", "reason"), rows, class_="wordy"))
