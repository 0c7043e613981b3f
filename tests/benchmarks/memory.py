"""Memory and opening time of a large set of crystals, against the size of its graphs on disk.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/memory.py --rows 110184 --workers 0,2

Every figure comes from a fresh process. The graphs are built unless the cache (GNNMAT_CACHE) has
them; the cached set is opened five times; then the default CGCNN is trained for one epoch over
every row, with each number of loader processes, while the memory of all processes is sampled ten
times a second. What is learned is the volume per atom, which every crystal has. On a slow machine
--train-rows trains on so many rows drawn at random, and then only loads every row once.

Growth is counted from the moment all libraries are imported to the highest point of the epoch,
so it holds the network, the activations of a batch, the labels and the names besides the graphs.
The same training on a small table says how much has nothing to do with the size of the set.
The short peak while the table of structures is read and hashed has a row of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results import row, shared_data, write

STAGES = Path(__file__).with_name("memory_stages.py")
FEW = 4000  # rows of the run that shows what does not depend on the size of the set
MIB = 2**20


def subset(rows: int, folder: str) -> Path:
    """A table of so many crystals, evenly spaced; the whole one if it has no more."""
    import pyarrow.parquet

    path = shared_data() / "materials_project" / "structures.parquet"
    table = pyarrow.parquet.read_table(path)
    if rows >= table.num_rows:
        return path
    chosen = np.linspace(0, table.num_rows - 1, rows).astype(int)
    small = Path(folder) / f"{rows}.parquet"
    pyarrow.parquet.write_table(table.take(chosen), small)
    return small


def fresh(stage: str, table: Path, *numbers: int) -> dict[str, Any]:
    """What a stage says when run in a process of its own."""
    command = [sys.executable, str(STAGES), stage, str(table), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{stage} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(stage, table.name, *numbers, answer, flush=True)
    return answer


def opening_rows(table: Path, runs: int) -> list[dict[str, Any]]:
    """How long opening takes, part by part."""
    times = [fresh("open", table) for _ in range(runs)]
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


def training_rows(
    table: Path, small: Path, counts: list[int], disk: int, train_rows: int
) -> list[dict[str, Any]]:
    """Growth of memory over the size on disk, for each number of loader processes."""
    found = []
    for workers in counts:
        many = fresh("train", table, workers, train_rows)
        few = fresh("train", small, workers, 0)
        note = (
            f"{many['highest'] / MIB:.0f} MiB, {few['highest'] / MIB:.0f} MiB of it also with "
            f"{FEW:,} rows; {many['steps']:,} steps in {many['seconds']:.0f} s"
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
                "of the size on disk", against="graphs on disk", reach="<= 0.25", note=note,
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options, subset(options.rows, folder), subset(FEW, folder))
    data = f"{options.rows:,} crystals of materials_project/structures.parquet"
    write("memory", data, rows, options.json)


def measure(options: argparse.Namespace, table: Path, small: Path) -> list[dict[str, Any]]:
    """All rows of the result."""
    built = fresh("build", table)
    disk = built["bytes"]
    seconds = built["seconds"]
    graphs = f"{built['atoms']:,} atoms, {built['edges']:,} edges, {built['refused']} refused"
    counts = [int(number) for number in options.workers.split(",")]
    return [
        row("building the graphs", seconds, "s", note="" if seconds else "found in the cache"),
        row("building", built["rows"] / seconds if seconds else None, "crystals/s", note=graphs),
        row("graphs on disk", disk / MIB, "MiB", note=f"{disk / built['edges']:.1f} bytes an edge"),
        *opening_rows(table, options.runs),
        *training_rows(table, small, counts, disk, options.train_rows),
    ]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
