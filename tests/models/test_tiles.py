"""Cutting, folding and padding of tiles."""

from __future__ import annotations

import torch

from gnnmat.models.tiles import Tiling, fold, pad_to, tiling_of, unfold
from gnnmat.sample import DataSpec
from gnnmat.simulation.layout import SliceLayout

from .layered import layered_spec, noise


def test_tiles_are_those_of_the_layout() -> None:
    spec, images = layered_spec(), noise(3)
    tiles = tiling_of(spec).cut(images)
    layout = SliceLayout.from_dict(spec.layout)
    expected = layout.to_tiles(images[:, 0].numpy())  # (3, Ei, slice, h, k)
    assert tiles.shape == (3, 6, 1, 8, 8)
    assert torch.equal(tiles[:, :, 0], torch.from_numpy(expected.reshape(3, 6, 8, 8).copy()))


def test_joined_tiles_are_the_image() -> None:
    images = torch.rand(2, 3, 12, 20)
    tiling = Tiling(rows=3, columns=4, height=4, width=5)
    assert torch.equal(tiling.join(tiling.cut(images)), images)


def test_without_a_layout_the_image_is_one_tile() -> None:
    spec = DataSpec(fields=("image",), channels=1, image_shape=(7, 9))
    assert tiling_of(spec) == Tiling(1, 1, 7, 9)


def test_folding_adds_the_four_mirror_images() -> None:
    tile = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert fold(tile).tolist() == [[1 + 3 + 4 + 6, 2 + 2 + 5 + 5]]


def test_unfolding_an_even_tile_gives_it_back() -> None:
    tile = unfold(torch.rand(3, 4))
    assert tile.shape == (6, 8)
    assert torch.equal(tile, tile.flip(0))
    assert torch.equal(tile, tile.flip(1))
    torch.testing.assert_close(unfold(fold(tile)), 4 * tile)


def test_padding_adds_zeros_below_and_right() -> None:
    padded = pad_to(torch.ones(1, 5, 8), 4)
    assert padded.shape == (1, 8, 8)
    assert float(padded.sum()) == 40
    assert float(padded[:, 5:].sum()) == 0
