"""The superhard screen: all crystals in one command, two engines side by side, and killed.

``whole`` screens every crystal of the Materials Project table with the recipe `superhard`.
``engines`` screens a part of it in worker processes and on Ray, in turn. ``kills`` ends a screen
with SIGKILL at random moments, goes on every time, and compares what is left with a screen that
nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from results import row, shared_data, write

DATA = "materials_project/structures.parquet"
COMMAND = [sys.executable, "-c", "from gnnmat.cli import app; app()", "screen", "superhard"]
MIB = 2**20


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A screen that has begun, in a process group of its own."""
    return subprocess.Popen(
        [
            *COMMAND,
            "--structures",
            str(shared_data() / DATA),
            "-o",
            str(folder),
            "--quiet",
            *options,
        ],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished(folder: Path, *options: str) -> float:
    """Seconds that a screen took."""
    began = time.monotonic()
    if start(folder, *options).wait():
        sys.exit("The screen failed.")
    return time.monotonic() - began


def watched(folder: Path, *options: str) -> tuple[float, float]:
    """Seconds that a screen took, and the most memory it and its workers held, in MiB."""
    began, most = time.monotonic(), 0.0
    process = start(folder, *options)
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(0.5)
    if process.returncode:
        sys.exit("The screen failed.")
    return time.monotonic() - began, most


def _memory(pid: int) -> float:
    """Memory of a process and its children in MiB; what they share is counted once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            total += one.memory_full_info().pss
    except psutil.Error:
        pass
    return total / MIB


def whole(folder: Path, workers: int, limit: int | None) -> list[dict[str, Any]]:
    """Time, memory and where the time goes."""
    options = ["--workers", str(workers), *(["--limit", str(limit)] if limit else [])]
    seconds, memory = watched(folder / "whole", *options)
    summary = json.loads((folder / "whole" / "screen.json").read_text())
    spent = [stage["seconds"] for stage in summary["stages"]]
    everything = sum(one.get("all", 0.0) for one in spent)
    model, graphs = (sum(one.get(name, 0.0) for one in spent) for name in ("model", "graphs"))
    page = (folder / "whole" / "screen.html").stat().st_size / 1e6
    count = summary["candidates"]
    last = [f"{one['stage']} {one['out']:,}" for one in summary["stages"]]
    note = f"{workers} processes; left after each stage: {', '.join(last)}; page {page:.1f} MB"
    return [
        row(f"superhard screen of {count:,} crystals, all of it", seconds / 60, "min", note=note),
        row("most memory held, all processes", memory, "MiB"),
        row(
            "share of the time of the processes inside the networks",
            100 * model / (workers * seconds), "%", reach=">= 80",
            note="building graphs and finding symmetries takes "
            f"{100 * graphs / (workers * seconds):.0f}%, other work of "
            f"stages {100 * (everything - model - graphs) / (workers * seconds):.0f}%; the rest is "
            "starting, reading, gathering and the page",
        ),
        row("networks and graphs, of the time of the stages", 100 * (model + graphs) / everything,
            "%"),
    ]  # fmt: skip


def engines(folder: Path, workers: int, limit: int, runs: int) -> list[dict[str, Any]]:
    """Ray over worker processes, and over this process alone, in turn."""
    ways = {
        "local": ("--engine", "local", "--workers", str(workers)),
        "ray": ("--engine", "ray", "--workers", str(workers)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    tables: dict[str, bytes] = {}
    for _ in range(runs):
        for name, options in ways.items():
            place = folder / f"engine-{name}"
            shutil.rmtree(place, ignore_errors=True)
            times[name].append(finished(place, "--limit", str(limit), *options))
            tables[name] = (place / "candidates.parquet").read_bytes()
    same = tables["ray"] == tables["local"]
    ratios = np.array(times["ray"]) / np.array(times["local"])
    note = f"{limit:,} crystals, start-up counted: {np.median(times['local']):.0f} s without Ray"
    return [
        row(
            f"screen on Ray over worker processes, {workers} of each", list(ratios), "times",
            against="1", reach="<= 1.3", note=note,
        ),
        row("tables of all candidates on Ray and without: identical byte by byte", float(same), "",
            reach="1"),
    ]  # fmt: skip


def kills(folder: Path, workers: int, limit: int, count: int) -> list[dict[str, Any]]:
    """Killed again and again, and still the same."""
    options = ("--limit", str(limit), "--workers", str(workers), "--set", "shard=100")
    quiet, cut = folder / "undisturbed", folder / "killed"
    seconds = finished(quiet, *options)
    random, done = np.random.default_rng(0), 0
    while done < count:
        process = start(cut, *options)
        try:
            # Most of a screen is starting: a kill after that meets a shard, or the page.
            process.wait(float(random.uniform(0.2, 0.9) * seconds))
            shutil.rmtree(cut)  # finished before it could be killed: begin again
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
    finished(cut, *options)
    names = ("shortlist.csv", "candidates.parquet")
    same = all((quiet / one).read_bytes() == (cut / one).read_bytes() for one in names)
    table = pd.read_parquet(cut / "candidates.parquet", columns=["id"])
    return [
        row(
            f"killed {count} times at random: shortlist and table as if nothing had happened, "
            "byte by byte", float(same), "", reach="1",
            note=f"{limit:,} crystals, {len(table):,} in the table, "
            f"{table['id'].duplicated().sum()} twice",
        )
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["whole", "engines", "kills"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, help="crystals; default all, 8,000 or 1,500")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="for the screens; default a temporary one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        if options.part == "whole":
            rows = whole(folder, options.workers, options.limit)
        elif options.part == "engines":
            rows = engines(folder, options.workers, options.limit or 8000, options.runs)
        else:
            rows = kills(folder, options.workers, options.limit or 1500, options.kills)
    write(f"screening_{options.part}", DATA, rows, options.json)


if __name__ == "__main__":
    main()
