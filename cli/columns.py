"""Tables as wide as the terminal: whole columns are left out, numbers are never cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2  # blanks between columns


def print_table(
    out: Console,
    heads: Mapping[str, str],
    rows: Sequence[Mapping[str, str]],
    *,
    numbers: Sequence[str],
    expendable: Sequence[str] = (),
    elsewhere: str = "",
) -> list[str]:
    """The columns of a table on the terminal, without those that it has no room for.

    Args:
        out: where to.
        heads: words above each column, in order.
        rows: cells by column.
        numbers: columns that stand to the right and are never broken.
        expendable: columns that may be left out, first the least important.
        elsewhere: where those are to be found, to say so.
    """
    from rich.table import Table
    from rich.text import Text

    kept, left = fitting(heads, rows, expendable, out.width)
    table = Table(box=None, pad_edge=False)
    for name in kept:
        right = name in numbers
        table.add_column(
            Text(heads[name]),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
            min_width=_width(name, heads, rows) if right else None,
        )
    for row in rows:
        table.add_row(*(Text(row[name]) for name in kept))
    out.print(table)
    if left:
        words = ", ".join(heads[name] for name in left)
        out.print(f"\nNot shown here: {words}{elsewhere}", markup=False)
    return kept


def fitting(
    heads: Mapping[str, str],
    rows: Sequence[Mapping[str, str]],
    expendable: Sequence[str],
    width: int,
) -> tuple[list[str], list[str]]:
    """The columns there is room for, and those to leave out.

    Args:
        heads: words above each column, in order.
        rows: cells by column.
        expendable: columns that may be left out, first the least important.
        width: characters on a line.
    """
    kept, left = list(heads), list[str]()
    for name in expendable:
        if sum(_width(one, heads, rows) + GAP for one in kept) - GAP <= width:
            break
        if name in kept:
            kept.remove(name)
            left.append(name)
    return kept, left


def _width(name: str, heads: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> int:
    from rich.cells import cell_len

    return max(cell_len(text) for text in (heads[name], *(row[name] for row in rows)))


def number(value: float, digits: int = 4) -> str:
    """So many significant digits; large numbers keep those before the point."""
    if 10**digits <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"
