from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gnnmat.augment.none import Unchanged
from gnnmat.errors import GnnmatError
from gnnmat.models.butler import Butler
from gnnmat.models.cnn import Cnn
from gnnmat.models.slices import Slices
from gnnmat.models.stack import Stack
from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.simulation.layout import relative_layout
from gnnmat.tasks.classification import Classification
from gnnmat.tasks.duq import Duq
from gnnmat.tasks.head import Head
from gnnmat.train.attribution import attribute, box_means, slice_sums
from gnnmat.train.checkpoint import Trained
from gnnmat.train.class_activation import laid_out, log_odds
from gnnmat.train.config import RunConfig

# Two incident energies, four slices, tiles of 12 x 12 pixels.
LAYOUT = relative_layout((10.0, 20.0), slices=4, pixels=12)
SPEC = DataSpec(
    fields=("image",),
    targets=TargetSpec((Target("kind", classes=("dark", "bright")),)),
    channels=1,
    image_shape=LAYOUT.image_shape,
    layout=LAYOUT.to_dict(),
)
WINDOW = np.s_[16:20, 16:20]  # middle of the tile of the second incident energy, second slice
AREA = 16 / np.prod(LAYOUT.image_shape)
# Brightness alone puts 2.6 times the share of the window's area into it.
FOUND = 7 * AREA
LINEAR = Classification(head=Head(hidden=()))


def planted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise (n, 1, 24, 48) in which one window is brighter for one class, even in h and k."""
    rng = np.random.default_rng(seed)
    images = rng.random((count, 1, *LAYOUT.image_shape)).astype(np.float32)
    labels = rng.integers(0, 2, count)
    images[:, 0][(slice(None), *WINDOW)] += 0.8 * labels[:, None, None]
    return torch.from_numpy(images), torch.from_numpy(labels)


def batch_of(images: torch.Tensor) -> Batch:
    rows = torch.arange(len(images))
    return collate(
        [
            Sample(image=one[None], row=row[None], num_nodes=1)
            for one, row in zip(images, rows, strict=True)
        ]
    )


def network(model: Any, task: Any = LINEAR, spec: DataSpec = SPEC) -> Trained:
    """A network with the weights it begins with."""
    torch.manual_seed(0)
    encoder = model.build(spec)
    return Trained(
        RunConfig(), spec, encoder.eval(), task.build(spec, encoder.width).eval(), Unchanged()
    )


def learned(one: Trained, steps: int = 100) -> Trained:
    """The network after a few steps on planted images."""
    images, labels = planted(256, 0)
    parameters = [*one.encoder.parameters(), *one.task.parameters()]
    optimizer = torch.optim.Adam(parameters, 5e-3)
    one.encoder.train()
    for step in range(steps):
        rows = torch.arange(16) + 16 * (step % 16)
        batch = batch_of(images[rows])
        loss = F.cross_entropy(one.task(one.encoder(batch), batch), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    one.encoder.eval()
    return one


MODELS = {
    "stack": Stack(width=16, features=16, dropout=0.0),
    "slices": Slices(width=8, features=16, dropout=0.0, patch=2),
    "butler": Butler(pooled=True),
    "cnn": Cnn(widths=(8, 16)),
}


@lru_cache(maxsize=8)
def known(name: str, trained: bool) -> Trained:
    """A network that learned the planted images, or one that did not."""
    one = network(MODELS[name])
    return learned(one) if trained else one


def share_in_window(one: Trained, method: str) -> float:
    """Share of the positive map that lies in the window, over several bright images."""
    images, labels = planted(30, 1)
    inside = total = 0.0
    for image in images[labels == 1][:6]:
        found = attribute([one], batch_of(image[None]), label=1, method=method, draws=4)  # type: ignore[arg-type]
        positive = np.clip(found.map, 0, None)
        inside += positive[WINDOW].sum()
        total += positive.sum()
    return inside / total


MAPS = [
    ("stack", "gradient_x_input"),
    ("stack", "integrated_gradients"),
    ("slices", "gradient_x_input"),
    ("slices", "integrated_gradients"),
    ("slices", "grad_cam"),
    ("slices", "cam"),
    ("butler", "gradient_x_input"),
    ("butler", "integrated_gradients"),
    ("butler", "grad_cam"),
    ("butler", "cam"),
    ("cnn", "integrated_gradients"),
    ("cnn", "grad_cam"),
    ("cnn", "cam"),
]


@pytest.mark.parametrize(("name", "method"), MAPS)
def test_the_map_finds_a_planted_window(name: str, method: str) -> None:
    assert share_in_window(known(name, True), method) > FOUND


@pytest.mark.parametrize(("name", "method"), MAPS)
def test_an_untrained_network_does_not_find_it(name: str, method: str) -> None:
    assert share_in_window(known(name, False), method) < FOUND


def test_integrated_gradients_add_up_to_the_change_of_the_log_odds() -> None:
    one = known("stack", True)
    image = planted(1, 2)[0]
    found = attribute([one], batch_of(image), label=1, method="integrated_gradients", steps=400)
    with torch.no_grad():
        ends = [
            float(log_odds(one.task(one.encoder(b), b), 1))
            for b in (batch_of(image), batch_of(image * 0))
        ]
    assert found.log_odds == pytest.approx(ends[0], abs=1e-5)
    assert found.map.sum() == pytest.approx(ends[0] - ends[1], abs=0.02)


def test_a_map_of_stacked_slices_finds_the_wave_vector_in_all_slices() -> None:
    images, labels = planted(12, 1)
    shares = {}
    for trained in (True, False):
        found = [
            attribute([known("stack", trained)], batch_of(image[None]), label=1, method="grad_cam")
            for image, label in zip(images, labels, strict=True)
            if label
        ]
        tiles = np.abs(np.mean([one.map for one in found], axis=0)).reshape(2, 12, 4, 12)
        assert np.ptp(tiles, axis=(0, 2)).max() < 1e-6 * tiles.max()
        one = tiles[0, :, 0]
        shares[trained] = one[4:8, 4:8].sum() / one.sum()
    assert shares[True] > 1.5 * 16 / 144  # the window is a ninth of a slice
    assert shares[False] < 1.5 * 16 / 144


@pytest.mark.parametrize(
    ("height", "width", "symmetric"), [(12, 12, True), (11, 9, True), (10, 7, False)]
)
def test_cells_of_stacked_slices_lie_where_they_look(
    height: int, width: int, symmetric: bool
) -> None:
    """Against the pixels that a cell depends on most, found by its slopes."""
    spec = replace(SPEC, image_shape=(height, width), layout={})
    model = Stack(width=4, features=4, blocks=0, symmetric=symmetric).build(spec).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.abs_()  # so that nothing is cut off
    image = torch.rand(1, 1, height, width, requires_grad=True)
    count = model.gate.shape[-2] * model.gate.shape[-1]
    for cell in range(count):
        (slopes,) = torch.autograd.grad(model.local(batch_of(image))[cell].sum(), image)
        seen = slopes[0, 0] != 0
        laid = model.on_image(torch.eye(count)[cell])
        assert laid.sum() == pytest.approx(1.0)
        assert not (laid[~seen] != 0).any()


@pytest.mark.parametrize("name", ["slices", "butler", "cnn"])
def test_the_exact_map_adds_up_to_the_log_odds(name: str) -> None:
    one = known(name, True)
    found = attribute([one], batch_of(planted(1, 5)[0]), label=1, method="cam")
    biases = one.task.head.layers[0].bias.detach()
    assert found.map.sum() == pytest.approx(found.log_odds - float(biases[1] - biases[0]), abs=1e-4)


def test_a_cell_of_a_map_lies_where_it_looks() -> None:
    """Against the pixels that a cell depends on, found by its slopes."""
    model = Butler(pooled=True).build(SPEC).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.abs_()  # so that nothing is cut off
    rows, columns = model.map_shape
    images = planted(20, 7)[0].requires_grad_()
    for row, column in ((0, 0), (rows - 1, columns - 1), (2, 1)):
        cells = model.local(batch_of(images)).view(20, rows, columns, -1)[:, row, column]
        (slopes,) = torch.autograd.grad(cells.sum(), images)
        seen = (slopes != 0).any(0)[0].numpy()
        cam = torch.zeros(rows, columns)
        cam[row, column] = 1.0
        spread = laid_out(cam, model, LAYOUT.image_shape).numpy()
        assert spread.sum() == pytest.approx(1.0)
        for axis in (0, 1):
            looked = np.flatnonzero(seen.any(1 - axis))
            place = np.arange(LAYOUT.image_shape[axis]) @ spread.sum(1 - axis)
            assert place == pytest.approx((looked[0] + looked[-1]) / 2, abs=1.0)


@pytest.mark.parametrize(
    ("model", "task", "words"),
    [
        (MODELS["stack"], LINEAR, "no map that covers the image"),
        (Butler(), LINEAR, "more than average its last map"),
        (MODELS["slices"], Classification(head=Head(hidden=(8,))), "Its head has hidden layers"),
        (MODELS["slices"], Duq.example(), "The task is 'duq'"),
    ],
)
def test_a_network_without_an_exact_map_is_refused(model: Any, task: Any, words: str) -> None:
    with pytest.raises(GnnmatError) as caught:
        attribute([network(model, task)], batch_of(planted(1, 0)[0]), method="cam")
    assert words in f"{caught.value.what} {caught.value.why}"
    assert "Use method '" in caught.value.fix


@pytest.mark.parametrize("task", [LINEAR, Duq.example()])
def test_every_member_of_an_ensemble_counts_alike(task: Any) -> None:
    members = [network(MODELS["slices"], task), known("slices", True)]
    batch = batch_of(planted(1, 8)[0])
    each = [attribute([one], batch, label=0, draws=1) for one in members]
    both = attribute(members, batch, label=0, draws=1)
    np.testing.assert_allclose(both.map, (each[0].map + each[1].map) / 2, atol=1e-6)
    assert both.log_odds == pytest.approx((each[0].log_odds + each[1].log_odds) / 2, abs=1e-5)


def test_without_a_label_the_predicted_class_is_explained() -> None:
    images, labels = planted(12, 9)
    one = known("stack", True)
    found = [attribute([one], batch_of(image[None]), draws=1) for image in images]
    assert [each.label for each in found] == labels.tolist()
    assert all(each.log_odds > 0 for each in found)


def test_masked_pixels_get_nothing() -> None:
    spec = replace(SPEC, fields=("image", "mask"))
    one = network(Stack(width=8, features=8), spec=spec)
    image = planted(1, 3)[0]
    mask = torch.zeros_like(image, dtype=torch.bool)
    mask[..., :5] = True
    batch = collate([Sample(image=image, mask=mask, row=torch.zeros(1).long(), num_nodes=1)])
    found = attribute([one], batch)
    assert not found.map[:, :5].any()
    assert found.map[:, 5:].any()


def test_a_simulated_sample_is_given_noise_and_mask_where_asked() -> None:
    from gnnmat.augment.ins_measurement import InsMeasurement

    spec = replace(SPEC, fields=("image", "mask"))
    one = network(Stack(width=8, features=8), spec=spec)
    one = replace(one, augment=InsMeasurement(unmasked=0.0).build(spec))
    batch = batch_of(planted(1, 4)[0])
    batch.mask = torch.zeros_like(batch.image, dtype=torch.bool)
    bare, drawn = (attribute([one], batch, draw=draw, label=0).map for draw in ("none", "fixed"))  # type: ignore[arg-type]
    assert (drawn == 0).sum() > (bare == 0).sum()
    again = attribute([one], batch, draw="fixed", label=0).map
    assert np.array_equal(again, drawn)


def test_boxes_never_cross_a_slice() -> None:
    values = np.zeros(LAYOUT.image_shape)
    values[11, 11] = 9.0  # last pixel of the first tile
    smooth = box_means(values, LAYOUT, 5)
    assert smooth[10:12, 10:12] == pytest.approx(np.full((2, 2), 9 / 4))
    assert smooth.sum() == pytest.approx(9.0)
    assert np.array_equal(box_means(values, None, 5)[10:15, 10:15], np.full((5, 5), 9 / 25))


def test_boxes_leave_masked_pixels_out() -> None:
    values = np.ones(LAYOUT.image_shape)
    mask = np.zeros(LAYOUT.image_shape, bool)
    mask[0, :3], values[0, :3] = True, 100.0
    smooth = box_means(values, LAYOUT, 2, mask)
    assert not smooth[0, :3].any()
    assert smooth[~mask] == pytest.approx(np.ones((~mask).sum()))


def test_slice_sums_are_those_of_the_tiles() -> None:
    values = np.zeros(LAYOUT.image_shape)
    values[0, 0], values[13, 25] = 2.0, 5.0
    assert slice_sums(values, LAYOUT).tolist() == [[2.0, 0, 0, 0], [0, 0, 5.0, 0]]


def test_one_image_at_a_time() -> None:
    with pytest.raises(GnnmatError, match="one image at a time"):
        attribute([network(Cnn())], batch_of(planted(2, 0)[0]))


def test_an_unknown_method_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(GnnmatError, match="no method 'gradcam'") as caught:
        attribute([network(Cnn())], batch_of(planted(1, 0)[0]), method="gradcam")  # type: ignore[arg-type]
    assert "grad_cam" in caught.value.fix


def test_a_run_without_classes_has_none_to_explain() -> None:
    from gnnmat.tasks.regression import Regression

    spec = replace(SPEC, targets=TargetSpec((Target("gap"),)))
    with pytest.raises(GnnmatError, match="predicts no classes"):
        attribute([network(Cnn(), Regression(), spec)], batch_of(planted(1, 0)[0]))
