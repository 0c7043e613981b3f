"""Plain numbers that say how an image looks, part by part: brightness, contrast, smoothness.

No network made them, so they notice what a network was taught to overlook.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gnnmat.sample import Batch, DataSpec
from gnnmat.simulation.layout import SliceLayout

PARTS = 6  # parts along each axis of an image without a layout


def is_picture(batch: Batch) -> bool:
    """Whether the samples are images of two axes."""
    return "image" in batch and batch["image"].dim() == 4


def image_statistics(batch: Batch, spec: DataSpec) -> Tensor:
    """(B, 3 C parts) mean, standard deviation and smoothness of every part of every channel.

    Smoothness is the correlation of neighbouring pixels. Masked pixels do not count.

    Args:
        batch: with images (B, C, R, K), as the network sees them.
        spec: whose layout, if any, says what the parts are.
    """
    image: Tensor = batch["image"].float()
    mask = batch["mask"].bool() if "mask" in batch else torch.zeros_like(image, dtype=torch.bool)
    tiles, gaps = _parts(image, spec), _parts(mask.expand_as(image), spec)
    mean, variance = _moments(tiles, ~gaps)
    away = (tiles - mean[..., None, None]) * ~gaps
    shared, pairs = torch.zeros_like(mean), torch.zeros_like(mean)
    for axis in (-2, -1):
        size = tiles.shape[axis]
        first, second = away.narrow(axis, 0, size - 1), away.narrow(axis, 1, size - 1)
        both = ~gaps.narrow(axis, 0, size - 1) & ~gaps.narrow(axis, 1, size - 1)
        shared += (first * second).sum((-2, -1))
        pairs += both.sum((-2, -1))
    smooth = shared / pairs.clamp(min=1) / variance.clamp(min=1e-12)
    found = torch.stack([mean, variance.sqrt(), smooth.clamp(-1, 1)], dim=-1)
    return found.flatten(1)


def _moments(tiles: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the pixels that are seen; zero where none is."""
    count = seen.sum((-2, -1)).clamp(min=1)
    mean = (tiles * seen).sum((-2, -1)) / count
    square = ((tiles - mean[..., None, None]).square() * seen).sum((-2, -1)) / count
    return mean, square


def _parts(image: Tensor, spec: DataSpec) -> Tensor:
    """(B, C, parts, r, k) the parts of images (B, C, R, K); a remainder at the edge is left out."""
    layout = getattr(spec, "layout", {})
    if layout:
        shape = SliceLayout.from_dict(layout).tile_shape
    else:
        shape = (max(image.shape[-2] // PARTS, 1), max(image.shape[-1] // PARTS, 1))
    rows, columns = shape
    cut = image.unfold(2, rows, rows).unfold(3, columns, columns)
    return cut.flatten(2, 3)
