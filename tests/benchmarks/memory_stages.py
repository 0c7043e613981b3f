"""What the memory benchmark measures, each part run in a process of its own by `memory.py`.

    python tests/benchmarks/memory_stages.py STAGE TABLE NUMBERS...

The last line printed is the answer as JSON.
"""

from __future__ import annotations

import json
import logging
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

from gnnmat.data.cache import cache_folder, cache_key
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.sources.records import Records
from gnnmat.sources.table import TableSource


def open_records(table: str) -> Records:
    """The crystals of a table, with their volume per atom as the only target."""
    records = TableSource(path=table).open()
    lattice = np.stack([np.asarray(raw[0]).reshape(3, 3) for raw in records.raws])
    atoms = np.asarray([len(raw[1]) for raw in records.raws])
    volumes = pd.DataFrame({"volume": np.abs(np.linalg.det(lattice)) / atoms})
    return replace(records, table=volumes, units={"volume": "Å^3/atom"})


def build(table: str) -> dict[str, Any]:
    """Seconds to build the graphs, or None where they were there already; bytes on disk."""
    from gnnmat.data.cache import open_store

    records = open_records(table)
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


def opening(table: str) -> dict[str, float]:
    """Seconds of the parts of opening a cached set."""
    from gnnmat.data.cache import open_store
    from gnnmat.data.dataset import open_dataset

    times: dict[str, float] = {}
    import pyarrow.parquet  # noqa: F401  (not what is timed)

    def timed(name: str, function: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        times[name] = time.perf_counter() - wall
        times[f"{name} CPU"] = time.process_time() - cpu
        return result

    records = timed("table", TableSource(path=table).open)
    timed("hash", records.raws.fingerprint)
    records = open_records(table)
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


def training(table: str, workers: int, train_rows: int) -> dict[str, Any]:
    """Memory of one epoch of the default CGCNN, bytes, its steps and its seconds.

    Args:
        table: the crystals.
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
    dataset = open_dataset(open_records(table), CrystalGraph(), ["volume"], quiet=True)
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


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    stage, path, *numbers = sys.argv[1:]
    print(json.dumps(STAGES[stage](path, *map(int, numbers))))
