"""A calculated spectrum as the instrument would have measured it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gnnmat.augment import InsMeasurement
from gnnmat.augment.measured import Measured
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.simulation.layout import SliceLayout, pcsmo_layout, relative_layout

LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=8)
SHAPE = LAYOUT.image_shape
QUIET: dict[str, Any] = {
    "noise": 0.0, "phonons": 0.0, "block_scale": 0.0, "misset": 0.0, "mosaic": 0.0,
    "spurious": 0.0, "unmasked": 1.0, "overall_scale": 0.0,
}  # fmt: skip


def module(layout: SliceLayout = LAYOUT, **options: Any) -> Measured:
    made = Measured(InsMeasurement.model_validate(options), layout)
    made.prepare()
    return made


def batch(count: int = 3, shape: tuple[int, ...] = SHAPE) -> Batch:
    random = torch.Generator().manual_seed(0)
    images = [torch.rand((1, 1, *shape), generator=random) ** 3 * 50 for _ in range(count)]
    return collate(
        [
            Sample(image=image, row=torch.tensor([row]), num_nodes=1)
            for row, image in enumerate(images)
        ]
    )


def mask_file(folder: Path) -> tuple[Path, torch.Tensor]:
    mask = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1)) < 0.3
    np.savez(folder / "mask.npz", mask=mask.numpy())
    return folder / "mask.npz", mask


def test_with_everything_off_only_the_scale_is_left() -> None:
    given = batch()
    made = module(**QUIET)(given, "train", 1, 2)
    expected = InsMeasurement.model_validate(QUIET).build(
        DataSpec(fields=("image",), channels=1, image_shape=SHAPE)
    )(given, "none")
    torch.testing.assert_close(made.image, expected.image)
    assert not made.mask.any()


def test_overall_scale_is_drawn_for_each_spectrum() -> None:
    given = batch(1)
    options = QUIET | {"transform": "none", "clip": None}
    plain = module(**options)(given, "train").image
    drawn = [
        float(
            (module(**options | {"overall_scale": 0.3})(given, "train", seed).image / plain).mean()
        )
        for seed in range(200)
    ]
    assert np.std(np.log(drawn)) == pytest.approx(0.3, rel=0.15)
    assert abs(np.mean(np.log(drawn))) < 0.06


def test_epochs_seeds_and_rows_differ_and_fixed_draws_are_none_of_them() -> None:
    augment, given = module(), batch(2)
    given.image[1] = given.image[0]
    drawn = [augment(given, "train", seed, epoch).image for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    drawn.append(augment(given, "fixed", 0).image)
    for place, one in enumerate(drawn):
        assert not torch.equal(one[0], one[1])
        assert all(not torch.equal(one, other) for other in drawn[place + 1 :])


def test_mask_comes_as_it_is_or_mirrored_or_not_at_all(tmp_path: Path) -> None:
    path, mask = mask_file(tmp_path)
    flipped = torch.from_numpy(np.ascontiguousarray(LAYOUT.mirror_k(mask.numpy())))
    plain: dict[str, Any] = {"mask": str(path), "unmasked": 0.0, "extra_gaps": 0.0}
    for mirrored, expected in ((0.0, mask), (1.0, flipped)):
        made = module(**plain, mirrored=mirrored)(batch(), "train")
        assert all(torch.equal(one[0], expected) for one in made.mask)
        assert not made.image[made.mask].any()
    both = [module(**plain)(batch(1), "train", seed).mask[0, 0] for seed in range(40)]
    as_it_is = sum(torch.equal(one, mask) for one in both)
    assert as_it_is + sum(torch.equal(one, flipped) for one in both) == 40
    assert 10 <= as_it_is <= 30
    more = module(**plain | {"extra_gaps": 1.0, "mirrored": 0.0})(batch(), "train").mask
    assert all(bool(one[0][mask].all()) for one in more)
    assert bool((more.sum((1, 2, 3)) > mask.sum()).all())


def test_mask_of_the_data_is_kept_besides() -> None:
    given = batch()
    given.mask = torch.zeros_like(given.image, dtype=torch.bool)
    given.mask[:, :, 3:5] = True
    made = module()(given, "train")
    assert bool(made.mask[:, :, 3:5].all())
    assert bool(made.mask.sum() > given.mask.sum())


def test_noise_table_sets_the_noise_of_each_slice(tmp_path: Path) -> None:
    layout = relative_layout((20.0, 40.0), slices=2, pixels=40)
    rows = ["20,0,0.02", "20,1,0.05", "40,0,0.1", "40,1,0.2"]
    path = tmp_path / "noise.csv"
    path.write_text("\n".join(["ei_mev,slice,noise_sigma_over_p99", *rows]))
    image = torch.zeros(1, 1, *layout.image_shape)
    image[..., ::5, ::5] = 10.0  # 4% of the pixels: the 99th percentile is 10
    given = collate([Sample(image=image, row=torch.tensor([0]), num_nodes=1)])
    options = QUIET | {
        "noise_table": str(path), "noise_factor": (1, 1), "residual": 0.0,
        "background": (200, 200), "transform": "none", "clip": None,
    }  # fmt: skip
    made = module(layout, **options)(given, "train").image[0, 0]
    empty = (image[0, 0] == 0).numpy()
    tiles = layout.to_tiles(made.numpy())
    inside = layout.to_tiles(empty)
    scale = 10.0 / np.percentile(tiles[~inside], 50) / 10  # near 1: noise moves the percentile
    for energy, slices in enumerate(((0.02, 0.05), (0.1, 0.2))):
        for place, sigma in enumerate(slices):
            values = tiles[energy, place][inside[energy, place]] * scale
            # Half of a normal distribution is cut off at zero: mean square is half the variance.
            assert np.sqrt(2 * (values**2).mean()) == pytest.approx(sigma, rel=0.12)


def test_clean_spectrum_is_handed_on_when_asked_for() -> None:
    given = batch()
    made = module(keep_clean=True)(given, "train")
    noisy = made.image.masked_fill(made.mask, 0)
    assert made.clean.shape == given.image.shape
    assert not torch.equal(made.clean, noisy)
    first, second = (
        module(keep_clean=True, **QUIET)(given, "train")[n] for n in ("clean", "image")
    )
    assert torch.equal(first, second)
    assert "clean" not in module()(given, "train")
    assert "clean" not in module(keep_clean=True)(given, "none")


def test_trained_run_needs_the_files_no_more(tmp_path: Path) -> None:
    path, _ = mask_file(tmp_path)
    options = InsMeasurement(mask=str(path), noise=0.3)
    first = Measured(options, LAYOUT)
    first.prepare()
    path.unlink()
    second = Measured(options, LAYOUT)
    second.load_state_dict(first.state_dict())
    for draw in ("train", "fixed"):
        assert torch.equal(second(batch(), draw).image, first(batch(), draw).image)
    with pytest.raises(GnnmatError, match=r"augment.mask: there is no file"):
        second.prepare()


def test_empty_spectrum_stays_finite() -> None:
    given = batch()
    given.image = torch.zeros_like(given.image)
    for draw in ("train", "fixed", "none"):
        assert bool(module(keep_clean=True)(given, draw).image.isfinite().all())


def test_layout_of_the_data_is_used() -> None:
    spec = DataSpec(fields=("image",), channels=1, image_shape=SHAPE)
    assert InsMeasurement().build(spec).noise.shape == (1, 1)


@pytest.mark.parametrize("between", [(0.0, 1.0), (2.0, 1.0), (1.0, float("inf")), (-1, 1)])
def test_range_must_be_positive_and_in_order(between: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match=r"range \(low, high\) of positive numbers"):
        InsMeasurement(background=between)


@pytest.mark.parametrize(("channels", "shape"), [(2, (8, 8)), (1, (8, 8, 8))])
def test_other_images_are_refused(channels: int, shape: tuple[int, ...]) -> None:
    spec = DataSpec(fields=("image",), channels=channels, image_shape=shape)
    with pytest.raises(GnnmatError, match="one channel and two axes"):
        InsMeasurement().build(spec)


def test_noised_references_have_the_zeros_of_the_measurement(shared_data: Path) -> None:
    """44% of the measured pixels are zero, a fifth of them for want of a detector."""
    folder = shared_data / "ins_pcsmo"
    layout = pcsmo_layout()
    augment = module(
        layout,
        mask=str(folder / "detector_mask.npz"),
        noise_table=str(folder / "measured_noise.csv"),
        unmasked=0.0,
        extra_gaps=0.0,
    )
    names = ("goodenough", "dimer")
    files = [folder / f"horace_reference_{name}.npz" for name in names]
    images = [torch.from_numpy(np.load(file)["image"]) for file in files]
    given = collate(
        [
            Sample(image=image[None], row=torch.tensor([row]), num_nodes=1)
            for row, image in enumerate(images * 8)
        ]
    )
    made = augment(given, "fixed")
    zeros = (made.image == 0).float().mean((1, 2, 3))
    assert float(made.mask.float().mean()) == pytest.approx(0.201, abs=0.001)
    assert float(zeros.min()) < 0.44 < float(zeros.max())


def test_files_that_did_not_travel_with_the_weights_are_read_when_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mask = mask_file(tmp_path)
    monkeypatch.setenv("INSTRUMENT", str(tmp_path))
    options = InsMeasurement.model_validate({"mask": "$INSTRUMENT/mask.npz"})
    shipped = Measured(options, LAYOUT)
    assert np.array_equal(shipped.known_masks()[0], mask.numpy())
    whole = Measured(options, LAYOUT)
    whole.prepare()
    found, expected = (one(batch(), "fixed", 3).image for one in (Measured(options, LAYOUT), whole))
    assert torch.equal(found, expected)
    monkeypatch.delenv("INSTRUMENT")
    alone = Measured(options, LAYOUT)
    assert alone.known_masks() == []  # prediction does without
    assert alone(batch(), "none").image.shape == batch().image.shape
    with pytest.raises(GnnmatError, match="INSTRUMENT is not set") as caught:
        alone(batch(), "train")
    assert "augment.mask" in str(caught.value)
