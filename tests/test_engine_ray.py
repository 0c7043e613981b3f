"""Ray gives what this process gives, and leaves nothing behind.

All tests on a real cluster share one, for it takes seconds to start.
"""

from __future__ import annotations

import importlib.util
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gnnmat import engine_ray, ray_cluster
from gnnmat.engine import Failure, iter_items, run_items
from gnnmat.errors import GnnmatError

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="optional package absent: ray"
)
pytestmark = [
    # Ray 2.60 warns of its own options while it makes its own context.
    pytest.mark.filterwarnings("ignore:.use_push_based_shuffle. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.use_polars. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.use_arrow_tensor_v2. is deprecated:DeprecationWarning"),
]

HOMEMADE = """
import os, time
from pathlib import Path
from gnnmat.errors import GnnmatError

def refuse_odd(number):
    if number % 2:
        raise GnnmatError(f"{number} is odd.", why="Only even numbers serve.", fix="add one.")
    return number

def raise_unknown(number):
    class Unknown(Exception):
        pass
    raise Unknown(f"of {number}")

def meet(item):
    folder, me, other = item
    (folder / me).touch()
    for _ in range(600):
        if (folder / other).exists():
            return True
        time.sleep(0.1)
    return False

def process(item):
    time.sleep(0.2)
    return os.getpid()
"""


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """Ray with two cores, begun without OMP_NUM_THREADS."""
    with pytest.MonkeyPatch.context() as patch, ray_cluster.cluster(2):
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield


@pytest.fixture
def homemade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A user's module, in a folder that came onto the path after Ray was started."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "homemade.py").write_text(HOMEMADE)
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("homemade")
    del sys.modules["homemade"]


on_ray = partial(run_items, engine="ray", workers=2)


@needs_ray
@pytest.mark.usefixtures("two_workers")
class TestOnRay:
    @pytest.mark.parametrize("chunk", [None, 7])
    def test_results_and_failures_are_those_of_this_process_in_order(
        self, chunk: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_ray, "CHUNKS_A_WORKER", 2)  # several windows
        items = [*range(-3, 100), "no number"]
        alone = run_items(math.sqrt, items, workers=1)
        assert isinstance(alone[0], Failure)
        assert isinstance(alone[-1], Failure)
        assert on_ray(math.sqrt, items, chunk=chunk) == alone

    def test_results_keep_their_types(self) -> None:
        items = [(7, 2), (1, 0), (9, 5)]
        assert on_ray(tuple, items) == items
        assert on_ray(len, ["", {}, None]) == run_items(len, ["", {}, None], workers=1)

    def test_a_result_that_cannot_be_sent_back_is_a_failure(self) -> None:
        assert on_ray(open, [__file__, __file__]) == run_items(
            open, [__file__, __file__], workers=2, chunk=1, engine="local"
        )

    def test_large_items_arrive_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine_ray, "LARGEST_CHUNK", 2**20)
        monkeypatch.setattr(engine_ray, "LARGEST_WINDOW", 2**22)
        items = [np.arange(n, n + 200_000.0) for n in range(9)]
        for result, item in zip(on_ray(np.negative, items, chunk=3), items, strict=True):
            np.testing.assert_array_equal(result, -item)

    def test_functions_of_a_package_added_later_are_found_and_say_the_same(
        self, homemade: ModuleType
    ) -> None:
        assert on_ray(homemade.refuse_odd, [0, 1, 2]) == [
            0,
            Failure(1, "1 is odd. Only even numbers serve. Fix: add one."),
            2,
        ]
        items = [1, 2, 3]
        assert on_ray(homemade.raise_unknown, items) == run_items(homemade.raise_unknown, items)

    def test_two_items_are_worked_on_at_the_same_time(
        self, homemade: ModuleType, tmp_path: Path
    ) -> None:
        # Each waits for the other: on one worker the first would wait in vain.
        assert on_ray(homemade.meet, [(tmp_path, "a", "b"), (tmp_path, "b", "a")]) == [True, True]

    def test_processes_are_kept_from_call_to_call(self, homemade: ModuleType) -> None:
        found = {one for _ in range(4) for one in on_ray(homemade.process, range(4))}
        assert len(found) <= 4  # of 16 tasks
        assert os.getpid() not in found

    def test_a_worker_has_one_thread_and_the_priority_of_its_caller(self) -> None:
        assert on_ray(os.getenv, ["OMP_NUM_THREADS", "RAY_ADDRESS"]) == ["1", None]
        assert on_ray(os.nice, [0, 0]) == [os.nice(0)] * 2

    def test_what_cannot_travel_stays_in_this_process(self) -> None:
        assert on_ray(lambda number: number + 1, range(3)) == [1, 2, 3]
        items = [[3], threading.Lock(), lambda: 1]
        assert on_ray(id, items)[1:] == [id(one) for one in items[1:]]

    def test_what_no_worker_can_import_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ghost = ModuleType("ghost")
        exec("def work(item): return item", ghost.__dict__)
        monkeypatch.setitem(sys.modules, "ghost", ghost)
        with pytest.raises(GnnmatError, match="cannot run this work") as caught:
            on_ray(ghost.work, [1, 2, 3])
        assert "No module named 'ghost'" in str(caught.value)

    def test_an_abandoned_stream_leaves_the_cluster_usable(self) -> None:
        stream = iter_items(math.sqrt, [4] * 100, engine="ray", workers=2, chunk=1)
        assert next(stream) == 2.0
        stream.close()  # type: ignore[attr-defined]
        assert on_ray(math.sqrt, [9, 16]) == [3.0, 4.0]

    @pytest.mark.slow
    def test_a_dying_process_costs_only_the_guilty_item(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        items = [0] * 24  # signal 0 does nothing
        items[3] = items[17] = signal.SIGKILL
        assert on_ray(signal.raise_signal, items, chunk=4) == run_items(
            signal.raise_signal, items, workers=2, chunk=4
        )
        assert capfd.readouterr() == ("", "")

    @pytest.mark.slow
    def test_processes_that_always_die_end_in_one_clear_error(self) -> None:
        with pytest.raises(GnnmatError, match="died on 8 items in a row"):
            on_ray(signal.raise_signal, [int(signal.SIGKILL)] * 40, chunk=4)


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux only: reads /proc")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_no_process_of_ray_outlives_its_caller(tmp_path: Path, name: str) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(
        textwrap.dedent("""
        import time
        from gnnmat.engine import iter_items
        stream = iter_items(time.sleep, [0.2] * 20000, workers=2, chunk=1, engine="ray")
        next(stream)
        print("ready", flush=True)
        list(stream)
        """)
    )
    mark = f"GNNMAT_TEST_MARK={tmp_path}"
    environment = {**os.environ, **dict([mark.split("=", 1)])}
    caller = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"ready\n", caller.wait()
    assert len(marked(mark)) > 3
    if name == "SIGINT":
        os.killpg(caller.pid, signal.SIGINT)  # as a terminal does
    else:
        caller.kill()
    caller.wait(timeout=100)
    caller.stdout.close()
    deadline = time.monotonic() + 100
    while (alive := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in alive:
        os.kill(process, signal.SIGKILL)
    assert not alive, "processes of Ray are still there"


def marked(mark: str) -> list[int]:
    """Processes that have inherited the mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
