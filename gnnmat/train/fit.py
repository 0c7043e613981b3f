"""One fit: a hall and its data -> the best weights, with everything on disk to go on later."""

from __future__ import annotations

import errno
import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import Logger
from rich.console import Console
from torch import nn

from gnnmat.data.loading import DataModule
from gnnmat.errors import GnnmatError
from gnnmat.models.cgcnn import CgcnnEncoder
from gnnmat.train.callbacks import History, ProgressLine, averaged_weights
from gnnmat.train.checkpointing import (
    BEST,
    CHECKPOINTS,
    LAST,
    AtomicCheckpoints,
    PatientStop,
    kept_epochs,
    kept_weights,
)
from gnnmat.train.config import RunConfig, TrainerConfig
from gnnmat.train.hall import Hall

__all__ = ["BEST", "CHECKPOINTS", "LAST", "fit", "plain_errors", "start_seed"]


def fit(
    hall: Hall,
    data: DataModule,
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """The finished trainer; ``hall`` then carries the weights of the best epoch, in float32.

    Args:
        hall: encoder and task, initialised.
        data: training and validation batches.
        config: how long, on what.
        folder: of the run; checkpoints, history and logs go there.
        resume: go on from the last finished epoch found there.
        console: where the progress bar is shown; None shows none.
        callbacks: more that is done around the epochs.

    Raises:
        GnnmatError: the loss is no number, memory or disk ran out; the last good checkpoint
            is left as it was.
        KeyboardInterrupt: Ctrl-C; says how to go on.
    """
    options = config.trainer
    last = folder / CHECKPOINTS / LAST
    best = folder / CHECKPOINTS / BEST
    keep_best = len(data.val_rows) > 0
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.compile and hall.task.needs_input_grad:
        raise GnnmatError(
            "trainer.compile cannot be used with a penalty on slopes.",
            why="Compiled encoders have no second derivatives.",
            fix="trainer.compile=false, or task.penalty=0",
        )
    if options.compile:
        hall.encoder.compile(dynamic=True)
    with _quiet(), plain_errors(folder, hall.encoder):
        trainer = Trainer(
            max_epochs=options.epochs,
            accelerator=options.accelerator,
            devices=options.devices,
            strategy=options.strategy,
            precision=options.precision,
            gradient_clip_val=options.clip,
            callbacks=[*_callbacks(options, folder, keep_best, console), *callbacks],
            plugins=[AtomicCheckpoints()],
            logger=_loggers(options, config, folder) or False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            log_every_n_steps=1_000_000,
            default_root_dir=folder,
        )
        from_where = str(last) if resume and last.is_file() else None
        with _plain_interrupt(trainer, folder):
            trainer.fit(hall, datamodule=data, ckpt_path=from_where, weights_only=True)
        hall.load_state_dict(kept_weights(best if keep_best else last))
    hall.float()
    return trainer


def start_seed(seed: int) -> None:
    """Seed every generator, before weights are drawn."""
    with _quiet():
        seed_everything(seed, verbose=False)


def _callbacks(
    options: TrainerConfig, folder: Path, keep_best: bool, console: Console | None
) -> list[Callback]:
    callbacks: list[Callback] = [History(folder)]
    if options.ema is not None:
        callbacks.append(averaged_weights(options.ema))
    if options.patience is not None and keep_best:
        callbacks.append(
            PatientStop("val_score", patience=options.patience, check_on_train_epoch_end=True)
        )
    if console is not None:
        callbacks.append(ProgressLine(console))
    return [*callbacks, *kept_epochs(folder, best=keep_best)]


def _loggers(options: TrainerConfig, config: RunConfig, folder: Path) -> list[Logger]:
    loggers: list[Logger] = []
    for name in options.logs:
        if name == "tensorboard":
            from lightning.pytorch.loggers import TensorBoardLogger

            loggers.append(TensorBoardLogger(folder, name="", version="tensorboard"))
        elif name == "mlflow":
            from lightning.pytorch.loggers import MLFlowLogger

            _need("mlflow")
            loggers.append(MLFlowLogger(config.name, save_dir=str(folder / "mlruns")))
        else:
            from lightning.pytorch.loggers import WandbLogger

            _need("wandb")
            loggers.append(WandbLogger(config.name, save_dir=folder, project="gnnmat"))
    return loggers


def _need(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise GnnmatError(
            f"trainer.logs asks for {package}, which is not installed.",
            fix=f"pip install 'gnnmat[{package}]'",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the console ours: Lightning's notes on devices, tips and advice stay unsaid."""
    loggers = [
        logging.getLogger(name)
        for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            warnings.filterwarnings("ignore", message=r".*GPU available but not used.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _plain_interrupt(trainer: Trainer, folder: Path) -> Iterator[None]:
    """Ctrl-C as Python has it; Lightning would end the process with status 1 and no word."""
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)
        last = folder / CHECKPOINTS / LAST
        told = f"Go on with: gnnmat train --resume {folder}" if last.is_file() else ""
        raise KeyboardInterrupt(told) from None


@contextmanager
def plain_errors(folder: Path, encoder: nn.Module | None = None) -> Iterator[None]:
    """What may go wrong on the machine, in words.

    Raises:
        GnnmatError: memory or disk ran out, or the devices asked for are not there.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _no_memory(str(error)) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise _single_atom(encoder) from error
    except MisconfigurationException as error:
        raise GnnmatError(
            "Training cannot be set up this way.",
            why=" ".join(str(error).split()),
            fix="Change trainer.accelerator, trainer.devices, trainer.strategy or "
            "trainer.precision.",
        ) from error
    except RuntimeError as error:
        if "C++ compiler" in str(error):
            raise GnnmatError(
                "trainer.compile needs a C++ compiler, and none was found.",
                fix="Install one (g++ or clang), or set trainer.compile=false.",
            ) from error
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            raise _no_memory(str(error)) from error
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        kept = (folder / CHECKPOINTS / LAST).is_file()
        raise GnnmatError(
            f"The disk is full: {folder} could not be written.",
            why="The checkpoint of the last finished epoch is intact." if kept else "",
            fix=f"Free some space, then: gnnmat train --resume {folder}",
        ) from error


def _single_atom(encoder: nn.Module | None) -> GnnmatError:
    more = " Or set model.form=paper, which has none." if isinstance(encoder, CgcnnEncoder) else ""
    return GnnmatError(
        "A training batch holds a single atom, which batch normalisation cannot work with.",
        why="There are too few training crystals, or batches are too small.",
        fix=f"Give more crystals, or raise trainer.batch_size.{more}",
    )


def _no_memory(detail: str) -> GnnmatError:
    return GnnmatError(
        "Memory ran out during training.",
        why=detail.splitlines()[0] if detail else "",
        fix="Lower trainer.batch_size or input.neighbours, or give a trainer.batch_edges, with a "
        "new run folder.",
    )
