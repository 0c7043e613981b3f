"""What happens around the steps: averaged weights, the history file, one progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from gnnmat.atomic import write_atomically


def averaged_weights(decay: float) -> WeightAveraging:
    """Exponentially averaged weights, which validation sees and the run keeps.

    Args:
        decay: share of the old average kept at each step; smaller during the first steps, so
            that the initial weights are forgotten.
    """

    return WeightAveraging(avg_fn=partial(_average, decay=decay))


def _average(old: Tensor, new: Tensor, steps: Tensor | int, decay: float) -> Tensor:
    # At the top of the file, so that it can be sent to spawned processes.
    kept = min(decay, (1 + float(steps)) / (10 + float(steps)))
    return old.lerp(new.to(old.dtype), 1 - kept) if old.is_floating_point() else new


class History(Checkpoint):
    """``history.csv``: one row an epoch, rewritten whole so that it is never half a row.

    A `Checkpoint` by name, because Lightning calls those after the module has logged the loss of
    the epoch and has refused one that is no number; all other callbacks come before.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "history.csv"
        self.rows: list[dict[str, float]] = []
        self.began = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of this epoch."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {"epoch": float(trainer.current_epoch + 1), **values}
        row["seconds"] = round(time.monotonic() - self.began, 3)
        self.rows.append(row)
        if trainer.is_global_zero:
            table = pd.DataFrame(self.rows)
            table["epoch"] = table["epoch"].astype(int)
            write_atomically(self.path, table.to_csv(index=False))

    def state_dict(self) -> dict[str, Any]:
        """The rows so far travel with the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after the rows of the checkpoint."""
        self.rows = list(state_dict["rows"])
        if self.rows:
            self.began = time.monotonic() - self.rows[-1]["seconds"]


class ProgressLine(Callback):
    """One bar over the whole training, with the scores of the last epoch."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        if not trainer.is_global_zero or not self.console.is_terminal:
            return
        self.progress = Progress(
            TextColumn("[bold]Training[/] epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps  {task.fields[scores]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        epochs = trainer.max_epochs or 1
        steps = epochs * int(trainer.num_training_batches)
        self.bar = self.progress.add_task(
            "train", total=steps, completed=trainer.global_step, epochs=epochs,
            epoch=trainer.current_epoch + 1, scores="",
        )  # fmt: skip
        self.progress.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any, **__: Any) -> None:
        """Move the bar."""
        if self.progress:
            self.progress.update(
                self.bar, completed=trainer.global_step, epoch=trainer.current_epoch + 1
            )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the scores of the epoch before; its loss is known only now."""
        self._show(trainer)

    def _show(self, trainer: Trainer) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.progress:
            shown = [f"loss {values['train_loss']:.3g}"] if "train_loss" in values else []
            shown += [
                f"{name[4:].replace('_', ' ')} {value:.3g}"
                for name, value in values.items()
                if name.startswith(("val_mae", "val_accuracy"))
            ][:2]
            self.progress.update(self.bar, scores="  ".join(shown))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar as it stands."""
        self._show(trainer)
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back before the message is printed."""
        self._stop()

    def _stop(self) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None


class EachEpoch(Checkpoint):
    """Tells a function of every epoch's score, and stops where it says so.

    A `Checkpoint` by name, for the reason that `History` is one.

    Args:
        told: called with the epoch, from 1, and ``val_score``; true stops the training.
    """

    def __init__(self, told: Callable[[int, float], bool]) -> None:
        self.told = told

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell, and stop if that is the answer."""
        value = float(trainer.callback_metrics["val_score"])
        if self.told(trainer.current_epoch + 1, value):
            trainer.should_stop = True
