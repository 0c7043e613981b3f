"""Run one function over many items: in this process, in several, or on Ray; in order.

A bad item becomes a `Failure` and never stops the rest. `iter_items` is the only place that knows
how the work is spread, so another way to spread it needs no change elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from typing import Any

from gnnmat.attempt import Failure, attempt, chunk_size
from gnnmat.engine_processes import Pool
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.progress import with_progress
from gnnmat.worker import available_cores

__all__ = [
    "ENGINES",
    "Failure",
    "available_cores",
    "engine_in_use",
    "iter_items",
    "run_items",
    "spread_by",
]

ENGINES = ("local", "ray")
VARIABLE = "GNNMAT_ENGINE"  # of the environment: for commands that have no option for it
IN_PROCESS_BELOW = 200  # items; starting worker processes costs more than so few items


@dataclass
class _Spread:
    engine: str = "local"
    workers: int | None = None
    until: ExitStack = field(default_factory=ExitStack)  # the end of `spread_by`
    held: bool = False

    def hold_cluster(self, cores: int) -> None:
        """Keep Ray from its first use to the end of `spread_by`."""
        from gnnmat.ray_cluster import cluster

        if not self.held:
            self.until.enter_context(cluster(cores))
            self.held = True


_spread: ContextVar[_Spread | None] = ContextVar("spread", default=None)


@contextmanager
def spread_by(engine: str, workers: int | None = None) -> Iterator[None]:
    """How everything called in here spreads its work, unless it says otherwise itself.

    On Ray also few items are spread. Ray is started when first needed, which takes several seconds,
    and ended with the block, unless it was running before or ``RAY_ADDRESS`` names a cluster.
    Threads begun in here do not inherit the choice.

    Args:
        engine: ``"local"`` (this process and others on this machine) or ``"ray"``.
        workers: items worked on at a time; None: one a core of this machine, or of the cluster.

    Raises:
        GnnmatError: no such engine.
    """
    with ExitStack() as until:
        token = _spread.set(_Spread(_known(engine), workers, until))
        try:
            yield
        finally:
            _spread.reset(token)


def engine_in_use() -> str:
    """The engine that `spread_by` has chosen here, else the variable ``GNNMAT_ENGINE``."""
    spread = _spread.get()
    return os.environ.get(VARIABLE, "local") if spread is None else spread.engine


def run_items(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    workers: int | None = None,
    label: str = "",
    quiet: bool = False,
    chunk: int | None = None,
    engine: str | None = None,
) -> list[Any | Failure]:
    """The results of `iter_items`, all at once."""
    return list(
        iter_items(
            function, items, workers=workers, label=label, quiet=quiet, chunk=chunk, engine=engine
        )
    )


def iter_items(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    workers: int | None = None,
    label: str = "",
    quiet: bool = False,
    chunk: int | None = None,
    engine: str | None = None,
) -> Iterator[Any | Failure]:
    """Result of ``function(item)`` for every item, in order, as they come.

    Worker processes are started fresh ("spawn"), so threads and libraries loaded by the caller do
    no harm, and they never run the caller's script, which therefore needs no ``__main__`` guard.
    A function or an item that can only be found in that script (or in a notebook, or is a lambda)
    is run in this process instead; so it is with Ray.

    Args:
        function: called with one item; for several processes it must be importable.
        items: anything with a length and whole-number positions; fetched as needed.
        workers: processes, or tasks of Ray; 1: this process, unless ``engine`` is given as well;
            None: as `spread_by` says, else one a core, or none for fewer than 200 items.
        label: what the progress bar is about; it is drawn on a terminal only.
        quiet: no progress bar.
        chunk: items sent to a process at a time.
        engine: ``"local"`` or ``"ray"``; None: as `spread_by` says, else local.

    Returns:
        An iterator of results; a `Failure` where the function raised or its process died.

    Raises:
        GnnmatError: no such engine, or it is not installed; worker processes die one after
            another, whatever the item.
    """
    spread = _spread.get() or _Spread(engine_in_use())
    if engine is None:
        engine = "local" if workers is not None and workers <= 1 else spread.engine
    if workers is None:
        workers = spread.workers
    results = _spread_out(_known(engine), function, items, workers, chunk)
    return with_progress(results, len(items), label, quiet)


def _spread_out(
    engine: str,
    function: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int | None,
    chunk: int | None,
) -> Iterator[Any | Failure]:
    count = len(items)
    if engine == "local" and workers is None:
        workers = 1 if count < IN_PROCESS_BELOW else available_cores()
    alone = engine == "local" and workers is not None and workers <= 1
    if alone or count < 2 or not _can_travel(function, items):
        return (attempt(function, index, items[index]) for index in range(count))
    if engine == "ray":
        from gnnmat.engine_ray import RayPool

        if spread := _spread.get():
            spread.hold_cluster(workers or available_cores())
        return RayPool(function, items, workers, chunk).results()
    cores = min(workers or 1, count)
    return Pool(function, items, cores, chunk or chunk_size(count, cores)).results()


def _known(engine: str) -> str:
    if engine not in ENGINES:
        raise GnnmatError(f"There is no engine '{engine}'.", fix=did_you_mean(engine, ENGINES))
    return engine


def _can_travel(function: Callable[[Any], Any], items: Sequence[Any]) -> bool:
    """Whether a fresh process can find the function and the items."""
    if multiprocessing.current_process().daemon:
        return False  # a daemonic process may not have children
    try:
        pickled = bytes(ForkingPickler.dumps((function, items[0])))
    except Exception:
        return False
    return b"__main__" not in pickled
