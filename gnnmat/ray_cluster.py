"""A Ray cluster: the user's own, or one on this machine that ends with the work."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gnnmat.errors import GnnmatError

SMALLEST_STORE = 80 * 2**20  # bytes; Ray refuses less than 75 MiB
LARGEST_STORE = 2**30  # bytes; the engine has little on its way at a time
SHORT = 40  # characters; a longer folder makes names that sockets cannot have

# Ray reads these when it is imported; what the user has set is kept.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers see the same devices as this process, as worker processes do.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Workers have the priority of this process; Ray would let everything else go before them.
    "RAY_worker_niceness": "0",
    # A worker's death is answered by a Failure; Ray's account of it would go to standard output.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^A worker died or was killed",
    "RAY_DATA_LOG_LEVEL": "CRITICAL",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}

_lock = threading.Lock()
_holders = 0  # how many want Ray to run; the last one ends what the first one began
_started: list[Path] = []  # the folder of a cluster that is ours; none for a connection


@contextmanager
def cluster(cores: int) -> Iterator[None]:
    """Ray runs in here: as it does already, at ``RAY_ADDRESS``, or started with ``cores`` cores.

    What was started or connected here is ended when nobody is in here any more.

    Raises:
        GnnmatError: Ray is not installed, does not start, or nothing answers at the address.
    """
    global _holders
    with _lock:
        if _holders == 0:
            _open(cores)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _close()


def import_ray() -> Any:
    """Ray with its data part, told beforehand to report nothing to its makers.

    Raises:
        GnnmatError: it is not installed.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        # Without this a cluster for one machine listens to the whole network, unguarded.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise GnnmatError(
            "The engine 'ray' needs Ray, which is not installed here.",
            why=f"The import says: {error}.",
            fix="pip install 'gnnmat[ray]', or use the engine 'local'.",
        ) from error
    return ray


def _open(cores: int) -> None:
    ray = import_ray()
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS", "")
    if address not in ("", "local"):
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise GnnmatError(
                f"No Ray cluster can be reached at '{address}' (RAY_ADDRESS).",
                why=" ".join(str(error).split()),
                fix="start one there, or unset RAY_ADDRESS to use this machine alone.",
            ) from error
        _started.append(Path())
        return
    try:
        _start_here(ray, cores, quiet)
    except Exception:
        # A busy machine may miss the 30 s that Ray gives itself; its files are in memory by now.
        try:
            _start_here(ray, cores, quiet)
        except Exception as error:
            raise GnnmatError(
                "Ray does not start on this machine.",
                why=" ".join(str(error).split()),
                fix="try again when the machine is less busy, or use the engine 'local'.",
            ) from error


def _start_here(ray: Any, cores: int, quiet: dict[str, Any]) -> None:
    folder = _short_folder()
    _started.append(folder)
    size, place = store_size(_free_shared_memory(), folder)
    try:
        ray.init(
            address="local",
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=size,
            _plasma_directory=place,
            _temp_dir=str(folder),
            **quiet,
        )
    except BaseException:
        _close()
        raise


def _close() -> None:
    if not _started:
        return
    folder = _started.pop()
    import_ray().shutdown()
    patience = time.monotonic() + 5  # seconds; processes that are ending still write their logs
    while folder.name and folder.exists() and time.monotonic() < patience:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.1)


def store_size(free: int | None, folder: Path) -> tuple[int, str | None]:
    """Size of the object store in bytes, and where it lies; None: where Ray puts it.

    Args:
        free: bytes left in shared memory; None: this system has no such folder.
        folder: takes the store where shared memory is too small for any (64 MB in a container).
    """
    if free is None:
        return LARGEST_STORE // 2, None
    if free < 2 * SMALLEST_STORE:
        return SMALLEST_STORE, str(folder)
    return min(free // 2, LARGEST_STORE), None


def _free_shared_memory() -> int | None:
    if sys.platform != "linux" or not Path("/dev/shm").is_dir():
        return None
    return shutil.disk_usage("/dev/shm").free


def _short_folder() -> Path:
    folder = tempfile.gettempdir()
    return Path(
        tempfile.mkdtemp(prefix="gnnmat-ray-", dir=folder if len(folder) < SHORT else "/tmp")
    )
