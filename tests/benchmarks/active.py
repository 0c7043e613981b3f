"""Active learning on known data: hide computed moduli, reveal what is asked for.

Bulk modulus and hardness of the binaries in ``elastic_binaries.parquet``; a random forest on
elements and packing is taught anew every round, and the spread over its trees is its uncertainty.
All methods begin with the same 50 crystals where seeds are equal, and ask for 20 at a time. How
many of the 50 best (and of the best 1%) are found by then is what counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from elastic_set import SMALLEST
from results import row, shared_data, write
from scipy.stats import t

from gnnmat.properties.hardness import hardness_mazhnik
from gnnmat.properties.moduli import pugh
from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.features import candidate_features
from gnnmat.workflows.screening.loop import compare_loops
from gnnmat.workflows.screening.table import rows_of

matplotlib.use("Agg")
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "active.png"
START, BATCH, ROUNDS = 50, 20, 10
SUSPECT = 1.35  # G/K above diamond's: computed moduli that are hardly true
TOPS = {50: "50 best", 0.01: "best 1%"}
SPHERES = 0.02  # diversity of the methods beside each other; the default of gnnmat is narrower
LOOPS: dict[str, tuple[str, float]] = {  # name: method, diversity
    "expected improvement": ("expected_improvement", SPHERES),
    "expected improvement, no diversity": ("expected_improvement", 0.0),
    "expected improvement, diversity 0.25": ("expected_improvement", 0.25),
    "uncertainty": ("uncertainty", SPHERES),
    "greedy": ("greedy", SPHERES),
    "random": ("random", 0.0),
}
RIVALS = ("greedy", "expected improvement, no diversity")
LINES = {
    "expected improvement": ("#1f6fb2", "-"),
    "expected improvement, no diversity": ("#1f6fb2", "--"),
    "expected improvement, diversity 0.25": ("#1f6fb2", ":"),
    "uncertainty": ("#3a923a", "-"),
    "greedy": ("#d9822b", "-"),
    "random": ("#888888", "-"),
}


def known_data() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Features of the binaries, and what is to be maximised."""
    table = pd.read_parquet(shared_data() / "elastic_binaries.parquet")
    kept = (table[["K_vrh", "G_vrh"]] >= SMALLEST).all(axis=1)
    kept &= pugh(table["K_vrh"], table["G_vrh"]) <= SUSPECT
    table = table[kept].reset_index(drop=True)
    parts = (table[name] for name in ("lattice", "numbers", "frac"))
    crystals = [as_crystal(*one) for one in zip(*parts, strict=True)]
    features = candidate_features(rows_of([str(one) for one in table["id"]], crystals))
    hardness = hardness_mazhnik(table["K_vrh"], table["G_vrh"])
    bulk = table["K_vrh"].to_numpy(dtype=np.float64)
    return features, {"bulk modulus": bulk, "hardness": hardness}


def curves(options: argparse.Namespace) -> pd.DataFrame:
    """``goal, name, seed, top, computed, found`` of all loops."""
    features, goals = known_data()
    tables = []
    for goal, truth in goals.items():
        for name, (method, diversity) in LOOPS.items():
            found = compare_loops(
                features, truth, [method], range(options.seeds), tops=TOPS,
                start=START, batch=BATCH, rounds=options.rounds, diversity=diversity,
            )  # fmt: skip
            tables.append(found.assign(goal=goal, name=name, rows=len(truth)))
            print(goal, name, found.groupby("top")["found"].max().to_dict(), flush=True)
    return pd.concat(tables, ignore_index=True)


def shares(table: pd.DataFrame, computed: int) -> np.ndarray:
    """(seeds,) share found when so many are computed, in the order of the seeds."""
    at = table[table["computed"] == computed].sort_values("seed")
    return at["found"].to_numpy()


def rows_of_result(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Share found after some rounds, and the gain over greedy, random and ranked batches."""
    last = int(table["computed"].max())
    stops = [START + BATCH * one for one in (5,) if START + BATCH * one < last] + [last]
    out = []
    for goal, of_goal in table.groupby("goal"):
        for top, label in TOPS.items():
            found = dict(iter(of_goal[of_goal["top"] == top].groupby("name")))
            for stop in stops if top == 50 else stops[-1:]:
                each = {name: 100 * shares(one, stop) for name, one in found.items()}
                what = f"{goal}, {label} found of {of_goal['rows'].iloc[0]:,} with {stop} computed"
                out += [_row(f"{what}: {name}", each[name]) for name in LOOPS]
                out += [_gain(what, each, other) for other in RIVALS]
    return out


def _row(what: str, values: np.ndarray) -> dict[str, Any]:
    low, high = np.clip(_interval(values), 0, 100)
    note = f"mean of {len(values)} seeds, 95% of their mean; {START} drawn, then {BATCH} at a time"
    return row(
        what, float(values.mean()), "%", low=float(low), high=float(high), reach="report", note=note
    )


def _gain(what: str, each: dict[str, np.ndarray], other: str) -> dict[str, Any]:
    what = f"{what}: expected improvement less {other.removeprefix('expected improvement, ')}"
    gain = each["expected improvement"] - each[other]
    low, high = _interval(gain)
    note = "seed by seed, 95% of the mean"
    return row(
        what, round(float(gain.mean()), 6), "points", low=low, high=high, reach="report", note=note
    )


def _interval(values: np.ndarray) -> tuple[float, float]:
    """95% of the mean over seeds, by Student's t."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def draw(table: pd.DataFrame) -> None:
    """Found-best curves: mean over the seeds, and their range."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained", sharey=True)
    for part, (goal, of_goal) in zip(axes, table[table["top"] == 50].groupby("goal"), strict=True):
        for name in LOOPS:
            wide = of_goal[of_goal["name"] == name].pivot(
                index="computed", columns="seed", values="found"
            )
            at = [0, *range(START, int(wide.index.max()) + 1, BATCH)]
            percent = 100 * wide.loc[at]
            colour, style = LINES[name]
            part.plot(at, percent.mean(axis=1), style, color=colour, label=name)
            if style == "-":
                low, high = percent.min(axis=1), percent.max(axis=1)
                part.fill_between(at, low, high, color=colour, alpha=0.12, lw=0)
        part.axvline(START, color="#bbbbbb", lw=0.8)
        part.set_title(f"{goal}, {of_goal['rows'].iloc[0]:,} binaries", fontsize=10)
        part.set_xlabel("crystals computed")
    axes[0].set_ylabel("share of the 50 best that is found, %")
    axes[0].legend(fontsize=8)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--curves", type=Path, help="parquet that they are kept in and read from")
    options = parser.parse_args()
    if options.curves and options.curves.is_file():
        table = pd.read_parquet(options.curves)
    else:
        table = curves(options)
        if options.curves:
            table.to_parquet(options.curves)
    draw(table)
    data = "elastic_binaries, K and G of at least 1 GPa, G/K up to 1.35"
    write("active", data, rows_of_result(table), options.json)


if __name__ == "__main__":
    main()
