"""A trained run that cleans the image before another encoder sees it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, DataSpec
from gnnmat.tasks.reconstruction import ReconstructionTask
from gnnmat.tasks.task import Task
from gnnmat.train.config import RunConfig, parse_config


@dataclass(frozen=True)
class Front:
    """What must be known to build the cleaning run again, without its folder.

    Args:
        config: as it was trained.
        spec: its training data in short.
    """

    config: RunConfig
    spec: DataSpec

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries, for ``spec.json``."""
        return {"config": self.config.model_dump(mode="json"), "spec": self.spec.to_dict()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Front:
        """The front written by `to_dict`."""
        return cls(parse_config(plain["config"]), DataSpec.from_dict(plain["spec"]))


class Cleaned(Encoder):
    """An encoder behind a frozen autoencoder, whose weights travel with its own.

    Args:
        encoder: sees the cleaned image, in which no pixel is masked.
        before: encoder of the cleaning run.
        task: its task.
        front: how both are built again.
    """

    def __init__(
        self, encoder: Encoder, before: Encoder, task: ReconstructionTask, front: Front
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.before = before.requires_grad_(False).eval()
        self.cleaner = task.requires_grad_(False).eval()
        self.front = front
        self.width = encoder.width
        self.reads = tuple(dict.fromkeys((*encoder.reads, *before.reads)))
        if hasattr(encoder, "map_shape"):
            self.map_shape = encoder.map_shape

    def train(self, mode: bool = True) -> Cleaned:
        """Training mode for the encoder alone."""
        super().train(mode)
        self.before.eval()
        self.cleaner.eval()
        return self

    def clean(self, batch: Batch) -> Batch:
        """A new batch with the cleaned image; gaps are filled, so that none is masked."""
        cleaned = copy(batch)
        image = self.cleaner.clean(self.cleaner(self.before(batch), batch))
        cleaned.image = image.to(batch.image.dtype)
        if "mask" in batch:
            cleaned.mask = torch.zeros_like(batch.mask)
        return cleaned

    def local(self, batch: Batch) -> Tensor:
        return self.encoder.local(self.clean(batch))

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        return self.encoder.pool(local, batch)

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image


def check_front(name: str, task: Task, front: Front, spec: DataSpec) -> ReconstructionTask:
    """The task of a cleaning run; refused if it cannot clean images of these data.

    Raises:
        GnnmatError: the run cleans nothing, stands behind another, or knows other images.
    """
    if not isinstance(task, ReconstructionTask):
        raise GnnmatError(
            f"The run '{name}' cannot stand before another: it does not clean images.",
            why=f"Its task is '{front.config.task.kind}'.",
            fix="before: a run trained with task.kind=reconstruction",
        )
    if front.config.before is not None:
        raise GnnmatError(f"The run '{name}' stands behind another one itself.")
    known, given = ((one.channels, *one.image_shape, one.layout) for one in (front.spec, spec))
    if known != given:
        raise GnnmatError(
            f"The run '{name}' was trained on other images.",
            why=f"Channels and pixels there: {known[:-1]}, here: {given[:-1]}"
            + (", on other axes." if known[:-1] == given[:-1] else "."),
        )
    return task
