"""How well `pcsmo-exchange` refuses spectra that it was not trained for.

    python tests/benchmarks/foreign.py --run pcsmo-exchange --set pcsmo-all

``--softmax`` names a single network with softmax and dropout, of which thresholds were fixed by
``gnnmat trust RUN --dropout-samples 8`` (that of ``comparison.py`` serves): what its confidence and
the spread of its dropout notice stands beside.

Families were fixed beforehand (`configs/pcsmo_foreign.yaml`, `gnnmat/workflows/foreign_*.py`);
none was used to choose a network or a threshold. All of them get noise and masks as the training
images do, but for those that are about noise and masks.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import row, write

from gnnmat.data.dataset import open_dataset
from gnnmat.simulation.hypotheses import load_simulation
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.train.judge import load_judge
from gnnmat.workflows.foreign import VERDICT, all_families, foreign_scores, separation
from gnnmat.zoo import find_model

OWN = 1000  # test images to compare with


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The worst family of each score, and every family under the verdict."""
    foreign = table[table["family"] != "test rows"]
    rows = []
    for score, part in foreign.groupby("score"):
        worst = part.sort_values("auroc").iloc[0]
        rows.append(
            row(
                f"AUROC by {score}, worst of {len(part)} families", float(worst["auroc"]), "",
                reach=">= .97",
                note=f"{worst['family']}; median family {part['auroc'].median():.3f}",
            )
        )  # fmt: skip
    for _, one in foreign[foreign["score"] == VERDICT].sort_values("auroc").iterrows():
        rows.append(
            row(
                f"{one['family']}: AUROC of the verdict", float(one["auroc"]), "",
                note=f"{100 * one['refused']:.0f}% of {one['n']:.0f} refused",
            )
        )  # fmt: skip
    own = table[(table["family"] == "test rows") & (table["score"] == VERDICT)].iloc[0]
    note = f"{own['n']:.0f} test images"
    rows.append(row("own test images refused", float(own["refused"]), "", reach=".05", note=note))
    return rows


def softmax_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The worst family for the confidence of a softmax network, and for its dropout."""
    rows = []
    named = {"confidence": "softmax of one network", "mutual_information": "dropout of it"}
    for score, words in named.items():
        part = table[(table["family"] != "test rows") & (table["score"] == score)]
        worst = part.sort_values("auroc").iloc[0]
        what = f"AUROC by {words}, worst of {len(part)} families"
        note = f"{worst['family']}; median family {part['auroc'].median():.3f}"
        rows.append(row(what, float(worst["auroc"]), "", note=note))
    return rows


def compared(judge: Any, options: argparse.Namespace) -> pd.DataFrame:
    """Every family and score of a run, against its own test images."""
    records = SimulatedSource(path=str(options.set)).open()
    chosen = np.arange(options.first, len(records))
    dataset = open_dataset(records.take(chosen.tolist()), judge.trained.config.input)
    places = np.arange(min(OWN, len(dataset)))
    own = judge.scores(judge.observe(dataset, places, draw="fixed", batch_size=64))
    base = np.asarray(dataset.store.array("image")[: options.count])[:, 0]
    simulation = load_simulation("pcsmo")
    layout = simulation.layout.build()
    options.images.mkdir(exist_ok=True)
    found = {
        name: foreign_scores(judge, family)
        for name, family in all_families(
            simulation, None, base, layout, options.images, options.count, 0
        )
    }
    return separation(judge, own, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="trained ensemble with trust.json")
    parser.add_argument("--softmax", type=Path, help="trained network to compare with")
    parser.add_argument("--set", type=Path, required=True, help="simulated set")
    parser.add_argument("--first", type=int, default=5200, help="first test image of the set")
    parser.add_argument("--images", type=Path, default=Path("foreign"), help="kept families")
    parser.add_argument("--count", type=int, default=60, help="images a family")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    judge = load_judge(find_model(options.run))
    table = compared(judge, options)
    print(table.to_string())
    data = "simulated; noise table and mask of ins_pcsmo"
    rows = rows_of(table)
    if options.softmax:
        rows += softmax_rows(compared(load_judge(options.softmax), options))
    write("foreign", data, rows, options.json)


if __name__ == "__main__":
    main()
