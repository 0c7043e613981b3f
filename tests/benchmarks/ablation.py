"""What each part of the `gated` model is worth: the recipe with one thing changed at a time.

Three data sets, each small enough for a few minutes of one core: Matbench phonons, fold 0 (on which
the design was chosen); formation energy on 2,000 of the 10,000 ids for 40 epochs; elastic moduli.
Scored on fold 0's test rows, and on validation rows; a guide to the design, no benchmark of it.
Fewer epochs would reward what learns fast, which need not be what is right in the end.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy import CGCNN, finished
from elastic_set import write_elastic_set
from models import SPLIT
from results import row, shared_data, write

from gnnmat.atomic import write_atomically
from gnnmat.workflows.run_folder import METRICS

VARIANTS: dict[str, list[str]] = {
    "as in the recipe": [],
    "without angles": ["input.angles=0"],
    "without radii": ["model.radii=false"],
    "12 neighbours": ["input.neighbours=12"],
    "mean over atoms": ["model.pool=mean"],
    "all within 5 Å, smooth cutoff": [
        "input={kind: crystal_graph, cutoff: 5.0, neighbours: null, fold: true, angles: 6}",
        "model.envelope=true",
        "model.gaussian_cutoff=5.0",
    ],
    "atoms told of their crystal": ["model.crystal=always"],
    "2 rounds": ["model.layers=2"],
    "3 rounds": ["model.layers=3"],
    "4 rounds": ["model.layers=4"],
    "width 64": ["model.width=64"],
    "dropout 0.1": ["model.dropout=0.1"],
    "linear head": ["task.head.hidden=[]"],
    "weight decay 1e-3": ["optimizer.weight_decay=1e-3"],
    "weight decay 0.1": ["optimizer.weight_decay=0.1"],
    "learning rate 1e-3": ["optimizer.lr=1e-3"],
    "batches of 64": ["trainer.batch_size=64"],
    "own cgcnn": CGCNN,
}


def phonons(folder: Path, name: str, options: list[str]) -> float:
    """MAE on the test rows of fold 0, 1/cm."""
    data = [
        "data.source={kind: table, path: $GNNMAT_DATA/matbench_phonons.parquet, "
        "units: {last_phdos_peak: 1/cm}}",
        "data.targets=[last_phdos_peak]",
        "split.index=0",
        "split.val=0",
    ]
    table = finished(name, "matbench_phonons", [*data, *options], folder).predictions
    test = table[table["split"] == "test"]
    return float((test["prediction"] - test["truth"]).abs().mean())


def formation_energy(folder: Path, name: str, options: list[str]) -> float:
    """MAE on the 1,000 validation ids after 40 epochs on 2,000 ids, eV/atom."""
    ids = folder / "ids-2000.csv"
    if not ids.is_file():
        table = pd.read_csv(shared_data() / "materials_project" / "e_form_10k.csv")
        train = table[table["split"] == "train"]
        kept = train.iloc[np.sort(np.random.default_rng(0).permutation(len(train))[:2000])]
        rows = pd.concat([kept, table[table["split"] == "val"]])
        write_atomically(ids, rows.to_csv(index=False))
    settings = [f"data.source.ids={json.dumps(str(ids))}", "trainer.epochs=40"]
    table = finished(name, "mp_formation_energy", [*settings, *options], folder).predictions
    val = table[table["split"] == "val"]
    return float((val["prediction"] - val["truth"]).abs().mean())


def elastic(folder: Path, name: str, options: list[str]) -> float:
    """Mean of the MAE of log10 K and log10 G on the validation rows after 20 epochs."""
    source = f"data.source.path={write_elastic_set(folder)}"
    settings = [source, SPLIT, "trainer.epochs=20"]
    table = finished(name, "elastic_moduli", [*settings, *options], folder).predictions
    val = table[(table["split"] == "val") & table["truth"].notna()]
    return float(np.abs(np.log10(val["prediction"]) - np.log10(val["truth"])).mean())


SETS = {
    "phonons": (phonons, "1/cm", "test rows of fold 0"),
    "formation_energy": (
        formation_energy,
        "eV/atom",
        "2,000 of the 10,000 ids, 40 epochs, MAE on 1,000 validation ids; a value a seed",
    ),
    "elastic": (elastic, "log10 GPa", "moduli of three tables, 20 epochs, validation rows"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=SETS)
    parser.add_argument("--folder", type=Path, default=Path("runs/ablation"), help="of the runs")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=VARIANTS, help="default: all")
    parser.add_argument("--finished", action="store_true", help="train nothing, read what is there")
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    score, unit, data = SETS[options.part]
    rows: list[dict[str, Any]] = []
    for name in options.only or VARIANTS:
        values = []
        for seed in range(options.seeds):
            run = f"{options.part}-{name.replace(' ', '_')}-{seed}"
            if options.finished and not (options.folder / run / METRICS).is_file():
                continue
            chosen = [*VARIANTS[name], f"trainer.seed={seed}", *options.set]
            values.append(score(options.folder, run, chosen))
            print(name, seed, values[-1], flush=True)
        if values:
            rows.append(row(name, values, unit))
    write(f"ablation_{options.part}", data, rows, options.json)


if __name__ == "__main__":
    main()
