"""Puts beside a shipped model what it has learned from, and what it was only checked on.

    python tests/benchmarks/ship_lessons.py elastic-moduli --table elastic.parquet \\
        --crossval runs/elastic-cv
    python tests/benchmarks/ship_lessons.py synthesizability --scores runs/synthesizability

A screen marks the crystals that a model has learned from. With a cross-validation, or with the
scores of a PU run, it answers for them with a fit that has not learned from their formula.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from hard_compounds import MODULI
from results import shared_data

from gnnmat import zoo
from gnnmat.data.likeness import likeness
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.table import TableSource
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import load_committee
from gnnmat.train.learned import LEARNED, LIKENESS, save_learned
from gnnmat.workflows.lessons import write_lessons
from gnnmat.workflows.looks import Looking
from gnnmat.workflows.preparation import prepare
from gnnmat.workflows.screening.held_out import HELD_OUT
from gnnmat.workflows.screening.table import rows_of
from gnnmat.zoo.card import read_card, write_card


def of_run(folder: Path, table: Path | None) -> None:
    """Lessons and held-out rows, from the data that the recipe of a model names."""
    config = load_run_config(folder)
    if table is not None:
        source = TableSource(path=str(table), units=config.data.source.units)
        config = config.model_copy(
            update={"data": config.data.model_copy(update={"source": source})}
        )
    write_lessons(folder, Looking(load_committee(folder), config, prepare(config, quiet=True)))


def answered(folder: Path, table: Path, crossval: Path) -> None:
    """Add what fits say that have not learned from a row."""
    said = pd.concat(
        pd.read_csv(one / "predictions.csv").query("split == 'test'")
        for one in sorted(crossval.glob("fold-*"))
    ).pivot(index="id", columns="target", values="prediction")
    records = TableSource(path=str(table)).open()
    crystals = [records.read(raw) for raw in records.raws]
    rows = with_likeness(rows_of(list(records.ids), crystals), crystals).set_index("id")
    rows = rows.join(said[list(MODULI)])
    save_learned(folder, rows.reset_index(drop=True))


def with_likeness(rows: pd.DataFrame, crystals: list[Crystal]) -> pd.DataFrame:
    """What crystals are known by, with their ids."""
    like = np.array([likeness(one) for one in crystals])
    return rows[["id", "formula", "volume"]].assign(**dict(zip(LIKENESS, like.T, strict=True)))


def of_scores(folder: Path, run: Path) -> None:
    """Lessons of a PU model: its rows with the scores of fits that have not learned from them."""
    scores = pd.read_csv(run / "scores.csv", usecols=["id", "score"]).dropna()
    path = shared_data() / "materials_project" / "structures.parquet"
    records = TableSource(path=str(path)).open()
    place = {name: row for row, name in enumerate(records.ids)}
    crystals = [records.read(records.raws[place[name]]) for name in scores["id"]]
    rows = with_likeness(rows_of(list(scores["id"]), crystals), crystals).drop(columns="id")
    target = load_run_config(folder).data.targets[0]
    save_learned(folder, rows.assign(**{target: scores["score"].to_numpy()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--table", type=Path, help="the model's data, if not as its recipe says")
    parser.add_argument("--crossval", type=Path, help="folder of gnnmat crossval on that table")
    parser.add_argument("--scores", type=Path, help="folder of gnnmat pu")
    options = parser.parse_args()
    folder = Path(zoo.ROOT) / options.name
    if options.scores:
        of_scores(folder, options.scores)
    else:
        of_run(folder, options.table)
    if options.crossval:
        answered(folder, options.table, options.crossval)
    write_card(folder, read_card(folder))
    for name in (LEARNED, HELD_OUT):
        if (folder / name).is_file():
            print(f"{folder / name}: {(folder / name).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
