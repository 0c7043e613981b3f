"""What is kept while a run is under way: the best weights, and all that going on later needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from gnnmat.atomic import write_atomically

CHECKPOINTS = "checkpoints"
LAST = "last.ckpt"
BEST = "best.ckpt"


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or absent.

    Lightning's own way writes to the system's temporary folder and moves the file; between two
    disks that is a copy, which a killed process leaves cut short.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write beside, then rename."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomically(Path(path), buffer.getvalue())


class _Kept(ModelCheckpoint):
    """A checkpoint that knows its file again after the run folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the scores so far; the files are those of this folder."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: here(value) for name, value in state_dict.items() if name.endswith("_path")}
        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(
            {**state_dict, **moved, "best_k_models": best, "dirpath": self.dirpath}
        )


class PatientStop(EarlyStopping):
    """Early stopping that stays stopped when a run is taken up after it."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Patience may have ended in the very epoch that was kept."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def kept_epochs(folder: Path, *, best: bool) -> list[ModelCheckpoint]:
    """Callbacks that keep the best weights, if there is a score, and the last epoch, in a run.

    Both are written at the end of an epoch, after the loss was found to be a number. The best is
    written first, so that the last epoch's file knows of it; and with everything in it, because
    averaged weights only enter a checkpoint that is complete.
    """
    shared: dict[str, Any] = {
        "dirpath": folder / CHECKPOINTS,
        "save_top_k": 1,
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    last = _Kept(filename=Path(LAST).stem, **shared)
    if not best:
        return [last]
    return [_Kept(filename=Path(BEST).stem, monitor="val_score", **shared), last]


def kept_weights(path: Path) -> dict[str, Any]:
    """The weights in a checkpoint: averaged ones, if the run averages."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return state
