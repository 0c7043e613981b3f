"""The table of shipped cards in ``docs/datasets.md``, made from the cards themselves.

``python -m gnnmat.sources.card_table docs/datasets.md`` writes it anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gnnmat.errors import GnnmatError
from gnnmat.sources.card import Card, load_card, shipped_cards
from gnnmat.sources.card_schema import KFold

BEGIN, END = "<!-- cards: begin -->", "<!-- cards: end -->"


def cards_table() -> str:
    """The shipped cards as a Markdown table."""
    lines = [
        "| name | what | rows | target | split | licence | checksum |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in shipped_cards():
        card = load_card(name)
        cells = (
            f"`{name}`",
            card.title,
            f"{card.rows:,}" if card.rows else "",
            _target(card),
            _split(card),
            card.licence,
            _checksum(card),
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with the table between its two marks written anew.

    Raises:
        GnnmatError: the marks are missing.
    """
    if BEGIN not in page or END not in page:
        raise GnnmatError(f"The page has no place for the table: {BEGIN} ... {END}.")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{cards_table()}\n\n{END}{after}"


def _target(card: Card) -> str:
    column = card.columns[card.target]
    unit = " / ".join(column.classes) or column.unit
    return f"`{card.target}`" + (f", {unit}" if unit else "")


def _split(card: Card) -> str:
    if isinstance(card.split, KFold):
        return f"{card.split.n_splits} {'stratified ' if card.split.stratified else ''}folds"
    return f"column `{card.split.column}`" if card.split else ""


def _checksum(card: Card) -> str:
    if not card.files:
        return "no file"
    if card.files[0].path:
        return "comes with gnnmat"
    return "in the card" if card.files[0].sha256 else "unverified"


def main(page: str) -> None:
    """Write the table of a page anew."""
    path = Path(page)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    main(sys.argv[1])
