"""The network for stacks of slices: borders, masks, maps and its size."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gnnmat.errors import GnnmatError
from gnnmat.models import Slices
from gnnmat.models.tiles import fold
from gnnmat.sample import DataSpec
from gnnmat.simulation.layout import pcsmo_layout

from .layered import batch_of, layered_spec, noise

SMALL = Slices(width=6, features=5, patch=2, layers=2)


def pixels_moved(config: Slices, row: int, column: int) -> torch.Tensor:
    """(rows, columns) of the last map: which of its pixels see this pixel of the image."""
    torch.manual_seed(0)
    encoder = config.build(layered_spec()).eval()
    images = noise(1)
    other = images.clone()
    other[0, 0, row, column] += 1
    with torch.no_grad():
        change = encoder(batch_of(other)).local - encoder(batch_of(images)).local
    return change.abs().sum(dim=1).view(encoder.map_shape) > 0


def test_nothing_is_carried_over_a_border_between_slices() -> None:
    moved = pixels_moved(SMALL, row=7, column=8)  # a corner of the second slice, upper row
    assert moved.shape == (8, 12)
    assert moved[3, 4]
    moved[:4, 4:8] = False
    assert not moved.any()


def test_a_symmetric_network_sees_a_pixel_at_its_four_mirror_places() -> None:
    moved = pixels_moved(SMALL.model_copy(update={"symmetric": True, "layers": 0}), 1, 9)
    assert moved.nonzero().tolist() == [[0, 4], [0, 7], [3, 4], [3, 7]]


def test_a_symmetric_network_gives_mirrored_slices_the_same_features() -> None:
    torch.manual_seed(0)
    encoder = Slices(symmetric=True, patch=2).build(layered_spec("image", "mask")).eval()
    images, masks = noise(2), noise(2, seed=1) < 0.3
    for axis in (-1, -2):
        mirrored = [
            encoder.tiling.join(encoder.tiling.cut(one).flip(axis)) for one in (images, masks)
        ]
        with torch.no_grad():
            found, expected = (
                encoder(batch_of(*pair)).pooled for pair in (mirrored, (images, masks))
            )
        torch.testing.assert_close(found, expected)


def test_a_symmetric_network_fills_gaps_from_the_mirror_image() -> None:
    torch.manual_seed(0)
    encoder = Slices(symmetric=True, patch=2).build(layered_spec("image", "mask")).eval()
    images = noise(1)
    even = encoder.tiling.cut(images)
    even = encoder.tiling.join((even + even.flip(-1)) / 2)
    half = torch.zeros(1, 1, 16, 24, dtype=torch.bool)
    half[..., :4] = True  # the left half of the first slices
    with torch.no_grad():
        seen = [encoder.seen(batch_of(even, mask)) for mask in (half, ~half & False)]
        tiles = [encoder.tiling.cut(even * one) for one in seen]
    filled = fold(tiles[0]) / fold(encoder.tiling.cut(seen[0])).clamp(min=1)
    torch.testing.assert_close(filled, fold(tiles[1]) / 4)


def test_what_is_under_the_mask_does_not_matter_but_the_mask_does() -> None:
    torch.manual_seed(0)
    encoder = Slices().build(layered_spec("image", "mask")).eval()
    assert encoder.reads == ("image", "mask")
    images, masks = noise(2), noise(2, seed=1) < 0.3
    hidden = torch.where(masks, torch.full_like(images, 50.0), images)
    black = torch.where(masks, torch.zeros_like(images), images)
    with torch.no_grad():
        found = encoder(batch_of(hidden, masks)).pooled
        torch.testing.assert_close(found, encoder(batch_of(black, masks)).pooled)
        dark = encoder(batch_of(black, torch.zeros_like(masks))).pooled
    assert not torch.allclose(found, dark, atol=1e-4)


def test_the_mask_is_read_only_where_data_have_it_and_if_asked_for() -> None:
    assert Slices().build(layered_spec("image")).reads == ("image",)
    assert Slices(mask=False).build(layered_spec("image", "mask")).reads == ("image",)


def test_a_linear_head_on_the_mean_is_the_mean_of_the_head_on_the_map() -> None:
    encoder = SMALL.build(layered_spec()).eval()
    features = encoder(batch_of(noise(3)))
    head = torch.nn.Linear(encoder.width, 2)
    each = head(features.local).view(3, -1, 2).mean(dim=1)
    torch.testing.assert_close(each, head(features.pooled))


def test_place_and_slice_of_a_patch_matter() -> None:
    torch.manual_seed(0)
    encoder = SMALL.build(layered_spec()).eval()
    image = torch.zeros(3, 1, 16, 24)
    image[0, 0, :2, :2] = 1
    image[1, 0, 2:4, 2:4] = 1  # another place of the same slice
    image[2, 0, :2, 8:10] = 1  # the same place of another slice
    with torch.no_grad():
        pooled = encoder(batch_of(image)).pooled
    assert float(torch.pdist(pooled).min()) > 1e-4


@pytest.mark.parametrize("shape", [(9, 13), (4, 5), (3, 2)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_any_image_will_do(shape: tuple[int, int], symmetric: bool) -> None:
    spec = DataSpec(fields=("image",), channels=3, image_shape=shape)
    encoder = Slices(symmetric=symmetric).build(spec)
    features = encoder(batch_of(torch.rand(2, 3, *shape)))
    rows, columns = encoder.map_shape
    assert features.local.shape == (2 * rows * columns, 64)
    assert features.pooled.isfinite().all()


def test_the_network_for_the_measured_layout_is_small_and_fast() -> None:
    layout = {"layout": pcsmo_layout().to_dict()}
    spec = DataSpec(("image", "mask"), channels=1, image_shape=(240, 400), **layout)
    encoder = Slices().build(spec).eval()
    assert sum(p.numel() for p in encoder.parameters()) < 200_000
    assert encoder.map_shape == (60, 100)
    batch = batch_of(torch.rand(1, 1, 240, 400), torch.zeros(1, 1, 240, 400, dtype=torch.bool))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(batch)
    assert counter.get_total_flops() / 2 < 60e6  # multiply-adds


@pytest.mark.parametrize("shape", [(), (12,), (4, 4, 4)])
def test_images_of_another_rank_are_refused(shape: tuple[int, ...]) -> None:
    spec = DataSpec(fields=("image",), channels=1, image_shape=shape)
    with pytest.raises(GnnmatError, match=f"images of rank 2, these have rank {len(shape)}"):
        Slices().build(spec)
