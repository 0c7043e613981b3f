"""What the commands print: a table of scores, a line to try next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def consoles() -> tuple[Console, Console]:
    """Standard output for results, standard error for progress."""
    from rich.console import Console

    return Console(highlight=False), Console(stderr=True, highlight=False)


def print_scores(
    console: Console,
    metrics: Iterable[Mapping[str, Any]],
    baselines: Iterable[Mapping[str, Any]] = (),
    *,
    title: str = "",
) -> None:
    """Scores with 95% intervals, the baselines' values in columns beside them."""
    from rich.table import Table

    rows = list(metrics)
    if not rows:
        console.print("No labelled row was left to judge the model by.")
        return
    others: dict[str, dict[tuple[str, str, str], Any]] = {}
    for row in baselines:
        key = (row["target"], row.get("split", ""), row["metric"])
        others.setdefault(row["baseline"], {})[key] = row["value"]
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in ("target", "rows", "score"):
        table.add_column(name)
    table.add_column("model", justify="right", style="bold")
    table.add_column("95% interval", justify="right")
    for name in others:
        table.add_column(name, justify="right", style="dim")
    table.add_column("unit")
    for row in rows:
        key = (row["target"], row.get("split", ""), row["metric"])
        interval = "" if row["low"] is None else f"{row['low']:.4g} .. {row['high']:.4g}"
        table.add_row(
            str(row["target"]),
            f"{row.get('split', '')} ({row['n']:,})".strip(),
            str(row["metric"]),
            _number(row["value"]),
            interval,
            *(_number(values.get(key)) for values in others.values()),
            str(row["unit"]),
        )
    console.print(table)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"


def print_refused(console: Console, read: int, refused: int, where: object) -> None:
    """``9,988 read, 12 refused``, and where the reasons stand."""
    line = f"{read:,} read, {refused:,} refused"
    console.print(line + (f" (reasons in {where})" if refused else ""))
