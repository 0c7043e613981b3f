"""The paper's network, its pooled variant and ours on the same spectra, each for minutes.

    gnnmat simulate configs/pcsmo.yaml -n 2600 -o pcsmo
    GNNMAT_DATA=/path/to/data python tests/benchmarks/comparison.py --set pcsmo

All learn the hypothesis from the same 1,200 images with noise and masks as measured, with the
optimizer of the recipe; 20% of the images are the test. An epoch of the paper's networks takes many
times as long as one of ours, so ours are given more epochs, and still less time. After as many
epochs as the paper's they are behind it. Runs are kept in ``--folder`` and taken up again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import row, write

from gnnmat.shipped import recipes
from gnnmat.train.config import load_config
from gnnmat.workflows.training import train

NETWORKS = {  # and epochs
    "the paper's": ("model={kind: butler}", 8),
    "the paper's, pooled": ("model={kind: butler, pooled: true}", 8),
    "slices": ("model={kind: slices, symmetric: true}", 30),
    "stack, the shipped one": ("model={kind: stack, width: 48, features: 64}", 60),
}
TASK = "task={kind: classification, head: {hidden: []}}"
SHARED = (
    TASK,
    "split={kind: random, val: 0.1, test: 0.2}",
    "data.targets=[hypothesis]",
    "optimizer={lr: 1.0e-3, weight_decay: 1.0e-3, warmup: 0.15}",
    "trainer.logs=[]",
)


def one_run(name: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Test accuracy, epochs and seconds of one network."""
    folder = options.folder / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
    config = load_config(
        recipes("training")["pcsmo_exchange"],
        [
            NETWORKS[name][0],
            *SHARED,
            f"data.source.path={options.set}",
            f"data.limit={options.limit}",
            f"trainer.epochs={NETWORKS[name][1]}",
            f"trainer.seed={seed}",
        ],
    )
    if not (folder / "metrics.json").is_file():
        train(config, folder, overwrite=True)
    found = json.loads((folder / "metrics.json").read_text())
    accuracy = next(
        one["value"]
        for one in found["metrics"]
        if one["split"] == "test" and one["metric"] == "accuracy"
    )
    history = pd.read_csv(folder / "history.csv")
    seconds = float(history["seconds"].iloc[-1]) / len(history)  # counted from the beginning
    return {"accuracy": accuracy, "seconds": seconds}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, help="simulated set")
    parser.add_argument("--limit", type=int, default=1200)
    parser.add_argument("--seeds", type=int, default=3, help="of all but the paper's network")
    parser.add_argument("--folder", type=Path, default=Path("runs/comparison"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for name in NETWORKS:
        seeds = 1 if name == "the paper's" else options.seeds
        found = [one_run(name, options, seed) for seed in range(seeds)]
        each = float(np.median([one["seconds"] for one in found]))
        epochs = NETWORKS[name][1]
        accuracy = [one["accuracy"] for one in found]
        note = f"{options.limit} images, {epochs} epochs of {each:.0f} s on one thread"
        rows.append(row(f"{name}: test accuracy", accuracy, "", against="chance .5", note=note))
    write("comparison", "simulated; noise table and mask of ins_pcsmo", rows, options.json)


if __name__ == "__main__":
    main()
