"""Whether crystals without labels help: a second fit learns from what a first says of them.

Three teachers learn from few rows; their mean prediction for the other training rows, whose labels
are hidden, is added to the few as if it were true; three students learn from all. Rows, splits and
settings are those of ``transfer.py``, whose fits from drawn weights are the teachers.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import ratios, row, shared_data, write
from transfer import PARTS, begin, one_fit, settings, split_rows

from gnnmat.atomic import write_atomically
from gnnmat.sources.table import TableSource
from gnnmat.train.checkpoint import load_trained
from gnnmat.train.committee import Committee
from gnnmat.workflows.run_folder import Run


def joint_error(runs: list[Run], target: str) -> float:
    """MAE of the mean prediction on the test rows."""
    tables = []
    for run in runs:
        table = run.predictions
        tables.append(table[(table["split"] == "test") & (table["target"] == target)])
    mean = np.mean([one["prediction"].astype(float).to_numpy() for one in tables], axis=0)
    return float(np.abs(mean - tables[0]["truth"].astype(float).to_numpy()).mean())


def guessed(teachers: list[Run], part: str, ids: Path, targets: list[str]) -> pd.DataFrame:
    """Rows of the crystals of ``ids`` with the teachers' mean prediction in place of labels."""
    table, _, _ = PARTS[part]()
    records = TableSource(path=str(shared_data() / f"{table}.parquet"), ids=str(ids)).open()
    said = Committee([load_trained(one.folder) for one in teachers]).predict(records)
    wide = said.pivot(index="id", columns="target", values="prediction")
    return wide[targets].astype(float).rename_axis("id").reset_index().assign(split="train")


def curve(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of the result, size by size."""
    run = begin(options).resolve()
    _, rows, units = PARTS[options.part]()
    place = options.folder.resolve()
    out = []
    for size in options.sizes:
        few, rest = split_rows(rows, size), place / f"{options.part}-{size}-rest.csv"
        ids, more = place / f"{options.part}-{size}.csv", place / f"{options.part}-{size}-more.csv"
        write_atomically(ids, few.to_csv(index=False))
        others = split_rows(rows, None)
        others = others[(others["split"] == "train") & ~others["id"].isin(few["id"])]
        write_atomically(rest, others[["id"]].to_csv(index=False))
        teachers = [
            one_fit(f"{size}-drawn-{seed}", ids, run, seed, False, options)
            for seed in range(options.seeds)
        ]
        if not more.is_file():
            added = guessed(teachers, options.part, rest, list(units))
            added["id"] = added["id"].astype(few["id"].dtype)
            write_atomically(more, pd.concat([few, added]).to_csv(index=False))
        students = [
            one_fit(f"{size}-taught-{seed}", more, run, seed, False, options)
            for seed in range(options.seeds)
        ]
        what = f"{options.part}, {size:,} labels and {len(others):,} guessed ones"
        for target, unit in units.items():
            out += compared(f"{what}, {target}", target, unit, teachers, students)
    return out


def compared(
    what: str, target: str, unit: str, teachers: list[Run], students: list[Run]
) -> list[dict[str, Any]]:
    """MAE on the test rows, one by one and together."""
    out, values = [], []
    for name, runs in (("labels alone", teachers), ("with guesses", students)):
        values.append([run.value("MAE", "test", target) for run in runs])
        note = f"together {joint_error(runs, target):.4g}"
        out.append(row(f"{what}: MAE, {name}", values[-1], unit, note=note))
    gain = ratios(values[1], values[0])
    return [*out, row(f"{what}: with guesses over without", gain, "", reach="< 1")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    options = settings(parser, sizes="100,300,1000")
    write(f"pseudo_labels_{options.part}", PARTS[options.part]()[0], curve(options), options.json)


if __name__ == "__main__":
    main()
