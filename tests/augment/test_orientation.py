"""A turn about the beam moves a peak by angle * (-k, h)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gnnmat.augment.orientation import turned
from gnnmat.simulation.layout import relative_layout

LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=41)
H, K = torch.tensor(LAYOUT.h), torch.tensor(LAYOUT.k)


def peak(row: int, column: int) -> torch.Tensor:
    tiles = torch.zeros(2, 41, 3, 41)
    tiles[1, row, 2, column] = 1.0
    return tiles


def moments(tiles: torch.Tensor) -> tuple[float, float, float, float]:
    """Means and variances of h and k over the one tile with a peak."""
    weight = tiles[1, :, 2].double()
    weight = weight / weight.sum()
    h, k = (weight * H[:, None]).sum(), (weight * K).sum()
    spread_h = (weight * (H[:, None] - h) ** 2).sum()
    spread_k = (weight * (K - k) ** 2).sum()
    return float(h), float(k), float(spread_h), float(spread_k)


@pytest.mark.parametrize(("row", "column"), [(5, 30), (20, 38), (36, 8), (20, 20)])
def test_turn_moves_a_peak_the_right_way(row: int, column: int) -> None:
    angle = math.radians(0.6)
    h, k = float(H[row]), float(K[column])
    found_h, found_k, _, _ = moments(turned(peak(row, column), LAYOUT, angle, 0.0))
    assert found_h == pytest.approx(h - angle * k, abs=1e-3)
    assert found_k == pytest.approx(k + angle * h, abs=1e-3)


def test_mosaic_spreads_a_peak_across_the_radius_and_leaves_its_place() -> None:
    spread = math.radians(1.2)
    found_h, found_k, width_h, width_k = moments(turned(peak(20, 36), LAYOUT, 0.0, spread))
    assert found_h == pytest.approx(0, abs=1e-6)
    assert found_k == pytest.approx(float(K[36]), abs=1e-6)
    assert math.sqrt(width_h) == pytest.approx(spread * float(K[36]), rel=1e-3)
    assert width_k < 1e-3 * width_h


def test_other_tiles_are_left_alone_and_intensity_stays() -> None:
    done = turned(peak(12, 30), LAYOUT, math.radians(0.5), math.radians(1.0))
    assert float(done.sum()) == pytest.approx(1, abs=0.02)
    assert float(done.min()) >= 0
    done[1, :, 2] = 0
    assert not done.any()


def test_flat_image_stays_flat() -> None:
    flat = torch.full((2, 41, 3, 41), 3.0)
    torch.testing.assert_close(turned(flat, LAYOUT, 0.02, 0.02), flat)


def test_no_turn_is_the_same_tensor() -> None:
    tiles = peak(3, 3)
    assert turned(tiles, LAYOUT, 0.0, 0.0) is tiles


def test_large_turns_keep_intensities_positive() -> None:
    tiles = torch.from_numpy(np.random.default_rng(0).random((2, 41, 3, 41), dtype=np.float32))
    assert float(turned(tiles, LAYOUT, math.radians(9), math.radians(9)).min()) >= 0
