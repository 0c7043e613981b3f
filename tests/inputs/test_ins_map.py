"""Spectra as samples: intensities as they are, zero where there is no detector."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.inputs import InsMap
from gnnmat.sample import Sample, check_sample
from gnnmat.sources.spectrum import Spectrum

IMAGE = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
MASK = IMAGE > 10


def test_image_and_mask_get_the_axes_of_samples_and_channels_in_front() -> None:
    sample = InsMap().sample(Spectrum(IMAGE, MASK))
    assert sample["image"].shape == sample["mask"].shape == (1, 1, 3, 4)
    assert sample["mask"].dtype == np.bool_
    np.testing.assert_array_equal(sample["mask"][0, 0], MASK)
    check_sample(
        Sample(**{name: torch.from_numpy(array) for name, array in sample.items()}, num_nodes=1),
        InsMap().fields,
    )


def test_intensities_are_not_scaled_and_zero_under_the_mask() -> None:
    image = InsMap().sample(Spectrum(IMAGE, MASK))["image"][0, 0]
    np.testing.assert_array_equal(image, np.where(IMAGE > 10, 0, IMAGE))


def test_the_spectrum_is_not_changed() -> None:
    image, mask = IMAGE.copy(), MASK.copy()
    InsMap().sample(Spectrum(image, mask))
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


def test_what_is_no_spectrum_is_refused() -> None:
    with pytest.raises(GnnmatError, match="was given a ndarray, not a spectrum"):
        InsMap().sample(IMAGE)  # type: ignore[arg-type]
