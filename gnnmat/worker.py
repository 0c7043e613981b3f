"""How many worker processes there may be, how one starts, and how it ends with its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait

_main_lock = threading.Lock()


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def new_executor(workers: int) -> ProcessPoolExecutor:
    """Fresh worker processes; they share nothing with this one, neither threads nor locks."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)


def start_worker() -> None:
    """Set up a worker: one thread, deaf to Ctrl-C, gone when its parent is gone."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A parent that is killed cannot tell its workers; without this they would wait forever.
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()


@contextmanager
def hidden_main() -> Iterator[None]:
    """Hide the caller's script while processes start, so that they do not run it again."""
    main = sys.modules["__main__"]
    with _main_lock:
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        try:
            main.__spec__ = None
            main.__file__ = None
            yield
        finally:
            main.__spec__ = spec
            if file is None:
                del main.__file__
            else:
                main.__file__ = file
