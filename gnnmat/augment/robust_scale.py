"""Images brought to one scale by a percentile of what the detectors saw."""

from __future__ import annotations

import math
from copy import copy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from gnnmat.augment.augmentation import Augmentation, Draw
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec

SAMPLED = 16  # one value in so many tells where the largest begin

Transform = Literal["none", "sqrt"]


class RobustScale(BaseModel):
    """Zero where there is no detector, divided by a percentile of the rest; nothing is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["robust_scale"] = "robust_scale"
    percentile: float = Field(
        99.0, gt=0, le=100, description="Percentile of the unmasked pixels that becomes 1."
    )
    clip: float | None = Field(
        5.0, gt=0, description="Highest scaled intensity; null leaves the tail as it is."
    )
    transform: Transform = Field(
        "sqrt",
        description="'sqrt' of the scaled intensity: counting noise becomes alike everywhere "
        "and the heavy tail short; 'none'.",
    )

    @classmethod
    def example(cls) -> RobustScale:
        """A small instance for contract tests."""
        return cls()

    def seen(self, spec: DataSpec) -> DataSpec:
        """The data as the network is given them: of the same fields and shapes."""
        return spec

    def build(self, spec: DataSpec) -> Scaled:
        """The module for these data."""
        check_is_image(self.kind, spec)
        return Scaled(self)


class Scaled(Augmentation):
    """Images (B, C, *S) on one scale; the masked pixels are zero."""

    def __init__(self, options: RobustScale) -> None:
        super().__init__()
        self.options = options

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        scaled = copy(batch)
        pairs = zip(batch["image"], mask_of(batch), strict=True)
        # Filled, not multiplied: under a mask may be anything, NaN too.
        filled = [(image.float().masked_fill(mask, 0), mask) for image, mask in pairs]
        scaled.image = torch.stack(
            [self.finish(image, self.scale(image, mask)) for image, mask in filled]
        )
        return scaled

    def scale(self, image: Tensor, mask: Tensor) -> float:
        """What this image is divided by."""
        return robust_scale(image, mask, self.options.percentile)

    def finish(self, image: Tensor, scale: float) -> Tensor:
        """One image as the network sees it; only subtracting a background makes values below 0.

        Args:
            image: intensity in any unit, zero where there is no detector.
            scale: what becomes 1.
        """
        done = (image / scale).clamp(min=0.0, max=self.options.clip)
        return square_root(done) if self.options.transform == "sqrt" else done


def square_root(values: Tensor) -> Tensor:
    """The square root; without gradients, and on the CPU fast for many zeros."""
    if values.device.type != "cpu":
        return values.sqrt()
    return torch.from_numpy(np.sqrt(values.numpy()))


def mask_of(batch: Batch) -> Tensor:
    """(B, C, *S) bool, True where there is no detector; nowhere, if the data carry no mask."""
    if "mask" in batch:
        mask: Tensor = batch["mask"]
        return mask.bool()
    return torch.zeros_like(batch["image"], dtype=torch.bool)


def robust_scale(image: Tensor, mask: Tensor, percentile: float) -> float:
    """The smallest value that ``percentile`` per cent of the unmasked pixels do not exceed.

    Where it is zero or below, the largest value is taken, and 1 where that is no better, so that
    an empty image stays empty.

    Args:
        image: zero where it is masked.
        mask: True where there is no detector.
        percentile: of the unmasked pixels.
    """
    values = image.flatten()
    seen = len(values) - int(mask.count_nonzero())
    # Counted from the top, where the zeros of masked pixels do not matter.
    above = max(seen - math.ceil(seen * percentile / 100), 0) + 1
    if values.device.type == "cpu":
        found = kth_largest(values.numpy(), above)
    else:
        found = float(values.topk(above).values[-1])
    if found <= 0:
        found = float(values.max())
    return found if found > 0 else 1.0


def kth_largest(values: NDArray[np.float32], k: int) -> float:
    """The k-th largest of many values, k being few of them; ten times faster than sorting.

    A sample tells from where on to look; if it misled, all values are looked through.
    """
    sample = values[::SAMPLED]
    rank = min(4 * k // SAMPLED + 1, len(sample))
    guess = np.partition(sample, len(sample) - rank)[len(sample) - rank]
    top = values[np.flatnonzero(values >= guess)]
    if len(top) < k:
        top = values
    return float(np.partition(top, len(top) - k)[len(top) - k])


def check_is_image(kind: str, spec: DataSpec) -> None:
    """Refuse data without images.

    Raises:
        GnnmatError: the samples are graphs.
    """
    if "image" not in spec.fields:
        raise GnnmatError(
            f"augment.kind={kind} needs images; these samples have none.",
            why=f"They have: {', '.join(spec.fields)}.",
            fix="augment.kind=none",
        )
