"""Images that are made of tiles: cut apart, folded, padded and put together again."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gnnmat.sample import DataSpec
from gnnmat.simulation.layout import SliceLayout


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles of one size.

    Args:
        rows: tiles from top to bottom.
        columns: tiles from left to right.
        height: pixels of a tile from top to bottom.
        width: pixels of a tile from left to right.
    """

    rows: int
    columns: int
    height: int
    width: int

    @property
    def count(self) -> int:
        """Tiles of an image."""
        return self.rows * self.columns

    def cut(self, image: Tensor) -> Tensor:
        """(B, tiles, C, height, width) tiles of (B, C, rows * height, columns * width)."""
        batch, channels = image.shape[:2]
        grid = image.reshape(batch, channels, self.rows, self.height, self.columns, self.width)
        return grid.permute(0, 2, 4, 1, 3, 5).reshape(
            batch, self.count, channels, self.height, self.width
        )

    def join(self, tiles: Tensor) -> Tensor:
        """(B, C, rows * h, columns * w) image of (B, tiles, C, h, w), of any h and w."""
        batch, _, channels, height, width = tiles.shape
        grid = tiles.reshape(batch, self.rows, self.columns, channels, height, width)
        return grid.permute(0, 3, 1, 4, 2, 5).reshape(
            batch, channels, self.rows * height, self.columns * width
        )


def tiling_of(spec: DataSpec) -> Tiling:
    """The tiles of these images: one a slice; one over the whole image where no layout is known."""
    if spec.layout:
        layout = SliceLayout.from_dict(spec.layout)
        return Tiling(len(layout.incident_energies), layout.slices, *layout.tile_shape)
    height, width = spec.image_shape
    return Tiling(1, 1, height, width)


def fold(tiles: Tensor) -> Tensor:
    """(..., ceil(h/2), ceil(w/2)) sum of the tiles (..., h, w) and their three mirror images."""
    both = tiles + tiles.flip(-2)
    four = both + both.flip(-1)
    height, width = tiles.shape[-2:]
    return four[..., : (height + 1) // 2, : (width + 1) // 2]


def unfold(quarters: Tensor) -> Tensor:
    """(..., 2h, 2w) tiles even in both directions, of their upper left quarters (..., h, w)."""
    left = torch.cat([quarters, quarters.flip(-2)], dim=-2)
    return torch.cat([left, left.flip(-1)], dim=-1)


def pad_to(tiles: Tensor, patch: int) -> Tensor:
    """The tiles with zeros below and right, up to a multiple of ``patch`` pixels on a side."""
    height, width = tiles.shape[-2:]
    return F.pad(tiles, (0, -width % patch, 0, -height % patch))
