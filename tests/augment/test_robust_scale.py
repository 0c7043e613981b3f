"""A percentile of the unmasked pixels becomes 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from gnnmat.augment import RobustScale
from gnnmat.augment.robust_scale import kth_largest, robust_scale
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Sample, collate

SHAPE = (9, 14)
SPEC = DataSpec(fields=("image", "mask"), channels=1, image_shape=SHAPE)
PIXELS = st.floats(-5, 1000, width=32)


def batch_of(image: torch.Tensor, mask: torch.Tensor | None = None) -> Batch:
    sample = Sample(image=image[None, None], row=torch.tensor([0]), num_nodes=1)
    if mask is not None:
        sample.mask = mask[None, None]
    return collate([sample])


def scaled(
    image: torch.Tensor, mask: torch.Tensor | None = None, **options: object
) -> torch.Tensor:
    augment = RobustScale.model_validate(options).build(SPEC)
    done: torch.Tensor = augment(batch_of(image, mask), "none").image[0, 0]
    return done


@given(
    arrays(np.float32, SHAPE, elements=PIXELS),
    arrays(np.bool_, SHAPE),
    st.sampled_from([50.0, 90.0, 99.0, 100.0]),
)
def test_scale_is_the_percentile_that_numpy_finds(
    image: NDArray[np.float32], mask: NDArray[np.bool_], percentile: float
) -> None:
    filled = np.where(mask, 0, image).astype(np.float32)
    found = robust_scale(torch.from_numpy(filled), torch.from_numpy(mask), percentile)
    expected = 0.0
    if not mask.all():
        expected = float(np.percentile(image[~mask], percentile, method="inverted_cdf"))
    if expected <= 0:
        expected = max(float(filled.max()), 0.0) or 1.0
    assert found == expected


@given(arrays(np.float32, 200, elements=PIXELS), st.integers(1, 200))
def test_kth_largest_is_that_of_the_sorted_values(values: NDArray[np.float32], k: int) -> None:
    assert kth_largest(values, k) == np.sort(values)[-k]


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_constant_image_stays_finite(value: float) -> None:
    done = scaled(torch.full(SHAPE, value))
    assert torch.equal(done, torch.full(SHAPE, 1.0 if value > 0 else 0.0))


def test_image_without_detectors_is_zero() -> None:
    assert not scaled(torch.rand(SHAPE), torch.ones(SHAPE, dtype=torch.bool)).any()


def test_unit_of_the_intensity_does_not_matter() -> None:
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) ** 3
    torch.testing.assert_close(scaled(image * 37), scaled(image))


def test_what_lies_under_the_mask_is_not_looked_at() -> None:
    image, mask = torch.rand(SHAPE), torch.zeros(SHAPE, dtype=torch.bool)
    mask[2:4] = True
    spoiled = image.masked_fill(mask, float("nan"))
    spoiled[2, 0] = 1e9
    done = scaled(spoiled, mask)
    assert torch.equal(done, scaled(image, mask))
    assert not done[mask].any()


def test_one_hot_pixel_does_not_set_the_scale() -> None:
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    hot = image.clone()
    hot[4, 4] = 1e6
    done = scaled(hot, transform="none", clip=3.0)
    assert float(done.max()) == 3.0
    assert float(done.flatten().kthvalue(done.numel() // 2).values) > 0.3


def test_square_root_and_clip_act_on_the_scaled_intensity() -> None:
    image = torch.linspace(0, 4, SHAPE[0] * SHAPE[1]).view(SHAPE)
    plain = scaled(image, transform="none", clip=None, percentile=50)
    assert float(plain.max()) > 1.9
    torch.testing.assert_close(scaled(image, percentile=50, clip=1.5), plain.clamp(max=1.5).sqrt())


def test_negative_intensity_is_cut_off() -> None:
    image = torch.tensor([[-2.0, 1.0]]).expand(SHAPE[0], 2).repeat(1, 7)
    assert float(scaled(image).min()) == 0.0


def test_every_channel_is_scaled_together() -> None:
    spec = DataSpec(fields=("image",), channels=2, image_shape=SHAPE)
    image = torch.stack([torch.ones(SHAPE), torch.full(SHAPE, 2.0)])[None]
    given_batch = collate([Sample(image=image, row=torch.tensor([0]), num_nodes=1)])
    done = RobustScale(transform="none").build(spec)(given_batch, "none").image[0]
    assert done[0].unique().tolist() == [0.5]
    assert done[1].unique().tolist() == [1.0]


def test_graphs_are_refused() -> None:
    with pytest.raises(GnnmatError, match=r"augment.kind=robust_scale needs images") as caught:
        RobustScale().build(DataSpec(fields=("z", "edge_index")))
    assert "augment.kind=none" in str(caught.value)
