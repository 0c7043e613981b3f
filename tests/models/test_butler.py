"""The network of Butler et al. 2021 against the sizes that the paper gives."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.models import Butler
from gnnmat.sample import DataSpec, Features, Target, TargetSpec
from gnnmat.tasks import Classification
from gnnmat.tasks.head import Head

from .layered import batch_of


def spec_of(*shape: int) -> DataSpec:
    targets = TargetSpec((Target("model", classes=("dimer", "goodenough")),))
    return DataSpec(("image",), targets, channels=1, image_shape=shape)


@pytest.mark.parametrize(("pooled", "published"), [(False, 22_056_482), (True, 11_490)])
def test_parameters_are_as_many_as_published(pooled: bool, published: int) -> None:
    # The paper's count, of Keras, includes the running means and variances.
    with torch.device("meta"):
        encoder = Butler(pooled=pooled).build(spec_of(240, 400))
        task = Classification(head=Head(hidden=())).build(spec_of(240, 400), encoder.width)
    counted = [*encoder.parameters(), *task.head.parameters()]
    counted += [b for name, b in encoder.named_buffers() if name.endswith(("mean", "var"))]
    assert sum(one.numel() for one in counted) == published


@pytest.mark.parametrize("pooled", [False, True])
def test_the_map_has_the_size_it_says(pooled: bool) -> None:
    encoder = Butler(pooled=pooled).build(spec_of(21, 47))
    assert encoder.map_shape == (7, 4)  # (21 - 6) // 2, ((47 - 6) // 2 - 4) // 2 - 4
    features: Features = encoder(batch_of(torch.rand(3, 1, 21, 47)))
    assert features.local.shape == (3 * 28, encoder.width)


def test_the_dense_layer_is_a_linear_layer_over_all_pixels() -> None:
    torch.manual_seed(0)
    encoder = Butler().build(spec_of(12, 40)).eval()
    batch = batch_of(torch.rand(2, 1, 12, 40))
    with torch.no_grad():
        encoder.bias.copy_(torch.randn(64))
        flat = encoder.layers(batch.image).flatten(2).transpose(1, 2).flatten(1)
        dense = encoder.dense.flatten(0, 1)  # (pixels * 32, 64)
        expected = F.linear(flat, dense.T, encoder.bias).relu()
        torch.testing.assert_close(encoder(batch).pooled, expected)


def test_the_pooled_variant_averages_the_map() -> None:
    encoder = Butler(pooled=True).build(spec_of(12, 40)).eval()
    features = encoder(batch_of(torch.rand(2, 1, 12, 40)))
    mean = features.local.view(2, -1, 32).mean(dim=1)
    torch.testing.assert_close(features.pooled, mean)


@pytest.mark.parametrize("shape", [(7, 40), (12, 33)])
def test_images_too_small_for_it_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(GnnmatError) as caught:
        Butler().build(spec_of(*shape))
    assert f"Images of {shape[0]} x {shape[1]} pixels are too small" in caught.value.what
    assert "8 x 34" in caught.value.why
    assert "model.kind=slices" in caught.value.fix
    assert Butler().build(spec_of(8, 34)).map_shape == (1, 1)


def test_images_of_another_rank_are_refused() -> None:
    with pytest.raises(GnnmatError, match="images of rank 2, these have rank 3"):
        Butler().build(spec_of(40, 40, 40))
