"""Hard compounds found from predicted moduli: how many of the first fifty are hard.

A cross-validation by formula (``gnnmat crossval``) predicts the moduli of every crystal by a fit
that has not learned from its formula. Hardness follows by formula from predicted and from
computed moduli; hard is at least 30 GPa from computed ones. Rows whose computed G/K exceeds 1.35
are left out as suspect. Rivals: a forest that sees the composition alone, on the same folds, and
chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from results import row, write
from sklearn.ensemble import RandomForestRegressor

from gnnmat.data.composition import composition_features
from gnnmat.models.elements import element_properties
from gnnmat.properties.hardness import hardness_mazhnik
from gnnmat.properties.moduli import pugh

HARD = 30.0  # GPa
SUSPECT = 1.35  # G/K; that of diamond is 1.2
FIRST = 50
DRAWS = 1000
MODULI = ("K_vrh", "G_vrh")

Floats = NDArray[np.float64]


def out_of_fold(folder: Path) -> pd.DataFrame:
    """A row a crystal: formula, fold, and by modulus the truth and the prediction in GPa."""
    parts = []
    for fold in sorted(folder.glob("fold-*")):
        table = pd.read_csv(fold / "predictions.csv", keep_default_na=False, na_values=[""])
        table = table[table["split"] == "test"]
        wide = table.pivot(index="id", columns="target", values=["truth", "prediction"])
        wide.columns = [f"{target}_{kind}" for kind, target in wide.columns]
        names = table.drop_duplicates("id").set_index("id")["formula"]
        parts.append(wide.assign(formula=names, fold=int(fold.name.split("-")[1])))
    found = pd.concat(parts)
    return found[pugh(found["K_vrh_truth"], found["G_vrh_truth"]) <= SUSPECT]


def of_composition(table: pd.DataFrame, crystals: pd.DataFrame) -> Floats:
    """(rows,) hardness from moduli that a forest predicts from the composition, fold by fold."""
    numbers = [np.asarray(one) for one in crystals.loc[table.index, "numbers"]]
    features = composition_features(numbers, element_properties()[0])
    truths = np.log(table[[f"{one}_truth" for one in MODULI]].to_numpy(float))
    said = np.empty_like(truths)
    for fold in sorted(set(table["fold"])):
        test = (table["fold"] == fold).to_numpy()
        forest = RandomForestRegressor(200, min_samples_leaf=2, max_features=1 / 3, random_state=0)
        said[test] = forest.fit(features[~test], truths[~test]).predict(features[test])
    return hardness_mazhnik(*np.exp(said).T)


def precision(hardness: Floats, hard: NDArray[np.bool_], first: int = FIRST) -> float:
    """Share of the hard ones among the first by predicted hardness."""
    order = np.argsort(-np.nan_to_num(hardness, nan=-np.inf), kind="stable")[:first]
    return float(hard[order].mean())


def judged(table: pd.DataFrame, scores: dict[str, Floats]) -> list[dict[str, Any]]:
    """Rows of precision and enrichment, with intervals over formulas drawn anew."""
    truth = hardness_mazhnik(table["K_vrh_truth"], table["G_vrh_truth"])
    hard = truth >= HARD
    groups = np.unique(table["formula"], return_inverse=True)[1]
    members = [np.flatnonzero(groups == one) for one in range(groups.max() + 1)]
    random = np.random.default_rng(0)
    draws = [
        np.concatenate([members[one] for one in random.integers(0, len(members), len(members))])
        for _ in range(DRAWS)
    ]
    share = float(hard.mean())
    note = (
        f"{int(hard.sum())} of {len(hard):,} crystals are hard; each was predicted by a fit that "
        "has not learned from its formula; range: 95% bootstrap over formulas"
    )
    rows = [row("hard compounds, share of all: what chance finds", 100 * share, "%", note=note)]
    for name, values in scores.items():
        found = [precision(values[one], hard[one]) for one in draws]
        rich = [precision(values[one], hard[one]) / max(hard[one].mean(), 1e-9) for one in draws]
        mine = precision(values, hard)
        for what, value, several, unit in (
            ("share of hard ones", 100 * mine, 100 * np.array(found), "%"),
            ("enrichment over chance", mine / share, np.array(rich), ""),
        ):
            low, high = np.quantile(several, [0.025, 0.975])
            title = f"first {FIRST} by predicted hardness, {name}: {what}"
            rows.append(row(title, float(value), unit, low=float(low), high=float(high)))
        wrong = np.abs(values - truth)
        rows.append(row(f"hardness, MAE, {name}", float(np.nanmean(wrong)), "GPa"))
    both = [precision(scores["network"][one], hard[one]) for one in draws]
    other = [precision(scores["composition forest"][one], hard[one]) for one in draws]
    gain = 100 * (np.array(both) - np.array(other))
    value = 100 * (
        precision(scores["network"], hard) - precision(scores["composition forest"], hard)
    )
    ends = {"low": float(np.quantile(gain, 0.025)), "high": float(np.quantile(gain, 0.975))}
    rows.append(row(f"first {FIRST}: network less composition forest", value, "points", **ends))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/elastic-cv"), help="of crossval")
    parser.add_argument("--table", type=Path, default=Path("elastic.parquet"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = out_of_fold(options.run)
    crystals = pd.read_parquet(options.table, columns=["id", "numbers"]).set_index("id")
    scores = {
        "network": hardness_mazhnik(table["K_vrh_prediction"], table["G_vrh_prediction"]),
        "composition forest": of_composition(table, crystals),
    }
    data = "elastic_binaries.parquet, elastic_tensors.parquet, elastic_by_formula.parquet"
    write("hard_compounds", data, judged(table, scores), options.json)


if __name__ == "__main__":
    main()
