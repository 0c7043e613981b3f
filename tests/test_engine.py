"""The engine keeps order, survives bad items and dead processes, and never runs the caller."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gnnmat.engine import Failure, iter_items, run_items
from gnnmat.errors import GnnmatError


def refuse_odd(number: int) -> int:
    if number % 2:
        raise GnnmatError(f"{number} is odd.", why="Only even numbers serve.", fix="add one.")
    return number


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    command = [sys.executable, str(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_results_come_in_order_with_failures_in_place() -> None:
    assert run_items(refuse_odd, [0, 1, 2]) == [
        0,
        Failure(1, "1 is odd. Only even numbers serve. Fix: add one."),
        2,
    ]


def test_any_other_exception_becomes_one_plain_line() -> None:
    (failure,) = run_items(int, ["1\n2x"], workers=0)
    assert failure.index == 0
    assert failure.reason.startswith("could not be read: ValueError: invalid literal")
    assert "\n" not in failure.reason


def test_no_items_give_no_results() -> None:
    assert run_items(math.sqrt, [], workers=4) == []


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_processes_give_the_same_as_this_process(chunk: int | None) -> None:
    items = list(range(-3, 250))
    alone = run_items(math.sqrt, items, workers=1)
    assert run_items(math.sqrt, items, workers=2, chunk=chunk) == alone
    assert isinstance(alone[0], Failure)
    assert alone[7] == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only: reads /proc")
def test_few_items_stay_in_this_process_and_many_do_not() -> None:
    # The first word of this file is the number of the process that reads it.
    paths = [Path("/proc/self/stat")] * 300
    me = str(os.getpid())
    few = {str(text).split()[0] for text in run_items(Path.read_text, paths[:3])}
    many = run_items(Path.read_text, paths, workers=2)
    assert few == {me}
    assert me not in {str(text).split()[0] for text in many}


def test_a_dying_process_costs_only_the_guilty_item() -> None:
    items = [0] * 60  # signal 0 does nothing
    items[37] = signal.SIGKILL
    results = run_items(signal.raise_signal, items, workers=2, chunk=5)
    assert len(results) == 60
    (failure,) = [result for result in results if result is not None]
    assert failure.index == 37
    assert "the process that worked on it died" in failure.reason


def test_two_deaths_apart_are_two_failures() -> None:
    items = [0] * 40
    items[3] = items[30] = signal.SIGKILL
    results = run_items(signal.raise_signal, items, workers=2, chunk=4)
    assert [result.index for result in results if result is not None] == [3, 30]


def test_processes_that_always_die_end_in_one_clear_error() -> None:
    with pytest.raises(GnnmatError, match="died on 8 items in a row") as caught:
        run_items(signal.raise_signal, [int(signal.SIGKILL)] * 40, workers=2, chunk=4)
    assert "out of memory" in str(caught.value)


def test_a_result_that_cannot_be_sent_back_is_a_failure() -> None:
    results = run_items(iter, [(1,), 2, (3,)], workers=2)
    assert isinstance(results[1], Failure)
    opened = run_items(open, [__file__, __file__], workers=2, chunk=1)
    assert all("TypeError" in failure.reason for failure in opened)


def test_functions_of_a_notebook_run_in_this_process() -> None:
    assert run_items(lambda number: number + 1, range(300), workers=2) == list(range(1, 301))


def test_results_stream_with_a_bounded_look_ahead() -> None:
    taken: list[int] = []

    class Watched(Sequence[int]):
        def __len__(self) -> int:
            return 100_000

        def __getitem__(self, index: Any) -> Any:
            taken.append(index)
            return 4

    stream = iter_items(math.sqrt, Watched(), workers=2, chunk=10)
    assert next(stream) == 2.0
    assert len(taken) < 100
    start = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5


def test_a_script_without_main_guard_is_not_run_again(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        print("script runs")
        import math
        from gnnmat.engine import run_items
        print(sum(run_items(math.sqrt, [4] * 300, workers=2)))
        """,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["script runs", "600.0"]


def test_a_function_of_the_script_itself_runs_in_the_script(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import os
        from gnnmat.engine import run_items
        def process(item): return os.getpid()
        print(set(run_items(process, range(300), workers=2)) == {os.getpid()})
        """,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "True"


def test_threads_and_torch_in_the_caller_do_no_harm(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import math, threading
        import torch
        torch.ones(300, 300) @ torch.ones(300, 300)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        from gnnmat.engine import run_items
        print(sum(run_items(math.sqrt, [4] * 300, workers=2)))
        """,
    )
    assert done.stdout.strip() == "600.0"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="POSIX signals only")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_no_worker_outlives_its_caller(tmp_path: Path, name: str) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(
        "import time\nfrom gnnmat.engine import run_items\n"
        "print('ready', flush=True)\nrun_items(time.sleep, [0.2] * 2000, workers=2, chunk=1)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert caller.stdout is not None
    caller.stdout.readline()
    time.sleep(1.0)
    caller.send_signal(getattr(signal, name))
    caller.wait(timeout=20)
    caller.stdout.close()
    deadline = time.monotonic() + 10
    while (alive := _group_lives(caller.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if alive:
        os.killpg(caller.pid, signal.SIGKILL)
    assert not alive, "worker processes are still there"


def _group_lives(group: int) -> bool:
    """Whether any process of the group runs (zombies that nobody collects do not count)."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, owner = entry.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(owner) == group and state != "Z":
            return True
    return False


def test_a_progress_bar_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="POSIX terminals only")
    code = (
        "from gnnmat.engine import run_items; "
        "run_items(abs, list(range(50)), label='reading', quiet={quiet})"
    )
    seen = {}
    for quiet in (False, True):
        leader, follower = pty.openpty()
        subprocess.run(
            [sys.executable, "-c", code.format(quiet=quiet)],
            stderr=follower,
            check=True,
            timeout=60,
            env={**os.environ, "TERM": "xterm"},
        )
        os.write(follower, b"END")
        seen[quiet] = os.read(leader, 100_000).decode(errors="replace")
        os.close(leader)
        os.close(follower)
    assert "reading" in seen[False]
    assert "50/50" in seen[False]
    assert seen[True] == "END"
