"""A small network for stacks of slices, which knows what each slice and each place in it is."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.models.tiles import Tiling, fold, pad_to, tiling_of, unfold
from gnnmat.sample import Batch, DataSpec


class Slices(BaseModel):
    """Patches of each slice, marked by slice and place, then convolutions inside the slice.

    Nothing is normalised over a batch, so that a spectrum has the same features alone and among
    others; the mean over the last map is what the task sees, so that class activation maps of a
    linear head are exact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["slices"] = "slices"
    patch: int = Field(4, gt=0, description="Pixels on a side of a patch.")
    width: int = Field(32, gt=0, description="Channels of the patches.")
    features: int = Field(64, gt=0, description="Channels of the last map.")
    layers: int = Field(1, ge=0, description="Convolutions inside a slice before the last one.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of channels dropped in training.")
    mask: bool = Field(
        True, description="Tell the network which pixels have no detector, where that is known."
    )
    symmetric: bool = Field(
        False,
        description="Average each slice with its mirror images first: four times the counts and "
        "a quarter of the work, for physics that is even along both axes of a slice.",
    )

    @classmethod
    def example(cls) -> Slices:
        """A small instance for contract tests."""
        return cls(width=6, features=8)

    def build(self, spec: DataSpec) -> SlicesEncoder:
        """The network for these data."""
        if len(spec.image_shape) != 2:
            raise GnnmatError(
                f"slices needs images of rank 2, these have rank {len(spec.image_shape)}."
            )
        masked = self.mask and "mask" in spec.fields
        encoder = MaskedSlicesEncoder if masked else SlicesEncoder
        return encoder(self, spec.channels, tiling_of(spec))


class SlicesEncoder(Encoder):
    """Local features are the pixels of the last map, row by row over the whole image.

    Attributes:
        map_shape: (rows, columns) of the last map, which covers the image evenly.
    """

    reads: tuple[str, ...] = ("image",)

    def __init__(self, config: Slices, channels: int, tiling: Tiling) -> None:
        super().__init__()
        self.tiling = tiling
        self.patch = config.patch
        self.symmetric = config.symmetric
        self.width = config.features
        rows, columns = self._patches()
        twice = 2 if config.symmetric else 1
        self.map_shape = tiling.rows * rows * twice, tiling.columns * columns * twice
        width = config.width
        self.patches = nn.Conv2d(channels + 1, width, self.patch, self.patch)
        self.marks = Marks(width, tiling.count, rows, columns)
        self.layers = nn.ModuleList(Inside(width) for _ in range(config.layers))
        self.last_marks = Marks(width, tiling.count, rows, columns)
        self.last = nn.Conv2d(width, self.width, 1)
        self.dropout = nn.Dropout1d(config.dropout)
        self.dropout_last = nn.Dropout(config.dropout)

    def _patches(self) -> tuple[int, int]:
        """Patches of a tile, or of its upper left quarter, from top to bottom and left to right."""
        height, width = self.tiling.height, self.tiling.width
        if self.symmetric:
            height, width = (height + 1) // 2, (width + 1) // 2
        return -(-height // self.patch), -(-width // self.patch)

    def seen(self, batch: Batch) -> Tensor:
        """(B, 1, H, W) share of each pixel that was measured: everywhere all of it."""
        return torch.ones_like(batch.image[:, :1])

    def local(self, batch: Batch) -> Tensor:
        # Intensities have a long tail, of which the logarithm tells more; near zero, where there
        # is noise, they are left as they are.
        seen = self.tiling.cut(self.seen(batch))
        tiles = self.tiling.cut(batch.image) * seen
        if self.symmetric:
            count = fold(seen)
            tiles, seen = fold(tiles) / count.clamp(min=1), count / 4
        tiles = pad_to(torch.cat([tiles.asinh(), seen], dim=2), self.patch)
        samples, count_tiles = tiles.shape[:2]
        maps = self.marks(self.patches(tiles.flatten(0, 1)))
        for layer in self.layers:
            maps = layer(maps)
        dropped: Tensor = self.dropout(maps.flatten(2)).view_as(maps)
        maps = nn.functional.gelu(self.last(self.last_marks(dropped)))
        maps = maps.view(samples, count_tiles, *maps.shape[1:])
        if self.symmetric:
            maps = unfold(maps)
        return self.tiling.join(maps).flatten(2).transpose(1, 2).reshape(-1, self.width)

    def pool(self, local: Tensor, batch: Batch) -> Tensor:
        pooled: Tensor = self.dropout_last(local.view(batch.num_graphs, -1, self.width).mean(dim=1))
        return pooled

    def inputs(self, batch: Batch) -> Tensor:
        image: Tensor = batch.image
        return image


class MaskedSlicesEncoder(SlicesEncoder):
    """Knows which zeros were not measured."""

    reads: tuple[str, ...] = ("image", "mask")

    def seen(self, batch: Batch) -> Tensor:
        return 1 - batch.mask[:, :1].to(batch.image.dtype)


class Marks(nn.Module):
    """Tells each patch in which slice it lies and where: x * (1 + gate) + shift.

    Gates and shifts are sums of one part for the slice and one for the place in it, and the gate
    has their product besides, so that a channel can look at one place of one slice.

    Args:
        width: channels.
        tiles: slices of an image.
        rows: patches of a slice from top to bottom.
        columns: patches of a slice from left to right.
    """

    def __init__(self, width: int, tiles: int, rows: int, columns: int) -> None:
        super().__init__()
        self.gate_tile = nn.Parameter(0.2 * torch.randn(tiles, width, 1, 1))
        self.gate_place = nn.Parameter(0.2 * torch.randn(1, width, rows, columns))
        self.shift_tile = nn.Parameter(0.1 * torch.randn(tiles, width, 1, 1))
        self.shift_place = nn.Parameter(0.1 * torch.randn(1, width, rows, columns))

    def forward(self, maps: Tensor) -> Tensor:
        """Marked maps (B * tiles, width, rows, columns)."""
        gate = (1 + self.gate_tile) * (1 + self.gate_place)
        shift = self.shift_tile + self.shift_place
        samples = len(maps) // len(gate)
        marked: Tensor = maps.view(samples, *gate.shape) * gate + shift
        return marked.view_as(maps)


class Inside(nn.Module):
    """Patches mixed with their neighbours in the same slice: x + W gelu(V * gelu(x)).

    V looks at each channel alone, W at each place alone; outside the slice there are zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.neighbours = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Mixed maps, of the same shape."""
        near = self.neighbours(nn.functional.gelu(maps))
        mixed: Tensor = maps + self.mix(nn.functional.gelu(near))
        return mixed
