from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import CouplingSpace, stable_draws

from .ring import LAYOUT, Ring, space

SHAPE = LAYOUT.image_shape


def _observed(image: np.ndarray, mask: np.ndarray | None = None) -> Observation:
    return Observation(image, np.zeros(SHAPE, bool) if mask is None else mask, LAYOUT)


def test_pixels_know_their_tile_and_go_back_to_their_place() -> None:
    image = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
    observed = _observed(image)
    np.testing.assert_array_equal(observed.put(observed.values), image)
    tiles = LAYOUT.to_tiles(observed.put(observed.tile.astype(float)))
    assert (tiles[1, 2] == 1 * LAYOUT.slices + 2).all()
    assert (LAYOUT.to_tiles(observed.put(observed.block.astype(float)))[1] == 1).all()


def test_a_tile_with_hardly_any_detector_is_left_out() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[:16, :16] = True
    mask[0, :5] = False
    observed = _observed(np.ones(SHAPE), mask)
    assert len(observed.pixels) == np.prod(SHAPE) - 256
    assert 0 not in observed.tile


@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "1 pixels that have a detector are not finite"), (-1.0, "1 pixels are negative")],
)
def test_wrong_intensities_are_refused_where_there_is_a_detector(value: float, words: str) -> None:
    image, mask = np.ones(SHAPE), np.zeros(SHAPE, bool)
    image[3, 4] = value
    with pytest.raises(GnnmatError, match=words):
        _observed(image)
    mask[3, 4] = True
    assert np.isfinite(_observed(image, mask).values).all()


def test_wrong_shapes_and_empty_spectra_are_refused() -> None:
    with pytest.raises(GnnmatError, match=r"spectrum has shape \(3, 3\).*images have \(32, 64\)"):
        _observed(np.ones((3, 3)))
    with pytest.raises(GnnmatError, match="zero everywhere"):
        _observed(np.zeros(SHAPE))
    with pytest.raises(GnnmatError, match="No tile has enough pixels"):
        _observed(np.ones(SHAPE), np.ones(SHAPE, bool))


def test_ranges_are_checked() -> None:
    with pytest.raises(GnnmatError, match="range of B is 3 to 1 meV"):
        space(B=(3.0, 1.0))
    with pytest.raises(GnnmatError, match="nothing to refine"):
        CouplingSpace(("A",), np.array([[1.0, 1.0]]))
    with pytest.raises(GnnmatError, match="need ranges of shape"):
        CouplingSpace(("A", "B"), np.array([[1.0, 2.0]]))


def test_start_values_are_checked() -> None:
    with pytest.raises(GnnmatError, match="B = 9 meV lies outside its range of 0 to 8 meV"):
        space().check([9.0, 9.0, 1.0])
    with pytest.raises(GnnmatError, match="one number a coupling: A, B, gap"):
        space().check([9.0])


def test_draws_are_stable_and_their_share_is_that_of_the_range() -> None:
    values, share = stable_draws(Ring(), space(), 500, np.random.default_rng(0))
    assert (values[:, 2] >= 0).all()
    assert share == pytest.approx(6 / 7, abs=0.05)  # the gap is drawn from -1 to 6


def test_ranges_without_a_stable_order_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Only 0 of .* keep the order") as error:
        stable_draws(Ring(), space(gap=(-2.0, -1.0)), 1, np.random.default_rng(0), most=2)
    assert "signs" in error.value.fix
