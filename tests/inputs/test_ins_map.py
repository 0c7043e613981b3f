"""Spectrum -> image sample with its mask."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.inputs.ins_map import InsMap
from gnnmat.sources.spectrum import Spectrum

IMAGE = np.arange(12, dtype=np.float32).reshape(3, 4)
MASK = IMAGE % 5 == 0


def test_intensities_are_kept_as_they_are_and_zero_under_the_mask() -> None:
    fields = InsMap().sample(Spectrum(IMAGE, MASK))
    assert fields["image"].shape == fields["mask"].shape == (1, 1, 3, 4)
    assert np.array_equal(fields["image"][0, 0], np.where(MASK, 0, IMAGE))
    assert np.array_equal(fields["mask"][0, 0], MASK)


def test_what_is_under_the_mask_does_not_matter() -> None:
    other = np.where(MASK, 1e9, IMAGE).astype(np.float32)
    first, second = (InsMap().sample(Spectrum(image, MASK)) for image in (IMAGE, other))
    assert np.array_equal(first["image"], second["image"])


def test_anything_else_is_refused() -> None:
    with pytest.raises(GnnmatError, match="was given a ndarray, not a spectrum"):
        InsMap().sample(IMAGE)  # type: ignore[arg-type]
