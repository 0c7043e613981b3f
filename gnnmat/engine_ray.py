"""The engine on Ray Data: items as rows of tables, worked on by tasks on this machine or many.

Every row carries its number, because Ray gives results in any order. Items go out window by window,
so what waits for its turn is bounded, and so is what a dead worker can take along. Tasks, not
actors: Ray keeps their processes, so what a function caches (a model) is there at the next call.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from gnnmat.attempt import DEATHS_IN_A_ROW, Deaths, Failure, attempt, chunk_size, failed
from gnnmat.errors import GnnmatError
from gnnmat.ray_cluster import cluster, import_ray
from gnnmat.worker import available_cores

CHUNKS_A_WORKER = 32  # of a window; its end, where workers wait for the last, costs a few percent
LARGEST_CHUNK = 16 * 2**20  # bytes of pickled items a message, unless one item is larger
LARGEST_WINDOW = 128 * 2**20  # bytes of pickled items, unless the workers would have no two chunks
ITEMS = pa.schema([("index", pa.int64()), ("data", pa.large_binary())])


class RayPool:
    """Windows of items on Ray, with results in order.

    Args:
        function: called with one item; every worker has to be able to import it.
        items: anything with a length and whole-number positions; fetched window by window.
        workers: tasks at a time; None: one a core of the cluster.
        chunk: items a task; None: by their number.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        workers: int | None,
        chunk: int | None,
    ) -> None:
        self.ray = import_ray()
        self.function = pickle.dumps(function, pickle.HIGHEST_PROTOCOL)
        self.local_function = function
        self.items = items
        self.asked = workers
        self.chunk = chunk
        self.workers = self.size = 1  # until the cluster is known
        self.deaths = Deaths()

    def results(self) -> Iterator[Any | Failure]:
        """Results in order.

        Raises:
            GnnmatError: workers die one after another, or cannot import the function.
        """
        count = len(self.items)
        with cluster(self.asked or available_cores()):
            cores = int(self.ray.cluster_resources().get("CPU", 1))
            self.workers = min(self.asked or cores, count)
            self.size = self.chunk or chunk_size(count, self.workers)
            turn = 0
            while turn < count:
                tables, stop = self._window(turn)
                yield from self._finished(tables, turn, stop)
                turn = stop

    def _window(self, start: int) -> tuple[list[pa.Table], int]:
        """Tables of the next items, and where the window after them begins."""
        chunks: list[list[tuple[int, bytes]]] = []
        room = bulk = 0
        index = start
        while index < len(self.items):
            data = _travelling(self.items[index])
            if data is not None:
                if room < len(data) or not chunks or len(chunks[-1]) == self.size:
                    full = bulk + len(data) > LARGEST_WINDOW and len(chunks) >= 2 * self.workers
                    if full or len(chunks) == CHUNKS_A_WORKER * self.workers:
                        break
                    chunks.append([])
                    room = LARGEST_CHUNK
                chunks[-1].append((index, data))
                room -= len(data)
                bulk += len(data)
            index += 1
        return [_table(chunk) for chunk in chunks], index

    def _finished(self, tables: list[pa.Table], start: int, stop: int) -> Iterator[Any | Failure]:
        sent = {index for table in tables for index in table["index"].to_pylist()}
        waiting: dict[int, bytes] = {}
        turn = start
        for index, data in self._stream(tables):
            waiting[index] = data
            while turn < stop and (turn in waiting or turn not in sent):
                yield self._result(turn, waiting.pop(turn, None))
                turn += 1
        for index in range(turn, stop):
            if index in waiting or index not in sent:
                yield self._result(index, waiting.pop(index, None))
            else:
                yield self._alone(index)  # lost with a worker, with others of its chunk

    def _stream(self, tables: list[pa.Table]) -> Iterator[tuple[int, bytes]]:
        """Number and pickled result of every row that comes back, in any order."""
        if not tables:
            return
        data = self.ray.data
        context = data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.max_errored_blocks = DEATHS_IN_A_ROW
        with data.DataContext.current(context), warnings.catch_warnings():
            # max_retries has no name of its own in map_batches yet. Without it an item that kills
            # its worker is repeated for ever.
            warnings.filterwarnings("ignore", message=".*ray_remote_args. is deprecated")
            results = data.from_arrow(tables).map_batches(
                work_table,
                batch_size=None,
                batch_format="pyarrow",
                fn_kwargs={"function": self.function, "paths": sys.path},
                concurrency=min(self.workers, len(tables)),  # Ray warns of workers without work
                num_cpus=1,
                max_retries=0,
            )
        batches = results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        try:
            for table in batches:
                yield from zip(table["index"].to_pylist(), table["data"].to_pylist(), strict=True)
        except self.ray.exceptions.RayError:
            return  # too many workers died; the rest is worked on alone, which says why

    def _result(self, index: int, data: bytes | None) -> Any | Failure:
        if data is None:
            return attempt(self.local_function, index, self.items[index])
        try:
            return pickle.loads(data)
        except Exception as error:
            return failed(index, error)

    def _alone(self, index: int) -> Any | Failure:
        task = self.ray.remote(num_cpus=1, max_retries=0)(work_item)
        item = _travelling(self.items[index])
        try:
            data = self.ray.get(task.remote(index, item, self.function, sys.path))
        except self.ray.exceptions.RayTaskError as error:
            raise GnnmatError(
                "The workers of Ray cannot run this work.",
                why=" ".join(str(error.cause or error).split()),
                fix="install gnnmat, and the package of your own functions, on every machine of "
                "the cluster; or use the engine 'local'.",
            ) from error
        except self.ray.exceptions.RayError:
            return self.deaths.died(index)
        self.deaths.survived()
        return self._result(index, data)


def work_table(table: pa.Table, function: bytes, paths: list[str]) -> pa.Table:
    """In a worker: pickled results of pickled items, number by number."""
    indices, items = table["index"].to_pylist(), table["data"].to_pylist()
    rows = zip(indices, items, strict=True)
    return _table([(index, work_item(index, item, function, paths)) for index, item in rows])


def work_item(index: int, item: bytes, function: bytes, paths: list[str]) -> bytes:
    """In a worker: pickled result of one pickled item."""
    sys.path += [path for path in paths if path not in sys.path]
    call = pickle.loads(function)
    try:
        result = attempt(call, index, pickle.loads(item))
        return pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(failed(index, error))


def _travelling(item: Any) -> bytes | None:
    """The item pickled, or None if only this process can work on it."""
    try:
        data = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return None
    return None if b"__main__" in data else data


def _table(rows: list[tuple[int, bytes]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(ITEMS.names, map(list, columns), strict=True)), schema=ITEMS)
