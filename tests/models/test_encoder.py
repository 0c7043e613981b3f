"""Pooling, and the refusal of data that lack a field."""

from __future__ import annotations

import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.models import Cgcnn, Cnn, check_reads, mean_over_samples
from gnnmat.sample import DataSpec, Sample, collate


def test_mean_is_over_the_atoms_of_each_sample() -> None:
    batch = collate([Sample(z=torch.ones(n, dtype=torch.int64)) for n in (1, 3, 2)])
    local = torch.tensor([[5.0], [1.0], [2.0], [6.0], [0.0], [1.0]])
    assert mean_over_samples(local, batch).tolist() == [[5.0], [3.0], [0.5]]


def test_data_without_a_field_are_refused() -> None:
    encoder = Cgcnn.example().build(DataSpec(fields=("image",)))
    with pytest.raises(GnnmatError) as caught:
        check_reads(encoder, DataSpec(fields=("image", "row")))
    words = "CgcnnEncoder needs z, edge_index, edge_length, which these data do not have."
    assert caught.value.what == words
    assert caught.value.why == "The data have: image, row."
    assert "model.kind" in caught.value.fix


def test_data_with_all_fields_are_taken() -> None:
    spec = DataSpec(fields=("z", "pos", "edge_index", "edge_length"))
    check_reads(Cgcnn.example().build(spec), spec)


@pytest.mark.parametrize("shape", [(), (4, 4, 4, 4)])
def test_cnn_refuses_ranks_that_have_no_convolution(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        GnnmatError, match=f"images of rank 1, 2 or 3, these have rank {len(shape)}"
    ):
        Cnn().build(DataSpec(fields=("image",), channels=1, image_shape=shape))


@pytest.mark.parametrize("shape", [(17,), (16, 9), (8, 9, 10)])
def test_cnn_has_a_row_for_every_pixel_of_the_last_map(shape: tuple[int, ...]) -> None:
    spec = DataSpec(fields=("image",), channels=2, image_shape=shape)
    encoder = Cnn(widths=(3, 5)).build(spec)
    batch = collate([Sample(image=torch.rand(1, 2, *shape), num_nodes=1) for _ in range(4)])
    features = encoder(batch)
    pixels = 1
    for length in shape:
        pixels *= (length + 3) // 4  # halved twice, rounded up
    assert features.local.shape == (4 * pixels, 5)
    mean = features.local.view(4, pixels, 5).mean(dim=1)
    torch.testing.assert_close(features.pooled, mean)


def test_a_row_of_the_cnn_is_one_pixel() -> None:
    spec = DataSpec(fields=("image",), channels=2, image_shape=(4, 6))
    encoder = Cnn(widths=(3, 5), kernel=1, stride=1).build(spec).eval()
    images = torch.zeros(2, 1, 2, 4, 6)
    images[1, :, :, 1, 2] = 3.0  # sample 1, pixel 1 * 6 + 2
    batch = collate([Sample(image=image, num_nodes=1) for image in images])
    local = encoder(batch).local
    differs = (local != local[0]).any(dim=1)
    assert differs.nonzero().ravel().tolist() == [24 + 8]


@pytest.mark.parametrize(("pool", "tells"), [("mean", False), ("dense", True)])
def test_a_dense_pool_knows_where_a_line_was(pool: str, tells: bool) -> None:
    """A line far from the ends, moved by whole strides: the maps are the same ones, moved."""
    spec = DataSpec(fields=("image",), channels=1, image_shape=(64,))
    torch.manual_seed(0)
    encoder = Cnn.model_validate({"widths": (3, 5), "pool": pool}).build(spec).double().eval()
    patterns = torch.zeros(2, 1, 64, dtype=torch.float64)
    patterns[0, 0, 20], patterns[1, 0, 40] = 1.0, 1.0
    batch = collate([Sample(image=one[None], num_nodes=1) for one in patterns])
    first, second = encoder(batch).pooled
    assert first.shape == (5,)
    assert bool((first - second).abs().max() > 1e-6) == tells
