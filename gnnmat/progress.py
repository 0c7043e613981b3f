"""A progress bar around any stream of results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def with_progress(results: Iterator[Any], count: int, label: str, quiet: bool) -> Iterator[Any]:
    """The results, with a bar, a rate and the time left on standard error if it is a terminal."""
    if quiet or count == 0 or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )

    class Rate(ProgressColumn):
        def render(self, task: Task) -> str:
            return rate(task.speed) if task.speed else ""

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
    with bar:
        task = bar.add_task(label or "working", total=count)
        for result in results:
            bar.advance(task)
            yield result


def rate(speed: float) -> str:
    """``34/s``, ``2.5/s``, or ``12 s each`` where an item takes longer than a second.

    Args:
        speed: items a second, positive.
    """
    if speed >= 1:
        return f"{speed:,.0f}/s" if speed >= 9.95 else f"{speed:.1f}/s"
    seconds = 1 / speed
    return f"{seconds:,.0f} s each" if seconds >= 9.95 else f"{seconds:.1f} s each"
