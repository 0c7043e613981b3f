"""What every augmentation offers: a batch as it is stored -> the batch that the network sees."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from gnnmat.sample import Batch

Draw = Literal["train", "fixed", "none"]


class Augmentation(nn.Module):
    """Batch -> batch; the base of all augmentations. It holds buffers, never parameters.

    What is drawn for a sample depends on the seed, the epoch and the sample's ``row``, never on
    the other samples of its batch. The input is left as it is.
    """

    def prepare(self) -> None:
        """Read the files that the config names, once, before training.

        What they hold goes into buffers, so that a trained run needs them no more.
        """

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        """A new batch.

        Args:
            batch: as it is stored.
            draw: 'train' draws by (seed, epoch, row); 'fixed' by (seed, row), for rows that are
                scored; 'none' draws nothing, for measurements.
            seed: of the draws.
            epoch: of the draws of 'train'.
        """
        raise NotImplementedError


def stream(draw: Draw, seed: int, epoch: int, row: int) -> np.random.Generator:
    """The random numbers of one sample, the same on every machine and in every batch."""
    # The first number keeps the draws of scored rows apart from those of every epoch.
    entropy = [1, seed, epoch, row] if draw == "train" else [0, seed, row]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
