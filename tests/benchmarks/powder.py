"""Crystal system and space group from simulated powder patterns, split by formula or prototype.

Where the split is by formula, those test crystals whose prototype no training crystal has stand
beside all of them, and measured films. Crystals are those of
the Materials Project table whose group does not change between tolerances of 0.01 and 0.1 Å.
Patterns are drawn with an instrument, texture, background and noise of their own, in training anew
in every epoch.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy import finished
from fingerprints import interval
from numpy.typing import NDArray
from results import row, shared_data, write
from sklearn.metrics import balanced_accuracy_score

from gnnmat.data.loading import EpochBatches, loader
from gnnmat.data.symmetry import symmetries
from gnnmat.sources.patterns import PatternsSource
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.predictor import Predictor
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.run_folder import Run

RECIPE = "powder_crystal_system"
ANCHORS = {"crystal_system": "Park 2017, 150,000 ICSD: 95.0", "space_group": "Park 2017: 81.1"}
KNOWN = 20_000  # training patterns of the nearest neighbour
AT_ONCE = 256
# Folders of the measured films are their space groups, as the authors write them.
SYSTEMS = {
    "Fm-3m": "cubic", "pm-3m": "cubic", "I4Imcm": "tetragonal", "P3m1": "trigonal",
    "P61mmc": "hexagonal", "P21a": "monoclinic",
}  # fmt: skip


def patterns(run: Run) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
    """Patterns of training rows, unit length, and test rows' ids and patterns with fixed draws."""
    trained = load_trained(run.folder)
    prepared = prepare(trained.config, quiet=True)
    module = trained.augment
    found = []
    for split in ("train", "test"):
        rows = prepared.rows(split)[:KNOWN]
        images = [
            module(batch, "fixed", 0).image[:, 0].numpy()
            for batch in loader(prepared.dataset, EpochBatches(rows, AT_ONCE, shuffle=False))
        ]
        table = np.concatenate(images)
        table /= np.linalg.norm(table, axis=1, keepdims=True).clip(min=1e-9)
        found.append((np.asarray(prepared.dataset.ids)[rows], table))
    return found  # type: ignore[return-value]


def nearest(run: Run) -> dict[str, dict[str, float]]:
    """Accuracy and balanced accuracy, %, of the label of the training pattern most alike."""
    (known, taught), (asked, seen) = patterns(run)  # type: ignore[misc]
    place = np.concatenate(
        [(seen[at : at + AT_ONCE] @ taught.T).argmax(1) for at in range(0, len(seen), AT_ONCE)]
    )
    table = run.predictions
    scores = {}
    for target in ANCHORS:
        truth = table[table["target"] == target].set_index("id")["truth"]
        said, right = truth[known[place]].to_numpy(str), truth[asked].to_numpy(str)
        scores[target] = {
            "accuracy": 100 * float(np.mean(said == right)),
            "balanced accuracy": 100 * balanced_accuracy_score(right, said),
        }
    return scores


def strange(run: Run) -> list[dict[str, Any]]:
    """Accuracy on the test crystals whose prototype is that of no training crystal."""
    prepared = prepare(load_trained(run.folder).config, quiet=True)
    found = {
        split: symmetries(prepared.dataset, prepared.rows(split), quiet=True)
        for split in ("train", "test")
    }
    known = {one.prototype for one in found["train"].values()}
    ids = np.asarray(prepared.dataset.ids)
    asked = {str(ids[place]) for place, one in found["test"].items() if one.prototype not in known}
    table = run.predictions
    table = table[(table["split"] == "test") & table["id"].astype(str).isin(asked)]
    rows = []
    for target in ANCHORS:
        own = table[table["target"] == target]
        right = (own["truth"].astype(str) == own["prediction"].astype(str)).to_numpy()
        low, high = interval(100 * right.mean(), len(right))
        most = own["truth"].astype(str).value_counts(normalize=True).iloc[0]
        label = f"{target.replace('_', ' ')}, prototypes that training does not have, accuracy"
        note = f"{len(right):,} test crystals"
        rows.append(
            row(f"{label}: network", 100 * right.mean(), "%", low=low, high=high, note=note)
        )
        rows.append(row(f"{label}: the class that most of them have", 100 * most, "%"))
    return rows


def films(run: Run) -> list[dict[str, Any]]:
    """Crystal systems of the measured halide films, of which no training crystal is one."""
    archive = str(shared_data() / "powder_xrd_halides" / "patterns.zip")
    found = PatternsSource(path=archive, label="folder", wavelength="CuKa").open()
    truth = [SYSTEMS[str(one)] for one in found.table["label"]]
    table = run.load().predict(found)
    said = table[table["target"] == "crystal_system"].set_index("id")["prediction"]
    right = np.array(
        [said.get(name) == one for name, one in zip(found.ids, truth, strict=True)], dtype=float
    )
    low, high = interval(100 * right.mean(), len(right))
    most = max(truth.count(one) for one in set(truth)) / len(truth)
    label = "crystal system of measured films, accuracy"
    note = f"{len(right)} films, many with strong texture; no film was learned from"
    return [
        row(f"{label}: network", 100 * right.mean(), "%", low=low, high=high, note=note),
        row(f"{label}: the class that most of them have", 100 * most, "%"),
    ]


def clean(run: Run) -> dict[str, float]:
    """Accuracy, %, on the test crystals' patterns without instrument, texture and noise."""
    trained = load_trained(run.folder)
    prepared = prepare(trained.config, quiet=True)
    rows = prepared.rows("test")
    found = Predictor(trained).rows_table(prepared.dataset, rows, draw="none")
    table = run.predictions
    out = {}
    for target in ANCHORS:
        truth = table[table["target"] == target].set_index("id")["truth"]
        mine = found[found["target"] == target].set_index("id")["prediction"]
        out[target] = 100 * float((mine.astype(str) == truth[mine.index].astype(str)).mean())
    return out


def scores(run: Run, title: str) -> list[dict[str, Any]]:
    """Rows of one run: the network and its rivals on the test rows."""
    metrics = [one for one in [*run.metrics, *run.baselines] if one["split"] == "test"]
    epochs = load_trained(run.folder).config.trainer.epochs
    rivals, plain = nearest(run), clean(run)
    rows = []
    for target, anchor in ANCHORS.items():
        for metric in ("accuracy", "balanced accuracy"):
            label = f"{target.replace('_', ' ')}, {title}, {metric}"
            own = [o for o in metrics if o["target"] == target and o["metric"] == metric]
            for one in own:
                name = one.get("baseline", "")
                note = f"{one['n']:,} test crystals" + ("" if name else f", {epochs} epochs")
                rows.append(
                    row(
                        f"{label}: {name or 'network'}", 100 * one["value"], "%",
                        low=None if one.get("low") is None else 100 * one["low"],
                        high=None if one.get("high") is None else 100 * one["high"],
                        against=anchor if metric == "accuracy" and not name else "", note=note,
                    )
                )  # fmt: skip
            if metric == "accuracy":
                note = "patterns without instrument, texture, background and noise"
                rows.append(row(f"{label}: network, clean", plain[target], "%", note=note))
            note = f"cosine to {KNOWN:,} training patterns at most"
            rows.append(row(f"{label}: nearest neighbour", rivals[target][metric], "%", note=note))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/powder"), help="of the runs")
    parser.add_argument(
        "--by",
        choices=("formula", "prototype"),
        default="formula",
        help="what training and test crystals do not share",
    )
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    run = finished(options.by, RECIPE, [f"split.by={options.by}", *options.set], options.folder)
    rows = scores(run, f"split by {options.by}")
    if options.by == "formula":
        rows += [*strange(run), *films(run)]
    name = "powder" if options.by == "formula" else "powder_by_prototype"
    write(name, "materials_project/structures.parquet", rows, options.json)


if __name__ == "__main__":
    main()
