"""k fits on k folds, each a run of its own, and what they say together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.data.split_folds import FoldsSplit
from gnnmat.data.splits import GroupSplit
from gnnmat.errors import GnnmatError
from gnnmat.sources.card import CardSource
from gnnmat.sources.card_schema import KFold
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import CONFIG, load_run_config
from gnnmat.train.config import RunConfig, TrainerConfig
from gnnmat.workflows.run_folder import (
    METRICS,
    PREDICTIONS,
    Run,
    has_checkpoint,
    is_finished,
    open_run,
)
from gnnmat.workflows.training import Judge, train
from gnnmat.workflows.transfer import find_start, keep_start, with_start


@dataclass(frozen=True)
class CrossValidation:
    """What the folds say together.

    Args:
        folder: one run folder a fold, and the table of all held-out predictions.
        runs: the folds.
        summary: rows of target, metric, mean, std, folds (a value each), unit, ``baseline``:
            its name, or empty for the model.
        predictions: held-out predictions of every row, with its fold.
    """

    folder: Path
    runs: list[Run]
    summary: list[dict[str, Any]]
    predictions: pd.DataFrame

    def value(self, metric: str) -> float:
        """The mean of one score over the folds, such as ``result.value("MAE")``."""
        for row in self.summary:
            if row["metric"] == metric and not row["baseline"]:
                return float(row["mean"])
        raise GnnmatError(f"There is no {metric} among the scores.")


def cross_validate(
    config: RunConfig,
    folder: Path,
    *,
    folds: int = 5,
    records: Records | None = None,
    overwrite: bool = False,
    console: Console | None = None,
    on_fold: Callable[[int, Run], None] | None = None,
) -> CrossValidation:
    """Scores over k folds; finished folds in ``folder`` are kept, an interrupted one goes on.

    Args:
        config: of one fit; its split becomes the folds.
        folder: one run folder a fold.
        folds: number of folds, unless the data set has official ones.
        records: what to learn from, instead of the config's source.
        overwrite: begin again.
        console: for progress; None is silent.
        on_fold: told of every finished fold, for progress.

    Raises:
        GnnmatError: the folder holds folds of another config.
    """
    place = find_start(config, folder, *([] if overwrite else [folder]))
    config = with_start(config, place)
    keep_start(config, place, folder)
    split = fold_split(config, folds)
    runs = []
    for index in range(split.k):
        fold = fold_config(config, split, index)
        place_of_fold = folder / f"fold-{index}"
        run = finish_run(fold, place_of_fold, records, overwrite, console, start=folder)
        runs.append(run)
        if on_fold is not None:
            on_fold(index, run)
    predictions = pd.concat(
        [run.predictions.query("split == 'test'").assign(fold=i) for i, run in enumerate(runs)],
        ignore_index=True,
    )
    summary = summarise(runs)
    write_atomically(folder / PREDICTIONS, predictions.to_csv(index=False))
    write_atomically(folder / METRICS, json.dumps({"summary": summary}, indent=1))
    return CrossValidation(folder, runs, summary, predictions)


def fold_split(config: RunConfig, folds: int) -> FoldsSplit:
    """The folds: the config's own, the data set's official ones, or k new ones."""
    if isinstance(config.split, FoldsSplit):
        return config.split
    source = config.data.source
    if isinstance(source, CardSource) and isinstance(source.card.split, KFold):
        official = source.card.split
        return FoldsSplit(
            k=official.n_splits,
            shuffle=official.shuffle,
            stratified=official.stratified,
            seed=official.random_state or 0,
        )
    by = config.split.by if isinstance(config.split, GroupSplit) else None
    if by == "element":
        raise GnnmatError(
            "A split by element cannot be cut into folds: a crystal has several elements.",
            fix="split.by=formula or prototype, or split.kind=random",
        )
    return FoldsSplit(k=folds, by=by, seed=config.trainer.seed)


def fold_config(config: RunConfig, split: FoldsSplit, index: int) -> RunConfig:
    """The config of one fold."""
    return config.model_copy(
        update={
            "split": split.model_copy(update={"index": index}),
            "name": f"{config.name}-fold-{index}",
            "trainer": on_its_own(config.trainer),
        }
    )


def on_its_own(trainer: TrainerConfig) -> TrainerConfig:
    """The options of one fit among several in this process.

    Several devices are started anew for every fit, from this process: helpers that run the
    user's command again would begin with the first one.
    """
    if trainer.devices != 1 and trainer.strategy in {"auto", "ddp"}:
        return trainer.model_copy(update={"strategy": "ddp_spawn"})
    return trainer


def finish_run(
    config: RunConfig,
    folder: Path,
    records: Records | None,
    overwrite: bool,
    console: Console | None,
    what: str = "a fold",
    start: Path | None = None,
    judge: Judge | None = None,
) -> Run:
    """One fit among several: opened if it is finished, gone on with if it was interrupted.

    Args:
        config: of the fit.
        folder: of the fit.
        records: what to learn from, instead of the config's source.
        overwrite: begin again.
        console: for progress.
        what: for messages.
        start: folder of all fits, which may hold a copy of the run to begin with.
        judge: what the predictions are worth, instead of scores, baselines and audit.

    Raises:
        GnnmatError: the folder holds another config's.
    """
    begun = (folder / CONFIG).is_file() and not overwrite
    if begun and load_run_config(folder) != config:
        raise GnnmatError(
            f"{folder} holds {what} of another configuration.",
            fix="Choose another --output, or --overwrite it.",
        )
    if begun and is_finished(folder):
        return open_run(folder)
    resume = begun and has_checkpoint(folder)
    return train(
        config,
        folder,
        records=records,
        resume=resume,
        overwrite=not resume,
        start=start,
        judge=judge,
        console=console,
    )


def summarise(runs: list[Run]) -> list[dict[str, Any]]:
    """Mean and deviation of every test score over the folds, of the model and the baselines."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for run in runs:
        for row in [*run.metrics, *run.baselines]:
            if row["split"] != "test" or row["value"] is None:
                continue
            key = (row["target"], row["metric"], row.get("baseline", ""))
            entry = rows.setdefault(key, {"folds": [], "unit": row["unit"]})
            entry["folds"].append(row["value"])
    return [
        {
            "target": target,
            "metric": metric,
            "baseline": baseline,
            "mean": float(np.mean(entry["folds"])),
            "std": float(np.std(entry["folds"], ddof=1)) if len(entry["folds"]) > 1 else None,
            "folds": entry["folds"],
            "unit": entry["unit"],
        }
        for (target, metric, baseline), entry in rows.items()
    ]
