"""Images of 2 x 3 tiles of 8 x 8 pixels, with the layout that says so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.simulation.layout import relative_layout

SHAPE = (16, 24)


def layered_spec(*fields: str) -> DataSpec:
    """Data with a layout of two incident energies, three slices, tiles of 8 x 8 pixels."""
    known: dict[str, Any] = {"layout": relative_layout((20.0, 40.0), slices=3, pixels=8).to_dict()}
    targets = TargetSpec((Target("model", classes=("a", "b")),))
    return DataSpec(fields or ("image",), targets, channels=1, image_shape=SHAPE, **known)


def batch_of(images: Tensor, masks: Tensor | None = None) -> Batch:
    """A batch of images (B, C, H, W), with masks (B, 1, H, W) if given."""
    samples = [Sample(image=image[None], num_nodes=1) for image in images]
    if masks is not None:
        for sample, mask in zip(samples, masks, strict=True):
            sample.mask = mask[None]
    return collate(samples)


def noise(count: int, seed: int = 0) -> Tensor:
    """(count, 1, 16, 24) random images."""
    return torch.rand(count, 1, *SHAPE, generator=torch.Generator().manual_seed(seed))
