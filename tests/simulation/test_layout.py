from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout, pcsmo_layout, relative_layout


def test_published_image_has_240_by_400_pixels() -> None:
    layout = pcsmo_layout()
    assert layout.image_shape == (240, 400)
    assert layout.energy_edges[3][4] == pytest.approx((70 * 0.34, 70 * 0.40))
    assert (layout.h[0], layout.h[-1], layout.k[0]) == (1, -1, -1)
    assert layout.k[1] - layout.k[0] == pytest.approx(2 / 39)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_tiles_lie_where_the_layout_says(make: object) -> None:
    layout = relative_layout((10.0, 20.0), slices=3, pixels=4)
    image = np.arange(8 * 12).reshape(8, 12)
    tiles = layout.to_tiles(make(image))  # type: ignore[operator]
    assert tuple(tiles.shape) == (2, 3, 4, 4)
    assert int(tiles[1, 2, 3, 0]) == image[1 * 4 + 3, 2 * 4 + 0]
    assert np.array_equal(np.asarray(layout.to_image(tiles)), image)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_mirrors_stay_inside_their_tiles(make: object) -> None:
    layout = relative_layout((10.0, 20.0), slices=3, pixels=4)
    image = np.random.default_rng(0).random((2, 8, 12))
    in_k = np.asarray(layout.mirror_k(make(image)))  # type: ignore[operator]
    in_h = np.asarray(layout.mirror_h(make(image)))  # type: ignore[operator]
    assert np.array_equal(in_k[:, :, :4], image[:, :, 3::-1])
    assert np.array_equal(in_h[:, 4:8], image[:, 7:3:-1])


def test_layout_survives_json() -> None:
    layout = pcsmo_layout()
    assert SliceLayout.from_dict(layout.to_dict()) == layout


def test_bins_beyond_the_incident_energy_are_refused() -> None:
    with pytest.raises(GnnmatError, match=r"22 to 24 meV does not fit an incident energy of 20"):
        SliceLayout((20.0,), (((22.0, 24.0),),), (1.0, 0.0), (0.0, 1.0))


def test_axes_that_turn_back_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Axis h is not strictly rising or falling"):
        SliceLayout((20.0,), (((2.0, 4.0),),), (1.0, 0.0, 0.5), (0.0, 1.0))


def test_an_axis_that_turns_says_where() -> None:
    with pytest.raises(GnnmatError, match="0.2 is followed by 0.1") as caught:
        SliceLayout((10.0,), (((1.0, 2.0),),), (0.1, 0.2, 0.1, 0.3), (0.0, 0.1))
    assert "Sort the axis" in caught.value.fix
    with pytest.raises(GnnmatError, match="Axis k has 1 pixels, expected at least 2"):
        SliceLayout((10.0,), (((1.0, 2.0),),), (0.1, 0.2), (0.0,))
