"""Progress of a fit, counted in calculated images, with the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gnnmat.simulation.inference.contender import Effort
from gnnmat.simulation.inference.space import ImageSimulator
from gnnmat.simulation.layout import SliceLayout

# Images of a refinement, as a rule: steps times couplings. Only the time left depends on them.
STEPS_OF_A_START, STEPS_OF_A_ROUND = 5, 3


@dataclass(frozen=True)
class Counted:
    """A simulator that tells how many images it has calculated.

    Args:
        simulator: does the work.
        advance: called with the number of images.
    """

    simulator: ImageSimulator
    advance: Callable[[int], None]

    @property
    def layout(self) -> SliceLayout:
        """Tiles of the images."""
        return self.simulator.layout

    def stable(self, values: Tensor) -> Tensor:
        """(B,) bool for couplings (B, p)."""
        return self.simulator.stable(values)

    def images(self, values: Tensor) -> Tensor:
        """(B, R, C) for couplings (B, p)."""
        images = self.simulator.images(values)
        self.advance(len(values))
        return images


def expected_images(effort: Effort, searched: list[bool], couplings: list[int]) -> int:
    """About how many images a fit will calculate.

    Args:
        effort: how thorough.
        searched: of each hypothesis, whether the ranges are searched.
        couplings: of each hypothesis.
    """
    plan = effort.search
    total = 0
    for search, count in zip(searched, couplings, strict=True):
        starts = effort.keep if search else 1
        total += (plan.draws + plan.generations * plan.around) if search else 0
        total += (count + 1) * (starts * STEPS_OF_A_START + effort.rounds * STEPS_OF_A_ROUND) + 2
    return total


Advance = Callable[[int], None]
Tell = Callable[[str], None]


@contextmanager
def fit_progress(total: int, quiet: bool) -> Iterator[tuple[Advance, Tell]]:
    """Two functions: one counts images, one says what is being done.

    A bar with the time left on standard error if that is a terminal; else nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        Left(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("fitting", total=total)
        yield (
            lambda count: bar.advance(task, count),
            lambda words: bar.update(task, description=words),
        )
