from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gnnmat.augment.none import Unchanged
from gnnmat.errors import GnnmatError
from gnnmat.models.cnn import Cnn
from gnnmat.models.slices import Slices
from gnnmat.models.stack import Stack
from gnnmat.sample import Batch, DataSpec, Sample, Target, TargetSpec, collate
from gnnmat.simulation.layout import relative_layout
from gnnmat.tasks.classification import Classification
from gnnmat.tasks.head import Head
from gnnmat.train.attribution import attribute, box_means, log_odds, slice_sums
from gnnmat.train.checkpoint import Trained
from gnnmat.train.config import RunConfig

LAYOUT = relative_layout((10.0, 20.0), slices=2, pixels=8)
SPEC = DataSpec(
    fields=("image",),
    targets=TargetSpec((Target("kind", classes=("dark", "bright")),)),
    channels=1,
    image_shape=LAYOUT.image_shape,
    layout=LAYOUT.to_dict(),
)
WINDOW = np.s_[10:14, 2:6]  # inside the tile of the second incident energy, first slice


def planted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise (n, 1, 16, 16) in which one window is brighter for one class, even in h and k."""
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


def network(model: object) -> Trained:
    torch.manual_seed(0)
    encoder = model.build(SPEC)  # type: ignore[attr-defined]
    task = Classification(head=Head(hidden=())).build(SPEC, encoder.width)
    return Trained(RunConfig(), SPEC, encoder.eval(), task.eval(), Unchanged())


def trained(model: object, steps: int = 120) -> Trained:
    one = network(model)
    images, labels = planted(256, 0)
    parameters = [*one.encoder.parameters(), *one.task.parameters()]
    optimizer = torch.optim.Adam(parameters, 5e-3)
    one.encoder.train()
    for step in range(steps):
        rows = torch.arange(32) + 32 * (step % 8)
        batch = batch_of(images[rows])
        loss = F.cross_entropy(one.task(one.encoder(batch), batch), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    one.encoder.eval()
    return one


def share_in_window(one: Trained, method: str) -> float:
    """Share of the positive map that lies in the window, over several bright images."""
    images, labels = planted(40, 1)
    inside = total = 0.0
    for image in images[labels == 1][:8]:
        found = attribute([one], batch_of(image[None]), label=1, method=method, draws=4)  # type: ignore[arg-type]
        positive = np.clip(found.map, 0, None)
        inside += positive[WINDOW].sum()
        total += positive.sum()
    return inside / total


AREA = 16 / 256


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (Stack(width=16, features=16, dropout=0.0), "gradient_x_input"),
        (Stack(width=16, features=16, dropout=0.0), "integrated_gradients"),
        (Cnn(widths=(8, 16)), "integrated_gradients"),
        (Slices(width=8, features=16, dropout=0.0, patch=2), "grad_cam"),
    ],
)
def test_the_map_finds_a_planted_window(model: object, method: str) -> None:
    assert share_in_window(trained(model), method) > 5 * AREA


def test_an_untrained_network_does_not_find_it() -> None:
    assert share_in_window(network(Stack(width=16, features=16)), "gradient_x_input") < 3 * AREA


def test_integrated_gradients_add_up_to_the_change_of_the_log_odds() -> None:
    one = trained(Stack(width=16, features=16, dropout=0.0), steps=30)
    image = planted(1, 2)[0]
    found = attribute([one], batch_of(image), label=1, method="integrated_gradients", steps=400)
    with torch.no_grad():
        ends = [
            float(log_odds(one.task(one.encoder(b), b), 1))
            for b in (batch_of(image), batch_of(image * 0))
        ]
    assert found.log_odds == pytest.approx(ends[0], abs=1e-5)
    assert found.map.sum() == pytest.approx(ends[0] - ends[1], abs=0.02)


def test_masked_pixels_get_nothing() -> None:
    spec = replace(SPEC, fields=("image", "mask"))
    encoder = Stack(width=8, features=8).build(spec)
    task = Classification(head=Head(hidden=())).build(spec, encoder.width)
    one = Trained(RunConfig(), spec, encoder.eval(), task.eval(), Unchanged())
    image = planted(1, 3)[0]
    mask = torch.zeros_like(image, dtype=torch.bool)
    mask[..., :5] = True
    batch = collate([Sample(image=image, mask=mask, row=torch.zeros(1).long(), num_nodes=1)])
    found = attribute([one], batch)
    assert not found.map[:, :5].any()
    assert found.map[:, 5:].any()


def test_boxes_never_cross_a_slice() -> None:
    values = np.zeros(LAYOUT.image_shape)
    values[7, 7] = 9.0  # last pixel of the first tile
    smooth = box_means(values, LAYOUT, 3)
    assert smooth[6:8, 6:8] == pytest.approx(np.full((2, 2), 9 / 4))
    assert not smooth[8:].any()
    assert not smooth[:, 8:].any()


def test_slice_sums_are_those_of_the_tiles() -> None:
    values = np.zeros(LAYOUT.image_shape)
    values[0, 0], values[9, 12] = 2.0, 5.0
    assert slice_sums(values, LAYOUT).tolist() == [[2.0, 0.0], [0.0, 5.0]]


def test_a_network_without_a_map_has_no_class_activation() -> None:
    with pytest.raises(GnnmatError, match="no class activation map"):
        attribute(
            [network(Stack(width=8, features=8))], batch_of(planted(1, 0)[0]), method="grad_cam"
        )


def test_one_image_at_a_time() -> None:
    with pytest.raises(GnnmatError, match="one image at a time"):
        attribute([network(Cnn())], batch_of(planted(2, 0)[0]))
