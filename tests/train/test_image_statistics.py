"""Brightness, contrast and smoothness of the parts of an image, with and without a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.train.image_statistics import PARTS, image_statistics

SPEC = DataSpec(("image",), channels=1, image_shape=(12, 12))


def batch(image: np.ndarray, mask: np.ndarray | None = None) -> Batch:
    made = collate([Sample(image=torch.from_numpy(image).float()[None, None])])
    if mask is not None:
        made.mask = torch.from_numpy(mask)[None, None]
    return made


def parts(found: torch.Tensor) -> torch.Tensor:
    """(parts, 3) mean, deviation, smoothness."""
    return found.view(PARTS * PARTS, 3)


def test_mean_and_deviation_are_those_of_numpy() -> None:
    image = np.random.default_rng(0).normal(size=(12, 12))
    found = parts(image_statistics(batch(image), SPEC))
    assert found[0, 0].item() == pytest.approx(image[:2, :2].mean(), rel=1e-5)
    assert found[7, 1].item() == pytest.approx(image[2:4, 2:4].std(), rel=1e-5)


def test_masked_pixels_do_not_count() -> None:
    image = np.random.default_rng(0).normal(size=(12, 12))
    mask = np.zeros((12, 12), dtype=bool)
    mask[0, :2] = True
    one = image_statistics(batch(image, mask), SPEC)
    image[0, :2] = 1e3
    assert torch.allclose(one, image_statistics(batch(image, mask), SPEC))
    assert parts(one)[0, 0].item() == pytest.approx(image[1, :2].mean(), rel=1e-5)


def test_part_without_any_pixel_is_zero() -> None:
    mask = np.ones((12, 12), dtype=bool)
    assert not image_statistics(batch(np.ones((12, 12)), mask), SPEC).any()


def test_smooth_images_are_smoother_than_noise() -> None:
    spec = DataSpec(("image",), channels=1, image_shape=(60, 60))
    ramp = np.add.outer(np.arange(60.0), np.arange(60.0))
    noise = np.random.default_rng(0).normal(size=(60, 60))
    smooth = parts(image_statistics(batch(ramp), spec))[:, 2]
    rough = parts(image_statistics(batch(noise), spec))[:, 2]
    assert smooth.min() > 0.6
    assert rough.abs().max() < 0.35
