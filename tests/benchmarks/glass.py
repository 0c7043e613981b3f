"""Mobility of each particle of one glass: a demonstration of learning atom by atom in space.

One configuration of a Kob-Andersen mixture, 4,096 particles in a periodic box. It is cut into
three slabs for training, validation and test; particles closer than a buffer to a slab of another
part have no label, because neighbours move together. Three runs, one a direction of the slabs.

One configuration is no data set: nothing here can be compared with published figures on this
system (Bapst et al., Nature Physics 16, 448 (2020)), which come from hundreds of configurations
for training and others for test. What can be compared are the rows with each other.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from heads import of_model
from numpy.typing import NDArray
from results import row, shared_data, write
from rich.console import Console

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records
from gnnmat.train.config import load_config
from gnnmat.workflows.run_folder import Run, is_finished, open_run
from gnnmat.workflows.training import train

# The mixture was made after Ni80P20 (Kob & Andersen, PRE 51, 4626 (1995)); the elements only tell
# the two kinds apart. A length of 2.2 Å puts the bonds where networks for crystals expect them.
ELEMENTS = (28, 15)
SIGMA = 2.2  # Å
SLABS = {"train": 0.5, "val": 0.2, "test": 0.3}  # of the box
CONFIG = [
    "data.targets=[mobility]",
    "split.kind=column",
    "split.column=part",
    f"input.cutoff={2.0 * SIGMA}",
    "input.neighbours=null",
    "trainer.batch_size=1",
    "trainer.epochs=120",
    "trainer.ema=null",
    "model.layers=3",
]


def slab_of(positions: NDArray[np.float64], box: float) -> NDArray[np.int64]:
    """(n,) place in `SLABS` of each coordinate in a periodic box."""
    ends = np.cumsum(list(SLABS.values()))[:-1] * box
    return np.searchsorted(ends, positions % box, side="right")


def is_buffered(positions: NDArray[np.float64], box: float, buffer: float) -> NDArray[np.bool_]:
    """(n,) whether a coordinate lies closer than the buffer to another slab."""
    borders = np.concatenate([[0.0], np.cumsum(list(SLABS.values()))[:-1] * box])
    apart = np.abs(positions[:, None] % box - borders)
    return np.minimum(apart, box - apart).min(axis=1) < buffer


def glass(path: Path, time: int, direction: int, buffer: float) -> Records:
    """The configuration once a part, with the labels of that part alone."""
    with np.load(path) as data:
        positions, box = data["positions"], data["box"]
        types, mobility = data["types"], data["targets"][time]
    numbers = np.asarray(ELEMENTS)[types - types.min()]
    crystal = Crystal(np.diag(box) * SIGMA, numbers, (positions / box) % 1.0)
    along = positions[:, direction]
    slab = slab_of(along, box[direction])
    free = ~is_buffered(along, box[direction], buffer)
    values = [np.where((slab == place) & free, mobility, np.nan) for place in range(len(SLABS))]
    table = pd.DataFrame({"mobility": values, "part": list(SLABS)})
    return records_from_objects([crystal] * len(SLABS), ids=list(SLABS), targets=table)


def correlation(run: Run, element: str) -> float:
    """Pearson's correlation of prediction and truth over the test particles of one kind."""
    rows = run.predictions.query("split == 'test' and element == @element").dropna(subset="truth")
    return float(np.corrcoef(rows["truth"], rows["prediction"])[0, 1])


def rows_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Scores of the three directions."""
    runs = []
    chosen = of_model(options.name, options.recipe, options.set, CONFIG)
    config = load_config(options.recipe, chosen)
    for direction in range(3):
        place = options.folder / f"glass-{options.name}-{direction}"
        if is_finished(place):
            runs.append(open_run(place))
            continue
        records = glass(
            shared_data() / "glass_kob_andersen.npz", options.time, direction, options.buffer
        )
        runs.append(
            train(config, place, records=records, overwrite=True, console=Console(stderr=True))
        )
    note = (
        f"one configuration, slabs with a buffer of {options.buffer:g} sigma, time "
        f"{options.time}; not comparable with published figures"
    )
    what = "mobility of a glass's particles (demonstration)"
    rows = [
        row(f"{what}: MAE, {options.name}", [run.value("MAE") for run in runs], "sigma", note=note)
    ]
    for name in ("mean", "site forest"):
        values = [
            one["value"]
            for run in runs
            for one in run.baselines
            if (one["baseline"], one["metric"], one["split"]) == (name, "MAE", "test")
        ]
        rows.append(row(f"{what}: MAE, {name}", values, "sigma"))
    found = [correlation(run, "Ni") for run in runs]
    label = f"{what}: correlation over the larger kind, {options.name}"
    return [*rows, row(label, found, "", note=note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="crystals")
    parser.add_argument("--name", default="cgcnn", help="of the model, in rows and folders")
    parser.add_argument(
        "--time",
        type=int,
        default=9,
        help="place of the time in the file, from 0; the last is that of structural relaxation, "
        "where the self part of the scattering function has fallen to 1/e",
    )
    parser.add_argument("--buffer", type=float, default=1.0, help="sigma")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench"), help="of the runs")
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    write(f"glass_{options.name}", "one configuration", rows_of(options), options.json)


if __name__ == "__main__":
    main()
