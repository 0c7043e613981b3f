"""The folder of a run: whose it is, what lies in it, and what is read from it afterwards."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Refusal
from gnnmat.target import read_curve
from gnnmat.train.checkpoint import CONFIG, PU_RECIPE, SPEC, STATE, WEIGHTS
from gnnmat.train.checkpointing import CHECKPOINTS, LAST
from gnnmat.train.committee import ENSEMBLE, member_folders
from gnnmat.train.config import RunConfig
from gnnmat.train.environment import ENVIRONMENT
from gnnmat.train.judge import load_model
from gnnmat.train.landmarks import FILE as LANDMARKS
from gnnmat.train.predictor import Predictor
from gnnmat.train.trees import FILE as TREES

CURVES = "predictions.npz"
METRICS, PREDICTIONS, REFUSED = "metrics.json", "predictions.csv", "refused.csv"
HISTORY, REPORT = "history.csv", "report.html"
TRUST = ("trust.json", "trust.safetensors")
UNCERTAINTY = ("uncertainty.json", "uncertainty.html")
SCORES, SUMMARY, TWINS = "scores.csv", "pu.json", "twins.csv"
FAMILIES = "families.csv"
# All that a run writes, and all that --overwrite removes.
WRITTEN = (
    CONFIG,
    WEIGHTS,
    STATE,
    SPEC,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    CURVES,
    REFUSED,
    HISTORY,
    REPORT,
    *TRUST,
    *UNCERTAINTY,
    PU_RECIPE,
    SCORES,
    SUMMARY,
    TWINS,
    FAMILIES,
    LANDMARKS,
    TREES,
)
WRITTEN_FOLDERS = (CHECKPOINTS, "tensorboard", "mlruns", "wandb")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        folder: everything it wrote.
        metrics: rows of target, split, metric, value, low, high, n, unit.
        baselines: rows with ``baseline`` beside them.
        audit: overlap between training and test rows.
        counts: rows of each part, ``refused``, and ``unused``: without a label or a part.
    """

    folder: Path
    metrics: list[dict[str, Any]]
    baselines: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    counts: dict[str, int]

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / REPORT

    @property
    def predictions(self) -> pd.DataFrame:
        """The prediction for every labelled row, with its truth and its part."""
        return read_predictions(self.folder / PREDICTIONS)

    def value(self, metric: str, split: str = "test", target: str | None = None) -> float:
        """One score, such as ``run.value("MAE")``."""
        for row in self.metrics:
            if (row["metric"], row["split"]) == (metric, split) and target in (None, row["target"]):
                return float(row["value"])
        raise GnnmatError(f"There is no {metric} on the {split} rows.")

    def load(self, model: Encoder | None = None) -> Predictor:
        """The trained model, ready to predict."""
        return load_model(self.folder, model=model)


def read_predictions(path: Path) -> pd.DataFrame:
    """The table of a run; names stay text, such as the id ``007`` or the class ``NA``."""
    names = set(pd.read_csv(path, nrows=0).columns)
    text = {"id", "formula", "split", "target", "unit", "crystal_system", "element"}
    values = {"truth", "prediction"}
    if "probability" in names:
        text |= values
    table = pd.read_csv(
        path,
        dtype=dict.fromkeys(text & names, str),
        keep_default_na=False,
        na_values={name: [""] for name in (names - text) | (names & values)},
    )
    for name in values - text:
        if name in table and not pd.api.types.is_numeric_dtype(table[name]):  # holds curves
            table[name] = pd.Series([_value(one) for one in table[name]], dtype=object)
    return table


def _value(cell: Any) -> Any:
    """A curve or a number, as the cell has it."""
    if not isinstance(cell, str):
        return cell
    return read_curve(cell) if cell.startswith("[") else float(cell)


def is_run(folder: Path) -> bool:
    """Whether a run was begun in this folder."""
    return (folder / CONFIG).is_file()


def is_finished(folder: Path) -> bool:
    """Whether a run in this folder came to its end; its scores are written last."""
    return (folder / METRICS).is_file()


def open_run(folder: Path) -> Run:
    """A finished run by its folder.

    Raises:
        GnnmatError: it is none.
    """
    path = folder / METRICS
    if not path.is_file():
        raise GnnmatError(
            f"{folder} is not a finished run: it has no {METRICS}.",
            fix=f"gnnmat train --resume {folder}" if (folder / CONFIG).is_file() else "",
        )
    try:
        return Run(folder, **json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise GnnmatError(f"{path} is damaged.", why=str(error)) from error


def is_follower() -> bool:
    """Whether this is a process of a distributed run that leaves the writing to the first."""
    return int(os.environ.get("LOCAL_RANK", "0")) > 0


def claim(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Make sure that the run folder can be ours; a run in it is not touched yet.

    Raises:
        GnnmatError: there is a run, or none to resume, or the folder cannot be written.
    """
    taken = (folder / CONFIG).is_file()
    try:
        if resume:
            if not taken:
                raise GnnmatError(f"There is no run to resume in {folder}.")
        elif taken and not is_follower():
            if not overwrite:
                raise GnnmatError(
                    f"{folder} already holds a run.",
                    fix="Choose another --output, --resume it, or --overwrite it.",
                )
        elif not resume and not is_follower() and folder.is_dir() and any(folder.iterdir()):
            raise GnnmatError(
                f"{folder} is not empty and holds no run.",
                why="A run's files would mix with what lies there.",
                fix="Choose another folder with --output.",
            )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GnnmatError(
            f"The run folder {folder} cannot be written.",
            why=str(error.strerror or error),
            fix="Choose another folder with --output.",
        ) from error


def begin(folder: Path, config: RunConfig) -> None:
    """Start a new run in a claimed folder; what an earlier one wrote is removed only now."""
    if not is_follower():
        _clear(folder)
        write_atomically(folder / CONFIG, config.to_yaml())


def release(folder: Path) -> None:
    """Take back the claim of a run that was refused before it began."""
    if not is_follower() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _clear(folder: Path) -> None:
    """Remove what a run or an ensemble has written; other files of the user stay."""
    for member in member_folders(folder):
        shutil.rmtree(member)
    (folder / ENSEMBLE).unlink(missing_ok=True)
    for name in WRITTEN:
        (folder / name).unlink(missing_ok=True)
    for name in WRITTEN_FOLDERS:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)


def write_refused(folder: Path, refused: Sequence[Refusal]) -> None:
    """``refused.csv``: what was left out, from where, and why."""
    table = pd.DataFrame(
        [(one.id, one.origin, one.reason) for one in refused], columns=["id", "origin", "reason"]
    )
    write_atomically(folder / REFUSED, table.to_csv(index=False))


def has_checkpoint(folder: Path) -> bool:
    """Whether an epoch was finished, so that there is something to go on from."""
    return (folder / CHECKPOINTS / LAST).is_file()


def free_folder(name: str) -> Path:
    """``runs/<name>``, with a number if that is taken."""
    folder = before = Path("runs") / name
    number = 2
    while (folder / CONFIG).exists():
        before = folder
        folder = Path("runs") / f"{name}-{number}"
        number += 1
    # The first process of a distributed run has just taken its folder; the others join it.
    return before if is_follower() else folder
