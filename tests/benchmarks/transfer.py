"""Learning curves of small sets: weights drawn at random against a run trained on formation energy.

``--from RUN`` names the finished run (or ensemble) to begin with; without it a small one is trained
first. Both curves have its model and input, the same rows, epochs and seeds. Moduli are split by
formula. Superconductors are split by family: the chief elements (5% of the atoms or more), with
rare earths taken as one, because variants of one compound have many formulas and nearly one Tc.
"""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import ratios, row, shared_data, write
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.data.split_groups import draw_groups
from gnnmat.sources.prototype_label import formula
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import member_folders
from gnnmat.train.config import load_config, parse_config
from gnnmat.workflows.cross_validation import finish_run
from gnnmat.workflows.run_folder import Run

# Sc, Y and the lanthanides: they replace one another in a structure and hardly change Tc.
RARE_EARTHS = frozenset("Sc Y La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu".split())
CHIEF = 0.05  # share of the atoms


def family(composition: str) -> str:
    """Chief elements of a formula with numbers, rare earths as ``R``: ``Ba-Cu-O-R``."""
    parts = re.findall(r"([A-Z][a-z]?)([0-9.]*)", composition)
    amounts: dict[str, float] = {}
    for symbol, amount in parts:
        name = "R" if symbol in RARE_EARTHS else symbol
        amounts[name] = amounts.get(name, 0.0) + float(amount or 1)
    total = sum(amounts.values())
    return "-".join(sorted(name for name, amount in amounts.items() if amount >= CHIEF * total))


def moduli() -> tuple[str, pd.DataFrame, dict[str, str]]:
    """Table, rows of id, group and targets, units by target."""
    table = pd.read_parquet(shared_data() / "elastic_binaries.parquet")
    rows = pd.DataFrame(
        {
            "id": table["id"],
            "group": [formula(np.asarray(numbers)) for numbers in table["numbers"]],
            "log_K": np.log10(table["K_vrh"]),
            "log_G": np.log10(table["G_vrh"]),
        }
    )
    return "elastic_binaries", rows, {"log_K": "log10(GPa)", "log_G": "log10(GPa)"}


def superconductors() -> tuple[str, pd.DataFrame, dict[str, str]]:
    """Table, rows of id, group and target, unit by target; ln(1 + Tc/K), zero for none."""
    table = pd.read_parquet(shared_data() / "superconductors_3dsc.parquet")
    rows = pd.DataFrame(
        {
            "id": table["id"],
            "group": [family(text) for text in table["formula_sc"]],
            "log_tc": np.log1p(table["tc"]),
        }
    )
    return "superconductors_3dsc", rows, {"log_tc": "ln(1 + Tc/K)"}


PARTS = {"moduli": moduli, "superconductors": superconductors}


def begin(options: argparse.Namespace) -> Path:
    """The run to begin with: the one named, or a small one trained now."""
    if options.run is not None:
        return Path(options.run)
    place = options.folder / "formation_energy"
    settings = ["trainer.epochs=30", "trainer.logs=[]", *options.set]
    if options.quick:
        settings += ["data.limit=1500", "trainer.epochs=3"]
    config = load_config("mp_formation_energy", settings)
    finish_run(config, place, None, False, Console(stderr=True))
    return place


def one_fit(
    name: str, ids: Path, run: Path, seed: int, begun: bool, options: argparse.Namespace
) -> Run:
    """A fit on the rows of ``ids``: drawn weights, or begun with the run."""
    part = options.part
    table, _, units = PARTS[part]()
    old = load_run_config((member_folders(run) or [run])[0])
    plain: dict[str, Any] = {
        "name": f"{part}-{name}",
        "data": {
            "source": {
                "kind": "table",
                "path": f"$GNNMAT_DATA/{table}.parquet",
                "ids": str(ids),
                "units": units,
            },
            "targets": list(units),
        },
        "split": {"kind": "column", "column": "split"},
        "input": old.input.model_dump(mode="json"),
        "model": old.model.model_dump(mode="json"),
        "task": {"kind": "regression", "loss": "mae"},
        "optimizer": {"lr": options.lr, "weight_decay": 1e-3},
        "trainer": {
            "epochs": options.epochs,
            "batch_size": 32,
            "ema": 0.99,
            "seed": seed,
            "logs": [],
        },
    }
    if begun:
        plain["start"] = {"run": str(run), "body_lr": options.body_lr, "freeze": options.freeze}
    config = parse_config(plain, options.set)
    return finish_run(config, options.folder / part / name, None, False, Console(stderr=True))


def split_rows(rows: pd.DataFrame, size: int | None) -> pd.DataFrame:
    """Ids with their part and targets, training rows cut to ``size``."""
    parts = draw_groups(rows["group"].to_numpy(str), 0.1, 0.2, 0, "family")
    table = rows.assign(split=parts)
    train = np.flatnonzero(parts == "train")
    kept = np.random.default_rng(0).permutation(train)[:size]
    table = table[(parts != "train") | np.isin(np.arange(len(table)), kept)]
    # `group` is left out: a run may not meet a column that tells the answer.
    return table.drop(columns="group")


def curve(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of the result: MAE by size, of both curves and of trivial baselines."""
    run = begin(options).resolve()
    _, rows, units = PARTS[options.part]()
    out = []
    for size in options.sizes:
        ids = (options.folder / f"{options.part}-{size or 'all'}.csv").resolve()
        chosen = split_rows(rows, size)
        write_atomically(ids, chosen.to_csv(index=False))
        count = int((chosen["split"] == "train").sum())
        fits: dict[str, list[Run]] = {"drawn weights": [], "begun with formation energy": []}
        for seed in range(options.seeds):
            for begun, runs in enumerate(fits.values()):
                name = f"{size or 'all'}-{('drawn', 'begun')[begun]}-{seed}"
                runs.append(one_fit(name, ids, run, seed, bool(begun), options))
        for target, unit in units.items():
            out += compared(f"{options.part}, {count:,} training rows", target, unit, fits, options)
    return out


def compared(
    what: str, target: str, unit: str, fits: dict[str, list[Run]], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """MAE on the test rows of one target, and how much the beginning gained."""
    drawn, begun = fits.values()
    values = {
        name: [one.value("MAE", "test", target) for one in runs] for name, runs in fits.items()
    }
    how = "frozen" if options.freeze else f"encoder at {options.body_lr:g} of the rate"
    note = f"{options.epochs} epochs, {len(drawn)} seeds, test rows"
    rows = [
        row(f"{what}, {target}: MAE, {name}", one, unit, note=note + (f"; {how}" if place else ""))
        for place, (name, one) in enumerate(values.items())
    ]
    gains = ratios(*(values[name] for name in ("begun with formation energy", "drawn weights")))
    rows.append(row(f"{what}, {target}: begun over drawn", gains, "", reach="< 1"))
    for baseline in ("mean", "composition forest"):
        found = [
            one["value"]
            for one in drawn[0].baselines
            if (one["metric"], one["split"], one["target"], one["baseline"])
            == ("MAE", "test", target, baseline)
        ]
        rows.append(row(f"{what}, {target}: MAE of the {baseline}", found, unit))
    return rows


def settings(parser: argparse.ArgumentParser, *, sizes: str) -> argparse.Namespace:
    """What was asked for, with the folder made and the sizes as numbers (None: all)."""
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--from", dest="run", help="finished run to begin with")
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"), help="of the runs")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--body-lr", type=float, default=1.0, help="share of the rate")
    parser.add_argument("--sizes", default=sizes, help="training rows")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two sizes, one seed, a few epochs")
    parser.add_argument("--set", action="append", default=[], help="option of every run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    shared_data()
    if options.quick:
        options.epochs, options.seeds, options.sizes = min(options.epochs, 10), 1, "100,300"
    options.sizes = [None if one == "all" else int(one) for one in options.sizes.split(",")]
    options.folder.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    options = settings(argparse.ArgumentParser(description=__doc__), sizes="100,300,1000,all")
    data = "moduli of 3,269 binaries, by formula"
    if options.part == "superconductors":
        data = "2,381 superconductors and others, by family"
    write(f"transfer_{options.part}", data, curve(options), options.json)


if __name__ == "__main__":
    main()
