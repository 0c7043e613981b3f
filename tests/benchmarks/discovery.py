"""Discovery metrics of predicted stability: a composition forest, out of fold by formula.

``e_above_hull`` of the Materials Project, as stored: never negative, for an entry on the hull is
part of it. That is not the task of Matbench Discovery, where new crystals are judged against an
older hull, so numbers cannot be compared with its table; and a forest that sees composition alone
gives all polymorphs of a formula one energy. It is a stand-in that shows what the metrics say.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import row, shared_data, write
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold

from gnnmat.data.composition import composition_features
from gnnmat.models.elements import element_properties
from gnnmat.sources.prototype_label import formula
from gnnmat.workflows.baselines import COLUMNS_A_SPLIT
from gnnmat.workflows.screening.discovery import judge_discovery
from gnnmat.workflows.screening.discovery_curves import campaign

THRESHOLDS = (0.0, 0.05, 0.1)  # eV/atom
SHOWN = ("F1", "DAF", "precision", "recall", "FPR", "false positives near the hull", "MAE", "R2")
SIZES = (100, 1000, 10_000)
FOLDS, TREES, ROWS_A_TREE = 5, 50, 10_000


def known_data() -> pd.DataFrame:
    """``e_above_hull``, ``numbers`` and ``formula`` of the rows that have a label."""
    folder = shared_data() / "materials_project"
    labels = pd.read_parquet(folder / "labels.parquet", columns=["id", "e_above_hull"]).dropna()
    crystals = pd.read_parquet(folder / "structures.parquet", columns=["id", "numbers"])
    table = labels.merge(crystals, on="id")
    return table.assign(formula=[formula(np.asarray(one)) for one in table["numbers"]])


def out_of_fold(table: pd.DataFrame) -> np.ndarray:
    """(rows,) what forests that have not seen the formula say, eV/atom."""
    features = composition_features(list(table["numbers"]), element_properties()[0])
    truth, said = table["e_above_hull"].to_numpy(), np.full(len(table), np.nan)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for number, (train, held) in enumerate(folds.split(features, groups=table["formula"])):
        forest = RandomForestRegressor(
            TREES, max_features=COLUMNS_A_SPLIT, max_samples=min(ROWS_A_TREE, len(train)),
            random_state=number, n_jobs=1,
        )  # fmt: skip
        said[held] = forest.fit(features[train], truth[train]).predict(features[held])
        print(f"fold {number + 1} of {FOLDS}", flush=True)
    return said


def verdicts(table: pd.DataFrame, said: np.ndarray) -> list[dict[str, Any]]:
    """Threshold by threshold: the forest, and the answer that everything is stable."""
    truth, out = table["e_above_hull"].to_numpy(), []
    for threshold in THRESHOLDS:
        found = judge_discovery(truth, said, threshold=threshold, groups=table["formula"])
        all_stable = judge_discovery(truth, np.zeros(len(truth)), threshold=threshold, resamples=0)
        scores = found.scores.set_index("metric")
        for name in SHOWN:
            value, low, high = (float(scores.loc[name, key]) for key in ("value", "low", "high"))
            beside = all_stable.value(name)
            out.append(
                row(
                    f"{found.rows:,} crystals, stable up to {threshold:g} eV/atom: {name}",
                    value if np.isfinite(value) else None,
                    str(scores.loc[name, "unit"]),
                    low=low if np.isfinite(low) else None,
                    high=high if np.isfinite(high) else None,
                    against=f"all stable: {beside:.3g}" if np.isfinite(beside) else "",
                    reach="report",
                    note=f"prevalence {found.value('prevalence'):.3f}; 95% by formula",
                )
            )
    return out


def ranked(table: pd.DataFrame, said: np.ndarray) -> list[dict[str, Any]]:
    """Precision among the predicted most stable."""
    found = campaign(table["e_above_hull"], said, SIZES)
    return [
        row(
            f"predicted most stable {one.computed:,.0f}: on the hull",
            100 * one.precision, "%", against=f"chance: {100 * one.precision / one.DAF:.1f}%",
            reach="report", note=f"DAF {one.DAF:.3f}",
        )
        for one in found.itertuples()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = known_data()
    said = out_of_fold(table)
    rows = [*verdicts(table, said), *ranked(table, said)]
    write("discovery", "materials_project/labels, e_above_hull", rows, options.json)


if __name__ == "__main__":
    main()
