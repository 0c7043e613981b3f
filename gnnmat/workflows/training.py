"""One run from config to report: prepare, fit, evaluate, write."""

from __future__ import annotations

import hashlib
import json
import time
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
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import (
    build,
    check_fingerprints,
    load_run_config,
    save_trained,
    write_environment,
)
from gnnmat.train.config import RunConfig
from gnnmat.train.fit import fit, plain_errors, start_seed
from gnnmat.train.hall import Hall
from gnnmat.train.predictor import predict_rows, prediction_table
from gnnmat.workflows.evaluation import Evaluation, evaluate
from gnnmat.workflows.preparation import PARTS, Prepared, prepare, truth_table
from gnnmat.workflows.run_folder import (
    HISTORY,
    METRICS,
    PREDICTIONS,
    REFUSED,
    Run,
    begin,
    claim,
    free_folder,
    is_finished,
    is_follower,
    open_run,
    release,
    write_refused,
)

__all__ = ["Run", "free_folder", "open_run", "resume_training", "train"]


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
    claim(folder, resume=resume, overwrite=overwrite)
    with plain_errors(folder):
        try:
            prepared = prepare(config, records, quiet=quiet)
            fingerprints = _fingerprints(prepared)
            hall = _hall(config, prepared, model)
        except GnnmatError:
            if not resume:
                release(folder)
            raise
        if resume:
            check_fingerprints(folder, fingerprints)
        else:
            begin(folder, config)
        if not is_follower():
            write_refused(folder, prepared.dataset.refused)
            write_environment(folder, fingerprints)
        trainer = fit(hall, _data(config, prepared), config, folder, resume=resume, console=console)
        if not trainer.is_global_zero:
            raise SystemExit(0)  # the other processes of a distributed run have done their part
        encoder, task = hall.encoder, hall.task
        spec = prepared.dataset.spec(prepared.rows("train"))
        save_trained(folder, encoder, task, spec, augment=hall.augment, own_model=model is not None)
        used = np.flatnonzero(prepared.parts != "")
        decoded = predict_rows(
            encoder, task, prepared.dataset, used, augment=hall.augment, draw="fixed"
        )
        names = formulas(prepared.dataset)
        table = prediction_table(task, prepared.dataset, used, decoded, names)
        predictions = truth_table(prepared, table)
        found = evaluate(prepared, predictions, seed=config.trainer.seed, quiet=quiet)
        return _write(folder, config, prepared, found, hall, time.monotonic() - began)


def _hall(config: RunConfig, prepared: Prepared, model: Encoder | None) -> Hall:
    """Encoder and task for these data, initialised by the seed."""
    start_seed(config.trainer.seed)
    spec = prepared.dataset.spec(prepared.rows("train"))
    encoder, task = build(config, spec, model)
    task.prepare(_labels_of(prepared, task.level))
    augment = config.augment.build(spec)
    augment.prepare()
    return Hall(encoder, task, config.optimizer, config.trainer.seed, augment)


def _data(config: RunConfig, prepared: Prepared) -> DataModule:
    return DataModule(
        prepared.dataset,
        prepared.rows("train"),
        prepared.rows("val"),
        batch_size=config.trainer.batch_size,
        seed=config.trainer.seed,
        workers=config.trainer.workers,
    )


def _labels_of(prepared: Prepared, level: str) -> Any:
    dataset, rows = prepared.dataset, prepared.rows("train")
    if level == "sample":
        assert dataset.labels.sample is not None
        return dataset.labels.sample[rows]
    assert dataset.labels.atom is not None
    return dataset.labels.atom[dataset.store.rows_of(rows, "atom")]


def _fingerprints(prepared: Prepared) -> dict[str, str]:
    """Digests of structures and labels, by which a run knows its data again."""
    labels = prepared.dataset.labels
    sha = hashlib.sha256(repr(labels.spec).encode())
    for tensor in (labels.sample, labels.atom):
        if tensor is not None:
            sha.update(tensor.numpy().tobytes())
    return {"structures": prepared.dataset.fingerprint, "targets": sha.hexdigest()}


def resume_training(
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    console: Console | None = None,
) -> Run:
    """The run in ``folder``, taken up after its last finished epoch and finished.

    A run that came to its end is opened and left as it is.

    Raises:
        GnnmatError: no run, or the data are not those it was begun with.
    """
    if is_finished(folder):
        return open_run(folder)
    return train(
        load_run_config(folder),
        folder,
        records=records,
        model=model,
        resume=True,
        console=console,
    )


def _write(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    found: Evaluation,
    hall: Hall,
    seconds: float,
) -> Run:
    counts = {part: len(prepared.rows(part)) for part in PARTS}
    counts["refused"] = len(prepared.dataset.refused)
    counts["unused"] = int((prepared.parts == "").sum())
    run = Run(folder, found.metrics, found.baselines, found.audit, counts)
    write_atomically(folder / PREDICTIONS, found.predictions.to_csv(index=False))
    _write_report(run, config, found, hall, prepared.source, seconds)
    results = {
        "metrics": found.metrics,
        "baselines": found.baselines,
        "audit": found.audit,
        "counts": counts,
    }
    # Last: a run with scores is a finished run.
    write_atomically(folder / METRICS, json.dumps(results, indent=1))
    return run


def _write_report(
    run: Run, config: RunConfig, found: Evaluation, hall: Hall, source: str, seconds: float
) -> None:
    from gnnmat.pages.report import ReportData, write_report

    history = run.folder / HISTORY
    parameters = sum(p.numel() for p in hall.parameters())
    counts = run.counts
    summary = [
        ("model", config.model.kind),
        ("task", config.task.kind),
        ("data", source),
        ("rows", ", ".join(f"{counts[part]:,} {part}" for part in PARTS)),
        ("refused", f"{counts['refused']:,}"),
        ("without a label or a part", f"{counts['unused']:,}"),
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
        predict_command=f"gnnmat predict {run.folder} {_example_file(config)}",
    )
    write_report(run.report, data)


def _example_file(config: RunConfig) -> str:
    """What a user would put after ``gnnmat predict RUN``."""
    kind = config.input.kind
    return {"ins_map": "your_spectrum.npz", "image": "your_images.npz"}.get(
        kind, "your_crystal.cif"
    )
