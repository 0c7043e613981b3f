"""One run from config to report: prepare, fit, evaluate, write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import load_run_config, save_trained
from gnnmat.train.config import RunConfig
from gnnmat.train.environment import check_fingerprints, start_of, write_environment
from gnnmat.train.fit import fit, plain_errors
from gnnmat.train.hall import Hall
from gnnmat.train.prediction_table import prediction_table
from gnnmat.train.predictor import predict_rows
from gnnmat.workflows.assembly import make_data, make_hall, spec_of
from gnnmat.workflows.evaluation import Evaluation, evaluate
from gnnmat.workflows.preparation import Prepared, prepare, truth_table
from gnnmat.workflows.run_folder import (
    Run,
    begin,
    claim,
    free_folder,
    has_checkpoint,
    is_finished,
    is_follower,
    open_run,
    release,
    write_refused,
)
from gnnmat.workflows.run_report import write_run
from gnnmat.workflows.start_notes import describe_start
from gnnmat.workflows.transfer import find_start, keep_start, read_start, with_start

__all__ = ["Judge", "Run", "free_folder", "open_run", "predicted", "resume_training", "train"]

Judge = Callable[[Prepared, Hall], Evaluation]


def train(
    config: RunConfig,
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    resume: bool = False,
    overwrite: bool = False,
    start: Path | None = None,
    judge: Judge | None = None,
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
        start: folder of several runs, this one among them, which may hold a copy of the run to
            begin with.
        judge: what the predictions are worth, instead of scores, baselines and audit.
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
            place = _start_place(config, folder, start, resume=resume)
            config = with_start(config, place, own_model=model is not None)
            prepared = prepare(config, records, quiet=quiet)
            fingerprints = _fingerprints(prepared)
            learned = read_start(config, place)
            # An interrupted run has its weights in a checkpoint, and has written down the rest.
            known = start_of(folder) if resume and learned is None else None
            hall, taken = make_hall(config, prepared, model=model, learned=learned, taken=known)
        except GnnmatError:
            if not resume:
                release(folder)
            raise
        if resume:
            check_fingerprints(folder, fingerprints)
        else:
            begin(folder, config)
        if not is_follower():
            keep_start(config, place, folder)
            write_refused(folder, prepared.dataset.refused)
            write_environment(folder, fingerprints, taken)
            _tell(config, taken, console)
        trainer = fit(
            hall, make_data(config, prepared), config, folder, resume=resume, console=console
        )
        if not trainer.is_global_zero:
            raise SystemExit(0)  # the other processes of a distributed run have done their part
        save_trained(
            folder,
            hall.encoder,
            hall.task,
            spec_of(prepared, taken),
            augment=hall.augment,
            own_model=model is not None,
        )
        found = (
            judge(prepared, hall)
            if judge is not None
            else _judge(prepared, hall, seed=config.trainer.seed, quiet=quiet)
        )
        return write_run(folder, config, prepared, found, hall, time.monotonic() - began)


def _judge(prepared: Prepared, hall: Hall, *, seed: int, quiet: bool) -> Evaluation:
    """Predictions for all labelled rows, and what they are worth."""
    used = np.flatnonzero(prepared.parts != "")
    return evaluate(prepared, predicted(prepared, hall, used), seed=seed, quiet=quiet)


def predicted(prepared: Prepared, hall: Hall, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Predictions for these rows beside their truth and part."""
    dataset, task = prepared.dataset, hall.task
    decoded = predict_rows(hall.encoder, task, dataset, rows, augment=hall.augment, draw="fixed")
    table = prediction_table(task, dataset, rows, decoded, formulas(dataset))
    return truth_table(prepared, table)


def _start_place(
    config: RunConfig, folder: Path, start: Path | None, *, resume: bool
) -> Path | None:
    """Where weights to begin with lie; None where they are drawn, or an epoch was finished."""
    if resume and has_checkpoint(folder):
        return None
    copies = [folder] if resume else []
    return find_start(config, folder, *copies, *([start] if start is not None else []))


def _tell(config: RunConfig, taken: Mapping[str, Any] | None, console: Console | None) -> None:
    if taken and console is not None:
        for line in describe_start(taken, config.start):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def _fingerprints(prepared: Prepared) -> dict[str, str]:
    """Digests of structures and labels, by which a run knows its data again."""
    labels = prepared.dataset.labels
    sha = hashlib.sha256(repr(labels.spec).encode())
    for tensor in (labels.sample, labels.atom):
        if tensor is not None:
            sha.update(tensor.numpy().tobytes())
    if prepared.dataset.state is not None:
        sha.update(repr(prepared.dataset.state_spec).encode())
        sha.update(prepared.dataset.state.numpy().tobytes())
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
