"""A trained run put to labelled data it has not seen."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.data.dataset import open_dataset
from gnnmat.data.targets import ideal_labels
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Records, Refusal
from gnnmat.train.judge import load_model
from gnnmat.workflows.evaluation import score_table
from gnnmat.workflows.preparation import Prepared, truth_table


@dataclass(frozen=True)
class Evaluated:
    """Scores and predictions on labelled data.

    Args:
        metrics: rows of target, metric, value, low, high, n, unit.
        predictions: one row a sample and target, with the truth.
        refused: what could not be read.
    """

    metrics: list[dict[str, Any]]
    predictions: pd.DataFrame
    refused: list[Refusal]


def evaluate_run(
    folder: Path, records: Records, *, model: Encoder | None = None, quiet: bool = True
) -> Evaluated:
    """Scores of the run in ``folder`` on these records.

    Args:
        folder: a finished run or ensemble.
        records: structures, with the run's targets among their columns.
        model: the user's own encoder, if the run has one.
        quiet: no progress bar.

    Raises:
        GnnmatError: a target column is missing, a class is unknown, nothing could be read.
    """
    predictor = load_model(folder, model=model)
    trained = predictor.trained
    task, own = trained.task, trained.config.task.own_targets
    with tempfile.TemporaryDirectory(prefix="gnnmat-") as scratch:
        dataset = open_dataset(
            records,
            trained.config.input,
            () if own else [target.name for target in task.targets],
            classes=trained.config.task.classes,
            known=trained.spec.targets,
            axes=_axes_there(trained.config.data.axes, records),
            state=trained.spec.state.names,
            known_state=trained.spec.state,
            folder=Path(scratch),
            quiet=quiet,
        )
        if own:
            dataset.labels = ideal_labels(own, len(dataset))
        rows = np.arange(len(dataset))
        table = predictor.rows_table(dataset, rows, draw="fixed")
        prepared = Prepared(dataset, np.full(len(dataset), "test"))
        predictions = truth_table(prepared, table)
        metrics = []
        for target, part in predictions.groupby("target", sort=False):
            scores = score_table(prepared, str(target), part, seed=trained.config.trainer.seed)
            metrics += [{k: v for k, v in row.items() if k != "split"} for row in scores]
    return Evaluated(metrics, predictions.drop(columns=["row", "split"]), dataset.refused)


def _axes_there(axes: Mapping[str, str], records: Records) -> dict[str, str]:
    """The axes of curves whose column the new data have."""
    return {name: column for name, column in axes.items() if column in records.table.columns}
