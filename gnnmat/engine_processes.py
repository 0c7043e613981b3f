"""The engine's worker processes on this machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from gnnmat.attempt import Deaths, Failure, attempt_chunk, failed
from gnnmat.worker import hidden_main, new_executor


class Pool:
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
        self.deaths = Deaths()

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
                return self.executor.submit(attempt_chunk, self.function, start, chunk)
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
                    attempt_chunk, self.function, index, [self.items[index]]
                )
            try:
                result = future.result()[0]
                self.deaths.survived()
            except BrokenProcessPool:
                self.lone_executor = None
                result = self.deaths.died(index)
            except Exception as error:
                result = failed(index, error)
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
