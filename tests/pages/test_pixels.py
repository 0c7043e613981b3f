"""Pictures read back by another decoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from gnnmat.pages.pixels import AGAINST, FOR, png, signed_png

Image = pytest.importorskip("PIL.Image")


def decoded(content: bytes) -> NDArray[np.uint8]:
    """(R, C, 4) red, green, blue, opacity."""
    return np.array(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_brighter_pixels_are_drawn_brighter() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    drawn = decoded(png(image))
    assert drawn.shape == (3, 4, 4)
    assert (drawn[..., 3] == 255).all()
    light = drawn[..., :3].astype(int).sum(-1).ravel()
    assert (np.diff(light) > 0).all()
    assert drawn[0, 0, :3].tolist() == [0, 0, 4]
    assert drawn[2, 3, :3].tolist() == [0xFC, 0xFF, 0xA4]


def test_pixels_without_detector_are_transparent_and_do_not_set_the_scale() -> None:
    image = np.array([[1.0, 2.0], [3.0, 1e9]], np.float32)
    drawn = decoded(png(image, np.array([[False, False], [False, True]])))
    assert drawn[..., 3].tolist() == [[255, 255], [255, 0]]
    assert drawn[1, 0, :3].tolist() == [0xFC, 0xFF, 0xA4]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_an_empty_image_is_dark(value: float) -> None:
    drawn = decoded(png(np.full((2, 3), value, np.float32)))
    assert (drawn == [0, 0, 4, 255]).all()
    assert (decoded(png(np.zeros((2, 3), np.float32), np.ones((2, 3), bool)))[..., 3] == 0).all()


def test_colour_tells_the_sign_and_opacity_the_size() -> None:
    drawn = decoded(signed_png(np.array([[2.0, 1.0, 0.0, -1.0, -2.0]])))[0]
    assert drawn[0, :3].tolist() == list(FOR)
    assert drawn[4, :3].tolist() == list(AGAINST)
    opacity = drawn[:, 3].astype(int)
    assert opacity[2] == 0
    assert opacity[0] > opacity[1] > 100
    assert opacity[4] > opacity[3] > 100
