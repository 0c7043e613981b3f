"""Memory and opening time of a large set of crystals, against the size of its graphs on disk.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/memory.py --rows 110184 --workers 0,2

Every figure comes from a fresh process. The graphs are built unless the cache (GNNMAT_CACHE) has
them; the cached set is opened five times; then the default CGCNN is trained for one epoch over
every row, with each number of loader processes, while the memory of all processes is sampled ten
times a second. What is learned is the volume per atom, which every crystal has. On a slow machine
--train-rows trains on so many rows drawn at random, and then only loads every row once.

Growth is counted from the moment all libraries are imported to the highest point of the epoch,
so it holds the network, the activations of a batch, the labels and the names besides the graphs.
The same training on a few rows says how much of it has nothing to do with the size of the set.
The short peak while the table of structures is read and hashed has a row of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from results import row, shared_data, write

from gnnmat.data.cache import cache_folder, cache_key
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.sources.records import Records
from gnnmat.sources.table import TableSource

FEW = 4000  # rows of the run that shows what does not depend on the size of the set
MIB = 2**20


def open_records(rows: int) -> Records:
    """So many crystals of the Materials Project table, evenly spaced, with volumes per atom."""
    path = shared_data() / "materials_project" / "structures.parquet"
    records = TableSource(path=str(path)).open()
    if rows < len(records):
        records = records.take(np.linspace(0, len(records) - 1, rows).astype(int).tolist())
    lattice = np.stack([np.asarray(raw[0]).reshape(3, 3) for raw in records.raws])
    atoms = np.asarray([len(raw[1]) for raw in records.raws])
    table = pd.DataFrame({"volume": np.abs(np.linalg.det(lattice)) / atoms})
    return replace(records, table=table, units={"volume": "Å^3/atom"})


def build(rows: int) -> dict[str, Any]:
    """Seconds to build the graphs, or None where they were there already; bytes on disk."""
    from gnnmat.data.cache import open_store

    records = open_records(rows)
    home = cache_folder() / cache_key(records, CrystalGraph())
    there = home.is_dir()
    began = time.perf_counter()
    store, refused = open_store(records, CrystalGraph(), quiet=True)
    seconds = time.perf_counter() - began
    return {
        "seconds": None if there else seconds,
        "bytes": sum(path.stat().st_size for path in home.iterdir()),
        "rows": len(store),
        "refused": len(refused),
        "atoms": int(store.atom_start[-1]),
        "edges": int(store.edge_start[-1]),
    }


def opening(rows: int) -> dict[str, float]:
    """Seconds of the parts of opening a cached set."""
    from gnnmat.data.cache import open_store
    from gnnmat.data.dataset import open_dataset

    times: dict[str, float] = {}
    path = shared_data() / "materials_project" / "structures.parquet"
    import pyarrow.parquet  # noqa: F401  (not what is timed)

    def timed(name: str, function: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        times[name] = time.perf_counter() - wall
        times[f"{name} CPU"] = time.process_time() - cpu
        return result

    records = timed("table", TableSource(path=str(path)).open)
    timed("hash", records.raws.fingerprint)
    records = open_records(rows)
    timed("store", lambda: open_store(records, CrystalGraph(), quiet=True))
    timed("dataset", lambda: open_dataset(records, CrystalGraph(), ["volume"], quiet=True))
    return times


class Sampler(threading.Thread):
    """Highest resident memory of this process and of its children, sampled."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.workers = self.largest = 0
        self.done = threading.Event()

    def begin(self) -> None:
        """Forget what was highest so far."""
        self.own = self.workers = self.largest = 0

    def run(self) -> None:
        """Sample until told to stop."""
        process = psutil.Process()
        while not self.done.wait(0.1):
            self.own = max(self.own, process.memory_info().rss)
            sizes = []
            for child in process.children(recursive=True):
                try:
                    sizes.append(child.memory_info().rss)
                except psutil.Error:  # it ended just now
                    continue
            self.workers = max(self.workers, sum(sizes))
            self.largest = max(self.largest, max(sizes, default=0))


def training(rows: int, workers: int, train_rows: int) -> dict[str, Any]:
    """Memory of one epoch of the default CGCNN, bytes, its steps and its seconds.

    Args:
        rows: crystals in the set.
        workers: loader processes.
        train_rows: train on so many of them, then load all of them once; 0 trains on all.
    """
    import pyarrow.parquet  # noqa: F401  (a library, like the others)

    from gnnmat.data.dataset import open_dataset
    from gnnmat.data.loading import DataModule, EpochBatches, loader
    from gnnmat.train.checkpoint import build as build_network
    from gnnmat.train.config import parse_config
    from gnnmat.train.fit import fit, start_seed
    from gnnmat.train.hall import Hall

    config = parse_config({"trainer": {"epochs": 1, "accelerator": "cpu", "workers": workers}})
    process = psutil.Process()
    imported = process.memory_info().rss
    sampler = Sampler()
    sampler.start()
    dataset = open_dataset(open_records(rows), CrystalGraph(), ["volume"], quiet=True)
    opening = max(sampler.own, process.memory_info().rss)
    sampler.begin()
    start_seed(0)
    encoder, task = build_network(config, dataset.spec())
    assert dataset.labels.sample is not None
    task.prepare(dataset.labels.sample)
    every = np.arange(len(dataset))
    size = config.trainer.batch_size
    chosen = every
    if 0 < train_rows < len(every):
        chosen = np.random.default_rng(0).choice(every, train_rows, replace=False)
    data = DataModule(dataset, chosen, every[:0], batch_size=size, workers=workers)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        hall = Hall(encoder, task, config.optimizer)
        trainer = fit(hall, data, config, Path(folder))
    seconds = time.perf_counter() - began
    if len(chosen) < len(every):
        seen = sum(
            len(one.row) for one in loader(dataset, EpochBatches(every, size), workers=workers)
        )
        assert seen == len(every)
    sampler.done.set()
    return {
        "seconds": seconds,
        "steps": trainer.global_step,
        "imported": imported,
        "opening": opening - imported,
        "highest": sampler.own - imported,
        "workers": sampler.workers,
        "largest": sampler.largest,
    }


STAGES = {"build": build, "open": opening, "train": training}


def fresh(stage: str, *arguments: int) -> dict[str, Any]:
    """What a stage says when run in a process of its own."""
    command = [sys.executable, __file__, "--stage", stage, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{stage} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(stage, *arguments, answer, flush=True)
    return answer


def opening_rows(rows: int, runs: int) -> list[dict[str, Any]]:
    """How long opening takes, part by part."""
    times = [fresh("open", rows) for _ in range(runs)]
    whats = {
        "store": ("opening the cached graphs", "< 1"),
        "dataset": ("opening the cached graphs, with labels and names", "< 1"),
        "table": ("reading and hashing the table before", ""),
        "hash": ("of which hashing", ""),
    }
    found = []
    for name, (what, reach) in whats.items():
        cpu = np.median([time[f"{name} CPU"] for time in times])
        note = f"CPU time {cpu:.2g} s, whatever else the machine does"
        found.append(row(what, [time[name] for time in times], "s", reach=reach, note=note))
    return found


def training_rows(rows: int, counts: list[int], disk: int, train_rows: int) -> list[dict[str, Any]]:
    """Growth of memory over the size on disk, for each number of loader processes."""
    found = []
    for workers in counts:
        many = fresh("train", rows, workers, train_rows)
        few = fresh("train", min(FEW, rows), workers, 0)
        note = (
            f"{many['highest'] / MIB:.0f} MiB, {few['highest'] / MIB:.0f} MiB of it also with "
            f"{min(FEW, rows):,} rows; {many['steps']:,} steps in {many['seconds']:.0f} s"
            + (f" on {train_rows:,} rows, then all rows loaded once" if train_rows else "")
        )
        name = f"{workers} loader processes"
        found += [
            row(
                f"highest RSS growth before training, {name}", many["opening"] / disk,
                "of the size on disk", against="graphs on disk",
                note=f"{many['opening'] / MIB:.0f} MiB while the table is read",
            ),
            row(
                f"RSS growth while training, all included, {name}", many["highest"] / disk,
                "of the size on disk", against="graphs on disk", note=note,
            ),
            row(
                f"RSS growth while training, beyond that on {FEW:,} rows, {name}",
                (many["highest"] - few["highest"]) / disk, "of the size on disk",
                against="graphs on disk", reach="<= 0.25",
            ),
        ]  # fmt: skip
        if workers:
            found.append(
                row(
                    f"RSS growth of each loader process, {name}",
                    (many["largest"] - few["largest"]) / disk, "of the size on disk",
                    against="graphs on disk", reach="<= 0.25",
                    note=f"largest {many['largest'] / MIB:.0f} MiB, all children together "
                    f"{many['workers'] / MIB:.0f} MiB (mostly libraries)",
                )
            )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=110_184)
    parser.add_argument("--workers", default="0,2", help="loader processes, such as 0,2")
    parser.add_argument("--train-rows", type=int, default=0, help="0: all rows")
    parser.add_argument("--runs", type=int, default=5, help="times the cached set is opened")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stage", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if options.stage:
        stage, *numbers = options.stage
        print(json.dumps(STAGES[stage](*map(int, numbers))))
        return
    built = fresh("build", options.rows)
    disk = built["bytes"]
    seconds = built["seconds"]
    graphs = f"{built['atoms']:,} atoms, {built['edges']:,} edges, {built['refused']} refused"
    rows = [
        row("building the graphs", seconds, "s", note="" if seconds else "found in the cache"),
        row("building", built["rows"] / seconds if seconds else None, "crystals/s", note=graphs),
        row("graphs on disk", disk / MIB, "MiB", note=f"{disk / built['edges']:.1f} bytes an edge"),
        *opening_rows(options.rows, options.runs),
        *training_rows(
            options.rows, [int(n) for n in options.workers.split(",")], disk, options.train_rows
        ),
    ]
    write(
        "memory",
        f"{options.rows:,} crystals of materials_project/structures.parquet",
        rows,
        options.json,
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
