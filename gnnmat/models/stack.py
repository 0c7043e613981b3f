"""A network for stacks of slices that sees all energies at one wave vector at once."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.models.tiles import Tiling, fold, pad_to, tiling_of
from gnnmat.sample import Batch, DataSpec

STRIDE = 4  # from the pixels of a slice to those of the last map


class Stack(BaseModel):
    """Slices laid on top of each other as channels, then residual convolutions.

    Where one slice bends or splits against the others is what tells Hamiltonians apart, so the
    first layer already mixes all of them at each wave vector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["stack"] = "stack"
    width: int = Field(64, gt=0, description="Channels after the first layer.")
    features: int = Field(96, gt=0, description="Channels of the last map, and features.")
    blocks: int = Field(1, ge=0, description="Residual blocks at each resolution.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of features dropped in training.")
    mask: bool = Field(
        True, description="Tell the network which pixels have no detector, where that is known."
    )
    symmetric: bool = Field(
        True,
        description="Average each slice with its mirror images first: four times the counts and "
        "a quarter of the work, for physics that is even along both axes of a slice.",
    )

    @classmethod
    def example(cls) -> Stack:
        """A small instance for contract tests."""
        return cls(width=6, features=8)

    def build(self, spec: DataSpec) -> StackEncoder:
        """The network for these data."""
        if len(spec.image_shape) != 2:
            raise GnnmatError(
                f"stack needs images of rank 2, these have rank {len(spec.image_shape)}."
            )
        masked = self.mask and "mask" in spec.fields
        encoder = MaskedStackEncoder if masked else StackEncoder
        return encoder(self, spec.channels, tiling_of(spec))


class StackEncoder(Encoder):
    """Local features are the pixels of the last map, all slices together, row by row."""

    reads: tuple[str, ...] = ("image",)

    def __init__(self, config: Stack, channels: int, tiling: Tiling) -> None:
        super().__init__()
        self.tiling = tiling
        self.symmetric = config.symmetric
        height, width = tiling.height, tiling.width
        if config.symmetric:
            height, width = (height + 1) // 2, (width + 1) // 2
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        wide, self.width = config.width, config.features
        self.stem = nn.Conv2d((channels + 1) * tiling.count, wide, 4, 2, padding=1)
        self.place = nn.Parameter(0.1 * torch.randn(1, wide, 2 * rows, 2 * columns))
        self.body = nn.Sequential(
            *(Residual(wide) for _ in range(config.blocks)),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, self.width, 2, 2),
            *(Residual(self.width) for _ in range(config.blocks)),
            nn.BatchNorm2d(self.width),
            nn.ReLU(),
        )
        self.gate = nn.Parameter(0.02 * torch.randn(1, self.width, rows, columns))
        self.last = nn.Linear(self.width, self.width)
        self.dropout = nn.Dropout(config.dropout)

    def seen(self, batch: Batch) -> Tensor:
        """(B, 1, H, W) share of each pixel that was measured: everywhere all of it."""
        return torch.ones_like(batch.image[:, :1])

    def local(self, batch: Batch) -> Tensor:
        seen = self.tiling.cut(self.seen(batch))
        tiles = self.tiling.cut(batch.image) * seen
        if self.symmetric:
            count = fold(seen)
            tiles, seen = fold(tiles) / count.clamp(min=1), count / 4
        stacked = pad_to(torch.cat([tiles, seen], dim=2).flatten(1, 2), STRIDE)
        maps = self.body(self.stem(stacked) + self.place) * (1 + self.gate)
        return maps.flatten(2).transpose(1, 2).reshape(-1, self.width)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        mean = local.view(batch.num_graphs, -1, self.width).mean(dim=1)
        pooled: Tensor = self.dropout(self.last(mean).relu())
        return pooled

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image

    def on_image(self, cells: Tensor) -> Tensor:
        """(H, W) the pixels (cells,) of the last map, each spread evenly over what it looks at.

        Every cell looks at one wave vector in all slices, and at its mirror images, so all slices
        get the same.
        """
        row, column = torch.arange(self.tiling.height), torch.arange(self.tiling.width)
        if self.symmetric:
            row, column = torch.minimum(row, row.flip(0)), torch.minimum(column, column.flip(0))
        wide = self.gate.shape[-1]
        place = (row // STRIDE)[:, None] * wide + column // STRIDE
        tiles = place.expand(1, self.tiling.count, 1, *place.shape)
        whole = self.tiling.join(tiles)[0, 0]
        counts = torch.bincount(whole.ravel(), minlength=len(cells)).clamp(min=1)
        return (cells / counts)[whole]


class MaskedStackEncoder(StackEncoder):
    """Knows which zeros were not measured."""

    reads: tuple[str, ...] = ("image", "mask")

    def seen(self, batch: Batch) -> Tensor:
        return 1 - batch.mask[:, :1].to(batch.image.dtype)


class Residual(nn.Module):
    """x + two convolutions, normalised before.

    Source: He et al., ECCV 2016, arXiv 1603.05027, "full pre-activation".
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        added: Tensor = maps + self.layers(maps)
        return added
