"""One run from config to report: prepare, fit, evaluate, write."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.data.loading import DataModule
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Records, Refusal
from gnnmat.train.checkpoint import CONFIG, build, load_run_config, save_trained
from gnnmat.train.config import RunConfig
from gnnmat.train.fit import CHECKPOINTS, LAST, fit, start_seed
from gnnmat.train.hall import Hall
from gnnmat.train.predictor import Predictor, load, predict_rows, prediction_table
from gnnmat.workflows.evaluation import Evaluation, evaluate
from gnnmat.workflows.preparation import PARTS, Prepared, prepare, truth_table

METRICS, PREDICTIONS, REFUSED = "metrics.json", "predictions.csv", "refused.csv"
HISTORY, REPORT = "history.csv", "report.html"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        folder: everything it wrote.
        metrics: rows of target, split, metric, value, low, high, n, unit.
        baselines: rows with ``baseline`` beside them.
        audit: overlap between training and test rows.
        counts: rows of each part, and ``refused``.
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
        return pd.read_csv(self.folder / PREDICTIONS)

    def value(self, metric: str, split: str = "test", target: str | None = None) -> float:
        """One score, such as ``run.value("MAE")``."""
        for row in self.metrics:
            if (row["metric"], row["split"]) == (metric, split) and target in (None, row["target"]):
                return float(row["value"])
        raise GnnmatError(f"There is no {metric} on the {split} rows.")

    def load(self, model: Encoder | None = None) -> Predictor:
        """The trained model, ready to predict."""
        return load(self.folder, model=model)


def train(
    config: RunConfig,
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> Run:
    """A finished run in ``folder``.

    Args:
        config: what to do.
        folder: for everything the run writes.
        records: what to learn from, instead of the config's source.
        model: an encoder of the user's own, instead of ``config.model``.
        resume: go on with the interrupted run in the folder.
        overwrite: replace a run that is there.
        console: for progress; None is silent.

    Raises:
        GnnmatError: the folder is taken or cannot be written, and everything that can be wrong
            with the data.
    """
    began = time.monotonic()
    quiet = console is None
    _claim(folder, config, resume=resume, overwrite=overwrite)
    prepared = prepare(config, records, quiet=quiet)
    write_refused(folder, prepared.dataset.refused)
    spec = prepared.dataset.spec(prepared.rows("train"))
    start_seed(config.trainer.seed)
    encoder, task = build(config, spec, model)
    labels = prepared.dataset.labels
    task.prepare(_labels_of(prepared, task.level))
    hall = Hall(encoder, task, config.optimizer, config.trainer.seed)
    data = DataModule(
        prepared.dataset,
        prepared.rows("train"),
        prepared.rows("val"),
        batch_size=config.trainer.batch_size,
        seed=config.trainer.seed,
        workers=config.trainer.workers,
    )
    trainer = fit(hall, data, config, folder, resume=resume, console=console)
    if not trainer.is_global_zero:
        raise SystemExit(0)  # the other processes of a distributed run have done their part
    save_trained(
        folder,
        encoder,
        task,
        spec,
        fingerprints={"structures": prepared.dataset.fingerprint, "targets": _digest(labels)},
        own_model=model is not None,
    )
    used = np.flatnonzero(prepared.parts != "")
    decoded = predict_rows(encoder, task, prepared.dataset, used)
    names = formulas(prepared.dataset)
    table = prediction_table(task, prepared.dataset, used, decoded, names)
    predictions = truth_table(prepared, table)
    found = evaluate(prepared, predictions, seed=config.trainer.seed, quiet=quiet)
    run = _write(folder, prepared, found)
    _write_report(run, config, found, encoder, task, time.monotonic() - began)
    return run


def _labels_of(prepared: Prepared, level: str) -> Any:
    dataset, rows = prepared.dataset, prepared.rows("train")
    if level == "sample":
        assert dataset.labels.sample is not None
        return dataset.labels.sample[rows]
    assert dataset.labels.atom is not None
    return dataset.labels.atom[dataset.store.rows_of(rows, "atom")]


def _digest(labels: Any) -> str:
    import hashlib

    sha = hashlib.sha256(repr(labels.spec).encode())
    for tensor in (labels.sample, labels.atom):
        if tensor is not None:
            sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def _claim(folder: Path, config: RunConfig, *, resume: bool, overwrite: bool) -> None:
    """Make the run folder ours, or say why not."""
    follower = int(os.environ.get("LOCAL_RANK", "0")) > 0
    taken = (folder / CONFIG).is_file()
    try:
        if resume:
            if not (folder / CHECKPOINTS / LAST).is_file() and not taken:
                raise GnnmatError(f"There is no run to resume in {folder}.")
        elif taken and not follower:
            if not overwrite:
                raise GnnmatError(
                    f"{folder} already holds a run.",
                    fix="Choose another --output, --resume it, or --overwrite it.",
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not resume and not follower:
            write_atomically(folder / CONFIG, config.to_yaml())
    except OSError as error:
        raise GnnmatError(
            f"The run folder {folder} cannot be written.",
            why=str(error.strerror or error),
            fix="Choose another folder with --output.",
        ) from error


def resume_training(
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    console: Console | None = None,
) -> Run:
    """The run in ``folder``, taken up after its last finished epoch and finished."""
    return train(
        load_run_config(folder),
        folder,
        records=records,
        model=model,
        resume=True,
        console=console,
    )


def write_refused(folder: Path, refused: Sequence[Refusal]) -> None:
    """``refused.csv``: what was left out, from where, and why."""
    table = pd.DataFrame(
        [(one.id, one.origin, one.reason) for one in refused], columns=["id", "origin", "reason"]
    )
    write_atomically(folder / REFUSED, table.to_csv(index=False))


def _write(folder: Path, prepared: Prepared, found: Evaluation) -> Run:
    counts = {part: len(prepared.rows(part)) for part in PARTS}
    counts["refused"] = len(prepared.dataset.refused)
    write_atomically(folder / PREDICTIONS, found.predictions.to_csv(index=False))
    results = {
        "metrics": found.metrics,
        "baselines": found.baselines,
        "audit": found.audit,
        "counts": counts,
    }
    write_atomically(folder / METRICS, json.dumps(results, indent=1))
    return Run(folder, found.metrics, found.baselines, found.audit, counts)


def open_run(folder: Path) -> Run:
    """A finished run by its folder."""
    path = folder / METRICS
    if not path.is_file():
        raise GnnmatError(f"{folder} is not a finished run: it has no {METRICS}.")
    return Run(folder, **json.loads(path.read_text()))


def _write_report(
    run: Run, config: RunConfig, found: Evaluation, encoder: Any, task: Any, seconds: float
) -> None:
    from gnnmat.pages.report import ReportData, write_report

    history = run.folder / HISTORY
    parameters = sum(p.numel() for module in (encoder, task) for p in module.parameters())
    counts = run.counts
    summary = [
        ("model", config.model.kind),
        ("task", config.task.kind),
        ("data", getattr(config.data.source, "name", config.data.source.kind)),
        ("rows", ", ".join(f"{counts[part]:,} {part}" for part in PARTS)),
        ("refused", f"{counts['refused']:,}"),
        ("split", config.split.kind),
        ("parameters", f"{parameters:,}"),
        ("epochs", f"{config.trainer.epochs}"),
        ("seed", f"{config.trainer.seed}"),
        ("wall time", f"{seconds:.0f} s"),
    ]
    data = ReportData(
        title=config.name,
        summary=summary,
        history=pd.read_csv(history) if history.is_file() else pd.DataFrame(),
        predictions=found.predictions,
        metrics=found.metrics,
        baselines=found.baselines,
        audit=[{**row, "count": row["overlap"]} for row in found.audit],
        refused=pd.read_csv(run.folder / REFUSED, keep_default_na=False),
        config_yaml=config.to_yaml(),
        predict_command=f"gnnmat predict {run.folder} your_crystal.cif",
    )
    write_report(run.report, data)


def free_folder(name: str) -> Path:
    """``runs/<name>``, with a number if that is taken."""
    folder = Path("runs") / name
    number = 2
    while (folder / CONFIG).exists():
        folder = Path("runs") / f"{name}-{number}"
        number += 1
    return folder
