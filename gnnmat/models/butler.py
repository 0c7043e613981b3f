"""The convolutional network of Butler et al. 2021 for stacks of slices, and its pooled variant."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, DataSpec


class Butler(BaseModel):
    """Seven convolutions along and across slices, then a dense layer of 64 or the mean.

    Source: Butler et al., J. Phys.: Condens. Matter 33, 194006 (2021), arXiv 2011.04584.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["butler"] = "butler"
    pooled: bool = Field(
        False,
        description="Average the last map instead of a dense layer over all its pixels, so that "
        "class activation maps can be drawn.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of features dropped; paper: 0.")

    @classmethod
    def example(cls) -> Butler:
        """A small instance for contract tests."""
        return cls()

    def build(self, spec: DataSpec) -> ButlerEncoder:
        """The network for these data."""
        if len(spec.image_shape) != 2:
            raise GnnmatError(
                f"butler needs images of rank 2, these have rank {len(spec.image_shape)}."
            )
        rows, columns = map_shape(*spec.image_shape)
        if rows < 1 or columns < 1:
            raise GnnmatError(
                f"Images of {spec.image_shape[0]} x {spec.image_shape[1]} pixels are too small "
                "for butler.",
                why="Its convolutions have no padding and need at least 8 x 34 pixels.",
                fix="model.kind=cnn or model.kind=slices",
            )
        return ButlerEncoder(spec.channels, (rows, columns), self.pooled, self.dropout)


def map_shape(rows: int, columns: int) -> tuple[int, int]:
    """(rows, columns) of the last map of an image of this size."""
    return (rows - 6) // 2, ((columns - 6) // 2 - 4) // 2 - 4


class ButlerEncoder(Encoder):
    """Local features are the pixels of the last map.

    With a dense layer each pixel has weights of its own, (pixels, 32, 64), and its local features
    are its part of the sum that the layer takes.

    Attributes:
        map_shape: (rows, columns) of the last map.
    """

    reads: tuple[str, ...] = ("image",)

    def __init__(self, channels: int, shape: tuple[int, int], pooled: bool, dropout: float) -> None:
        super().__init__()
        self.map_shape = shape
        self.layers = nn.Sequential(
            *_convolution(channels, 16, (5, 5)),
            *_convolution(16, 16, (3, 3)),
            nn.MaxPool2d((1, 2)),
            # The paper's 11,490 parameters of the pooled variant leave room for one of the three
            # normalisations, of 32 channels; here it is the one before the mean.
            *([] if pooled else [nn.BatchNorm2d(16)]),
            *_convolution(16, 16, (1, 3)),
            *_convolution(16, 32, (1, 3)),
            nn.MaxPool2d((2, 2)),
            *([] if pooled else [nn.BatchNorm2d(32)]),
            *_convolution(32, 32, (1, 3)),
            *_convolution(32, 32, (1, 3)),
            nn.BatchNorm2d(32),
        )
        self.dense: nn.Parameter | None = None
        self.width = 32
        self.dropout = nn.Dropout(dropout)
        if not pooled:
            self.width, pixels = 64, shape[0] * shape[1]
            self.dense = nn.Parameter(torch.empty(pixels, 32, 64))
            bound = (6 / (32 * pixels + 64)) ** 0.5  # Glorot & Bengio 2010, as in Keras
            nn.init.uniform_(self.dense, -bound, bound)
            self.bias = nn.Parameter(torch.zeros(64))

    def local(self, batch: Batch) -> Tensor:
        maps: Tensor = self.layers(batch.image)
        pixels = maps.flatten(2)
        if self.dense is None:
            return pixels.transpose(1, 2).reshape(-1, self.width)
        return torch.einsum("bcp,pcw->bpw", pixels, self.dense).reshape(-1, self.width)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        each = local.view(batch.num_graphs, -1, self.width)
        if self.dense is None:
            averaged: Tensor = self.dropout(each.mean(dim=1))
            return averaged
        summed: Tensor = self.dropout((each.sum(dim=1) + self.bias).relu())
        return summed

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image


def _convolution(before: int, after: int, kernel: tuple[int, int]) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel), nn.ReLU()]
