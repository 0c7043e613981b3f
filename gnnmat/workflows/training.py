"""One run from config to report: prepare, fit, evaluate, write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from gnnmat.data.loading import DataModule
from gnnmat.data.symmetry import formulas
from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import DataSpec
from gnnmat.sources.records import Records
from gnnmat.state import StateSpec
from gnnmat.train.checkpoint import build, load_run_config, save_trained
from gnnmat.train.config import RunConfig
from gnnmat.train.environment import check_fingerprints, start_of, write_environment
from gnnmat.train.fit import fit, plain_errors, start_seed
from gnnmat.train.hall import Hall
from gnnmat.train.prediction_table import prediction_table
from gnnmat.train.predictor import predict_rows
from gnnmat.train.start import Learned, spec_as_begun, take
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
from gnnmat.workflows.start_notes import describe_start, warn_of_start
from gnnmat.workflows.transfer import find_start, keep_start, read_start, with_start

__all__ = ["Run", "free_folder", "open_run", "resume_training", "train"]


def train(
    config: RunConfig,
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    resume: bool = False,
    overwrite: bool = False,
    start: Path | None = None,
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
            _spec(prepared, taken),
            augment=hall.augment,
            own_model=model is not None,
        )
        found = _judge(prepared, hall, seed=config.trainer.seed, quiet=quiet)
        return write_run(folder, config, prepared, found, hall, time.monotonic() - began)


def _judge(prepared: Prepared, hall: Hall, *, seed: int, quiet: bool) -> Evaluation:
    """Predictions for all labelled rows, and what they are worth."""
    dataset, task = prepared.dataset, hall.task
    used = np.flatnonzero(prepared.parts != "")
    decoded = predict_rows(hall.encoder, task, dataset, used, augment=hall.augment, draw="fixed")
    table = prediction_table(task, dataset, used, decoded, formulas(dataset))
    return evaluate(prepared, truth_table(prepared, table), seed=seed, quiet=quiet)


def _start_place(
    config: RunConfig, folder: Path, start: Path | None, *, resume: bool
) -> Path | None:
    """Where weights to begin with lie; None where they are drawn, or an epoch was finished."""
    if resume and has_checkpoint(folder):
        return None
    copies = [folder] if resume else []
    return find_start(config, folder, *copies, *([start] if start is not None else []))


def make_hall(
    config: RunConfig,
    prepared: Prepared,
    *,
    model: Encoder | None = None,
    learned: Learned | None = None,
    taken: Mapping[str, Any] | None = None,
) -> tuple[Hall, Mapping[str, Any] | None]:
    """Encoder and task for these data, and what they have taken from another run.

    Args:
        config: of the run.
        prepared: samples and parts.
        model: an encoder of the user's own, instead of ``config.model``.
        learned: by the run to begin with; None where weights are drawn or are in a checkpoint.
        taken: from it, as an interrupted run has written down.
    """
    if learned is not None:
        taken = {"neighbours": learned.spec.neighbours, "state": asdict(learned.spec.state)}
    start_seed(config.trainer.seed)
    spec = _spec(prepared, taken)
    encoder, task = build(config, spec, model)
    task.prepare(_labels_of(prepared, task.level))
    if learned is not None:
        found = take(learned, encoder, task, config, spec)
        warn_of_start(found, learned, config, prepared)
        taken = found.to_dict()
    augment = config.augment.build(spec)
    augment.prepare()
    hall = Hall(encoder, task, config.optimizer, config.trainer.seed, augment, config.start)
    return hall, taken


def _spec(prepared: Prepared, taken: Mapping[str, Any] | None) -> DataSpec:
    """The training rows in short; an encoder reckons in the averages of its first run."""
    spec = prepared.dataset.spec(prepared.rows("train"))
    if not taken:
        return spec
    state = StateSpec.from_dict(taken.get("state", {}))
    return spec_as_begun(spec, float(taken["neighbours"]), state)


def _tell(config: RunConfig, taken: Mapping[str, Any] | None, console: Console | None) -> None:
    if taken and console is not None:
        for line in describe_start(taken, config.start):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def make_data(config: RunConfig, prepared: Prepared) -> DataModule:
    """Batches of the training and the validation rows."""
    return DataModule(
        prepared.dataset,
        prepared.rows("train"),
        prepared.rows("val"),
        batch_size=config.trainer.batch_size,
        seed=config.trainer.seed,
        workers=config.trainer.workers,
        batch_edges=config.trainer.batch_edges,
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
