"""Memory and opening time of a large set of crystals, against the size of its graphs on disk.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/memory.py --rows 110184 --workers 0,2

Every figure comes from a fresh process. The graphs are built unless the cache (GNNMAT_CACHE) has
them; the cached set is opened five times; then the default CGCNN is trained for one epoch over
every row, with each number of loader processes, while the memory of all processes is sampled ten
times a second. What is learned is the volume per atom, which every crystal has.

Growth is counted from the moment all libraries are imported, so it holds the network, the
activations of a batch, the labels and the names besides the data. The same training on a few rows
says how much of it has nothing to do with the size of the set.
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
    """The first ``rows`` crystals of the Materials Project table, with their volume per atom."""
    path = shared_data() / "materials_project" / "structures.parquet"
    records = TableSource(path=str(path)).open()
    if rows < len(records):
        records = records.take(list(range(rows)))
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

    times = {}
    path = shared_data() / "materials_project" / "structures.parquet"
    import pyarrow.parquet  # noqa: F401  (not what is timed)

    began = time.perf_counter()
    records = TableSource(path=str(path)).open()
    times["table"] = time.perf_counter() - began
    began = time.perf_counter()
    records.raws.fingerprint()  # type: ignore[attr-defined]
    times["hash"] = time.perf_counter() - began
    records = open_records(rows)
    began = time.perf_counter()
    open_store(records, CrystalGraph(), quiet=True)
    times["store"] = time.perf_counter() - began
    began = time.perf_counter()
    open_dataset(records, CrystalGraph(), ["volume"], quiet=True)
    times["dataset"] = time.perf_counter() - began
    return times


class Sampler(threading.Thread):
    """Highest resident memory of this process and of its children, sampled."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.workers = self.largest = 0
        self.done = threading.Event()

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


def training(rows: int, workers: int) -> dict[str, Any]:
    """Memory of one epoch of the default CGCNN over these rows, bytes, and its seconds."""
    from gnnmat.data.dataset import open_dataset
    from gnnmat.data.loading import DataModule
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
    opened = process.memory_info().rss
    start_seed(0)
    encoder, task = build_network(config, dataset.spec())
    assert dataset.labels.sample is not None
    task.prepare(dataset.labels.sample)
    every = np.arange(len(dataset))
    size = config.trainer.batch_size
    data = DataModule(dataset, every, every[:0], batch_size=size, workers=workers)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        hall = Hall(encoder, task, config.optimizer)
        trainer = fit(hall, data, config, Path(folder))
    sampler.done.set()
    return {
        "seconds": time.perf_counter() - began,
        "steps": trainer.global_step,
        "imported": imported,
        "opened": opened - imported,
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
    return [
        row(what, [time[name] for time in times], "s", reach=reach)
        for name, (what, reach) in whats.items()
    ]


def training_rows(rows: int, counts: list[int], disk: int) -> list[dict[str, Any]]:
    """Growth of memory over the size on disk, for each number of loader processes."""
    found = []
    for workers in counts:
        many, few = fresh("train", rows, workers), fresh("train", min(FEW, rows), workers)
        note = (
            f"{many['highest'] / MIB:.0f} MiB, {few['highest'] / MIB:.0f} MiB of it also with "
            f"{min(FEW, rows):,} rows; {many['steps']:,} steps in {many['seconds']:.0f} s"
        )
        name = f"{workers} loader processes"
        found += [
            row(
                f"RSS growth of the training process, {name}", many["highest"] / disk,
                "of the size on disk", against="graphs on disk", note=note,
            ),
            row(
                f"RSS growth that comes with the data, {name}",
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
        *training_rows(options.rows, [int(n) for n in options.workers.split(",")], disk),
    ]
    write(
        "memory",
        f"the first {options.rows:,} crystals of materials_project/structures.parquet",
        rows,
        options.json,
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
