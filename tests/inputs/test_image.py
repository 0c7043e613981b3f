"""Images: one axis in front, scaled by a percentile if wanted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.inputs import Image
from gnnmat.sample import Sample, check_sample

RAW = np.arange(-12, 12, dtype=np.float32).reshape(2, 3, 4)


def test_image_gets_the_axis_of_samples_in_front() -> None:
    sample = Image().sample(RAW)
    np.testing.assert_array_equal(sample["image"], RAW[None])
    check_sample(Sample(image=torch.from_numpy(sample["image"]), num_nodes=1), Image().fields)


@pytest.mark.parametrize("percentile", [50.0, 99.0, 100.0])
def test_percentile_of_the_scaled_absolute_values_is_one(percentile: float) -> None:
    image = Image(percentile=percentile).sample(RAW)["image"]
    assert np.percentile(np.abs(image), percentile) == pytest.approx(1.0)
    np.testing.assert_allclose(image[0] * -12, RAW * image[0, 0, 0, 0], rtol=1e-6)


def test_an_empty_image_is_not_divided_by_zero() -> None:
    image = Image(percentile=99.0).sample(np.zeros((1, 4, 4)))["image"]
    np.testing.assert_array_equal(image, np.zeros((1, 1, 4, 4)))


def test_raw_image_is_not_changed() -> None:
    raw = RAW.astype(np.float64)
    Image(percentile=50.0).sample(raw)
    np.testing.assert_array_equal(raw, RAW)
