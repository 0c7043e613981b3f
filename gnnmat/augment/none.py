"""No augmentation: the network sees what is stored."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from gnnmat.augment.augmentation import Augmentation, Draw
from gnnmat.sample import Batch, DataSpec


class NoAugment(BaseModel):
    """The network sees what is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none"] = "none"

    @classmethod
    def example(cls) -> NoAugment:
        """A small instance for contract tests."""
        return cls()

    def seen(self, spec: DataSpec) -> DataSpec:
        """The data as the network is given them: as they are stored."""
        return spec

    def build(self, spec: DataSpec) -> Unchanged:
        """The module for these data."""
        return Unchanged()


class Unchanged(Augmentation):
    """Batch -> the same batch."""

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        return batch
