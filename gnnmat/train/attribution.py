"""Which parts of an image speak for the class that was predicted.

What is explained is the log-odds of one class against all others; positive parts speak for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.augment.augmentation import Draw
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sample import Batch, Sample, collate
from gnnmat.simulation.layout import SliceLayout
from gnnmat.train.checkpoint import Trained
from gnnmat.train.class_activation import class_part, exact_cam, grad_cam, log_odds
from gnnmat.train.relu_rules import relu_rule

Method = Literal[
    "gradient_x_input",
    "integrated_gradients",
    "grad_cam",
    "cam",
    "guided_backprop",
    "deconvolution",
]
METHODS: tuple[Method, ...] = get_args(Method)
Floats = NDArray[np.float64]
SMOOTH = 0.1  # deviation of the added noise, in deviations of the image
AT_ONCE = 16  # copies of an image that go through the network together


@dataclass(frozen=True)
class Attribution:
    """A map over an image.

    Args:
        map: (*S) contribution of each pixel to the log-odds, all channels together; masked pixels
            have none.
        log_odds: of the explained class, mean over the members.
        label: place of the explained class.
        channels: (C, *S) of each channel; the methods of class activation know no channels, and
            give each the same share.
    """

    map: Floats
    log_odds: float
    label: int
    channels: Floats


def attribute(
    members: Sequence[Trained],
    batch: Batch,
    *,
    label: int | None = None,
    method: Method = "gradient_x_input",
    draws: int = 8,
    steps: int = 32,
    seed: int = 0,
    draw: Draw = "none",
) -> Attribution:
    """The map of one sample, averaged over the members.

    Args:
        members: of an ensemble, or one run.
        batch: one sample as it is stored; scaled here as the members were trained.
        label: place of the class to explain; None takes the predicted one.
        method: 'gradient_x_input', averaged over noisy copies of the image; the careful and
            slow 'integrated_gradients', from an image of zeros; 'grad_cam', for encoders with a
            ``map_shape`` that covers the image; 'cam', the exact one, for those of them whose
            mean over the map goes into one linear layer; 'guided_backprop' and 'deconvolution',
            slopes with another rule for ReLUs, which show parts of the image and no
            contributions.
        draws: noisy copies.
        steps: points on the way from zero of 'integrated_gradients'.
        seed: of the noise.
        draw: 'none' for measurements; 'fixed' gives a simulated sample noise and mask first.

    Raises:
        GnnmatError: not one image, no classes, no such method, or one that the network does
            not allow.

    Source: Simonyan et al., arXiv 1312.6034; Smilkov et al., arXiv 1706.03825 (noisy copies);
    Sundararajan et al., ICML 2017, arXiv 1703.01365.
    """
    if batch.num_graphs != 1:
        raise GnnmatError("An explanation is of one image at a time.")
    if method not in METHODS:
        raise GnnmatError(f"There is no method '{method}'.", fix=did_you_mean(method, METHODS))
    seen = members[0].augment(batch, draw)
    if "image" not in seen:
        raise GnnmatError("This run sees no images, and these methods explain images.")
    with torch.no_grad():
        votes = torch.stack([class_scores(one, seen) for one in members])
    if label is None:
        label = int(votes.mean(0)[0].argmax())
    maps = []
    for number, one in enumerate(members):
        generator = torch.Generator().manual_seed(seed + number)
        maps.append(_map(one, seen, label, method, draws, steps, generator).double().numpy())
    channels = np.mean(maps, axis=0)
    if "mask" in seen:
        channels = np.where(seen.mask[0].any(0).numpy(), 0.0, channels)
    odds = np.mean([float(log_odds(one, label)) for one in votes])
    return Attribution(channels.sum(axis=0), float(odds), label, channels)


def _map(
    one: Trained,
    seen: Batch,
    label: int,
    method: Method,
    draws: int,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """(C, *S) map of one member."""
    if method == "grad_cam" or method == "cam":
        found = grad_cam(one, seen, label) if method == "grad_cam" else exact_cam(one, seen, label)
        count = seen.image.shape[1]
        return (found / count).expand(count, *found.shape)
    if method == "integrated_gradients":
        return _integrated(one, seen, label, steps)
    if method == "gradient_x_input":
        return _smooth(one, seen, label, draws, generator)
    with relu_rule([one.encoder, one.task], method):
        return _gradients(one, seen, seen.image, label)[0]


def class_scores(trained: Trained, batch: Batch) -> Tensor:
    """(B, classes) logits, or log kernels, of the first target."""
    raw = trained.task(trained.encoder(batch), batch)
    return class_part(trained.task, raw).scores


def box_means(
    values: Floats, layout: SliceLayout | None, box: int, mask: NDArray[np.bool_] | None = None
) -> Floats:
    """(R, C) mean over boxes of pixels, which never cross the border of a slice.

    Args:
        values: (R, C).
        layout: of the slices; None for one.
        box: pixels on a side.
        mask: (R, C) pixels that are left out, and get nothing.
    """
    seen: Floats = np.ones(values.shape) if mask is None else (~mask).astype(np.float64)
    if layout is None:
        return _boxes(values * seen, seen, box)
    tiles = _boxes(layout.to_tiles(values * seen), layout.to_tiles(seen), box)
    image: Floats = layout.to_image(tiles)
    return image


def _boxes(values: Floats, seen: Floats, box: int) -> Floats:
    """(..., h, w) means of the seen values over boxes, at the pixels that are seen."""
    height, width = values.shape[-2:]
    rows, columns = np.arange(0, height, box), np.arange(0, width, box)
    total, count = (
        np.add.reduceat(np.add.reduceat(part, rows, axis=-2), columns, axis=-1)
        for part in (values, seen)
    )
    mean = total / np.maximum(count, 1.0)
    wide = np.repeat(np.repeat(mean, box, axis=-2), box, axis=-1)[..., :height, :width]
    spread: Floats = wide * seen
    return spread


def slice_sums(values: Floats, layout: SliceLayout) -> Floats:
    """(Ei, slices) sum of the map over each slice."""
    sums: Floats = layout.to_tiles(values).sum((-1, -2))
    return sums


def _gradients(trained: Trained, batch: Batch, images: Tensor, label: int) -> Tensor:
    """(n, C, *S) slopes of the log-odds of each of these versions of one image."""
    found = []
    for part in images.detach().split(AT_ONCE):
        # Of a batch of one, PyTorch 2.13 has wrong slopes for some convolutions on the CPU.
        count = max(len(part), 2)
        copies = _copies(batch, count)
        copies.image = part.expand(count, *part.shape[1:]).clone().requires_grad_(True)
        value = log_odds(class_scores(trained, copies), label)
        found.append(torch.autograd.grad(value, copies.image)[0][: len(part)])
    return torch.cat(found)


def _copies(batch: Batch, count: int) -> Batch:
    """The sample of a batch so many times."""
    fields = {name: batch[name] for name in ("image", "mask", "row") if name in batch}
    return collate([Sample(**fields, num_nodes=1) for _ in range(count)])


def _smooth(
    trained: Trained, batch: Batch, label: int, draws: int, generator: torch.Generator
) -> Tensor:
    image = batch.image
    copies = image.expand(max(draws, 1), *image.shape[1:])
    if draws > 1:
        noise = torch.randn(copies.shape, generator=generator)
        copies = copies + SMOOTH * image.std() * noise
    return _gradients(trained, batch, copies, label).mean(0) * image[0]


def _integrated(trained: Trained, batch: Batch, label: int, steps: int) -> Tensor:
    image = batch.image
    way = (torch.arange(steps) + 0.5) / steps
    copies = image * way.view(-1, *[1] * (image.dim() - 1))
    return _gradients(trained, batch, copies, label).mean(0) * image[0]
