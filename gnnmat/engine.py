"""Run one function over many items, in this process or in several, in order.

A bad item becomes a `Failure` and never stops the rest. `iter_items` is the only place that knows
how the work is spread, so another way to spread it needs no change elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

from gnnmat.errors import GnnmatError
from gnnmat.progress import with_progress
from gnnmat.worker import hidden_main, new_executor

IN_PROCESS_BELOW = 200  # items; starting worker processes costs more than so few items
LONGEST_CHUNK = 64  # items a message; long enough to hide the message, short enough to lose
DEATHS_IN_A_ROW = 8  # then it is not the item: the machine lacks memory, or no worker can start


@dataclass(frozen=True)
class Failure:
    """An item that could not be worked on, and why, in one plain sentence."""

    index: int
    reason: str


def run_items(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    workers: int | None = None,
    label: str = "",
    quiet: bool = False,
    chunk: int | None = None,
) -> list[Any | Failure]:
    """The results of `iter_items`, all at once."""
    stream = iter_items(function, items, workers=workers, label=label, quiet=quiet, chunk=chunk)
    return list(stream)


def iter_items(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    workers: int | None = None,
    label: str = "",
    quiet: bool = False,
    chunk: int | None = None,
) -> Iterator[Any | Failure]:
    """Result of ``function(item)`` for every item, in order, as they come.

    Worker processes are started fresh ("spawn"), so threads and libraries loaded by the caller do
    no harm, and they never run the caller's script, which therefore needs no ``__main__`` guard.
    A function or an item that can only be found in that script (or in a notebook, or is a lambda)
    is run in this process instead.

    Args:
        function: called with one item; for several processes it must be importable.
        items: anything with a length and whole-number positions; fetched as needed.
        workers: processes; None: one a core, or none for fewer than 200 items.
        label: what the progress bar is about; it is drawn on a terminal only.
        quiet: no progress bar.
        chunk: items sent to a process at a time.

    Returns:
        An iterator of results; a `Failure` where the function raised or its process died.

    Raises:
        GnnmatError: worker processes die one after another, whatever the item.
    """
    count = len(items)
    if workers is None:
        workers = 1 if count < IN_PROCESS_BELOW else available_cores()
    if workers > 1 and count > 1 and _can_travel(function, items):
        size = chunk or max(1, min(LONGEST_CHUNK, count // (4 * workers)))
        results = _Pool(function, items, min(workers, count), size).results()
    else:
        results = (_attempt(function, index, items[index]) for index in range(count))
    return with_progress(results, count, label, quiet)


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _attempt(function: Callable[[Any], Any], index: int, item: Any) -> Any | Failure:
    try:
        return function(item)
    except GnnmatError as error:
        return Failure(index, " ".join(error.sentence.split()))
    except Exception as error:
        return Failure(index, _sentence(error))


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"could not be read: {name}: {text}" if text else f"could not be read: {name}"


def _attempt_chunk(
    function: Callable[[Any], Any], start: int, items: Sequence[Any]
) -> list[Any | Failure]:
    return [_attempt(function, start + place, item) for place, item in enumerate(items)]


def _can_travel(function: Callable[[Any], Any], items: Sequence[Any]) -> bool:
    """Whether a fresh process can find the function and the items."""
    if multiprocessing.current_process().daemon:
        return False  # a daemonic process may not have children
    try:
        pickled = bytes(ForkingPickler.dumps((function, items[0])))
    except Exception:
        return False
    return b"__main__" not in pickled


class _Pool:
    """Chunks of items in worker processes, with results in order and a bounded look-ahead."""

    def __init__(
        self, function: Callable[[Any], Any], items: Sequence[Any], workers: int, size: int
    ) -> None:
        self.function = function
        self.items = items
        self.workers = workers
        self.size = size
        self.executor: ProcessPoolExecutor | None = None
        self.lone_executor: ProcessPoolExecutor | None = None
        self.deaths = 0

    def results(self) -> Iterator[Any | Failure]:
        """Results in order. On any end but the natural one the workers are stopped at once."""
        pending: deque[tuple[int, Future[list[Any]]]] = deque()
        starts = iter(range(0, len(self.items), self.size))
        try:
            while True:
                while (
                    len(pending) < 2 * self.workers + 1
                    and (start := next(starts, None)) is not None
                ):
                    pending.append((start, self._submit(start)))
                if not pending:
                    break
                start, future = pending.popleft()
                yield from self._collect(start, future)
            self._stop(at_once=False)
        finally:
            self._stop(at_once=True)

    def _collect(self, start: int, future: Future[list[Any]]) -> Iterator[Any | Failure]:
        try:
            yield from future.result()
        except BrokenProcessPool:
            # Any unfinished chunk may hold the guilty item: each is repeated alone, in its turn.
            self.executor = None
            yield from self._one_by_one(start)
        except Exception:
            # The results could not be sent back; find out whose.
            yield from self._one_by_one(start)

    def _submit(self, start: int) -> Future[list[Any]]:
        chunk = [self.items[index] for index in self._range(start)]
        if self.executor is None:
            self.executor = new_executor(self.workers)
        try:
            with hidden_main():
                return self.executor.submit(_attempt_chunk, self.function, start, chunk)
        except BrokenProcessPool as error:
            broken: Future[list[Any]] = Future()
            broken.set_exception(error)
            return broken

    def _one_by_one(self, start: int) -> Iterator[Any | Failure]:
        for index in self._range(start):
            if self.lone_executor is None:
                self.lone_executor = new_executor(1)
            with hidden_main():
                future = self.lone_executor.submit(
                    _attempt_chunk, self.function, index, [self.items[index]]
                )
            try:
                result = future.result()[0]
                self.deaths = 0
            except BrokenProcessPool:
                self.lone_executor = None
                self.deaths += 1
                result = Failure(
                    index,
                    "the process that worked on it died (a crash in a library, or no memory left)",
                )
            except Exception as error:
                result = Failure(index, _sentence(error))
            if self.deaths >= DEATHS_IN_A_ROW:
                raise GnnmatError(
                    f"Worker processes died on {self.deaths} items in a row, up to number {index}.",
                    why="Usually the machine is out of memory, or a library crashes at import.",
                    fix="use workers=1 to see the error itself, or fewer workers.",
                )
            yield result

    def _range(self, start: int) -> range:
        return range(start, min(start + self.size, len(self.items)))

    def _stop(self, at_once: bool) -> None:
        for executor in (self.executor, self.lone_executor):
            if executor is None:
                continue
            processes = list((executor._processes or {}).values())
            if at_once:
                for process in processes:
                    process.terminate()
            executor.shutdown(wait=True, cancel_futures=True)
        self.executor = self.lone_executor = None
