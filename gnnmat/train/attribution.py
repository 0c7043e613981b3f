"""Which parts of an image speak for the class that was predicted.

What is explained is the log-odds of one class against all others; positive parts speak for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.sample import Batch, Features
from gnnmat.simulation.layout import SliceLayout
from gnnmat.tasks.joint import JointTask
from gnnmat.tasks.task import Task
from gnnmat.train.checkpoint import Trained

Method = Literal["gradient_x_input", "integrated_gradients", "grad_cam"]
Floats = NDArray[np.float64]
SMOOTH = 0.1  # deviation of the added noise, in deviations of the image


@dataclass(frozen=True)
class Attribution:
    """A map over an image.

    Args:
        map: (R, C) contribution of each pixel to the log-odds; masked pixels have none.
        log_odds: of the explained class, mean over the members.
        label: place of the explained class.
    """

    map: Floats
    log_odds: float
    label: int


def attribute(
    members: Sequence[Trained],
    batch: Batch,
    *,
    label: int | None = None,
    method: Method = "gradient_x_input",
    draws: int = 8,
    steps: int = 32,
    seed: int = 0,
) -> Attribution:
    """The map of one sample, averaged over the members.

    Args:
        members: of an ensemble, or one run.
        batch: one sample as it is stored; scaled here as the members were trained.
        label: place of the class to explain; None takes the predicted one.
        method: 'gradient_x_input', averaged over noisy copies of the image; the careful and
            slow 'integrated_gradients', from an image of zeros; 'grad_cam', for encoders with a
            ``map_shape`` that covers the image.
        draws: noisy copies.
        steps: points on the way from zero of 'integrated_gradients'.
        seed: of the noise.

    Raises:
        GnnmatError: not one image, no classes, or an encoder without a map of the image.

    Source: Simonyan et al., arXiv 1312.6034; Smilkov et al., arXiv 1706.03825 (noisy copies);
    Sundararajan et al., ICML 2017, arXiv 1703.01365; Selvaraju et al., ICCV 2017,
    arXiv 1610.02391.
    """
    if batch.num_graphs != 1 or "image" not in batch:
        raise GnnmatError("An explanation is of one image at a time.")
    seen = members[0].augment(batch, "none")
    if label is None:
        with torch.no_grad():
            votes = [class_scores(one, seen) for one in members]
        label = int(torch.stack(votes).mean(0)[0].argmax())
    maps, odds = [], []
    for number, one in enumerate(members):
        generator = torch.Generator().manual_seed(seed + number)
        if method == "grad_cam":
            found = _grad_cam(one, seen, label)
        elif method == "integrated_gradients":
            found = _integrated(one, seen, label, steps)
        else:
            found = _smooth(one, seen, label, draws, generator)
        maps.append(found.double().numpy())
        with torch.no_grad():
            odds.append(float(log_odds(class_scores(one, seen), label)))
    total = np.mean(maps, axis=0)
    if "mask" in seen:
        total = np.where(seen.mask[0].any(0).numpy(), 0.0, total)
    return Attribution(total, float(np.mean(odds)), label)


def class_part(task: Task, raw: Tensor) -> tuple[Task, Tensor]:
    """The task on classes and its part of the raw prediction.

    Raises:
        GnnmatError: the run predicts no classes.
    """
    if isinstance(task, JointTask):
        task, raw = task.of_classes(raw)
    if not task.targets or not task.targets[0].classes:
        raise GnnmatError("This run predicts no classes, so there is none to explain.")
    return task, raw[..., : len(task.targets[0].classes)]


def class_scores(trained: Trained, batch: Batch) -> Tensor:
    """(B, classes) logits, or log kernels, of the first target."""
    raw = trained.task(trained.encoder(batch), batch)
    return class_part(trained.task, raw)[1]


def log_odds(scores: Tensor, label: int) -> Tensor:
    """Scalar: log-odds of a class against all others, summed over the samples."""
    others = torch.cat([scores[:, :label], scores[:, label + 1 :]], dim=1)
    return (scores[:, label] - others.logsumexp(dim=1)).sum()


def box_means(values: Floats, layout: SliceLayout | None, box: int) -> Floats:
    """(R, C) mean over boxes of pixels, which never cross the border of a slice."""
    rows, columns = layout.tile_shape if layout else values.shape
    out = np.empty_like(values)
    for top in range(0, values.shape[0], rows):
        for left in range(0, values.shape[1], columns):
            for i in range(top, top + rows, box):
                for j in range(left, left + columns, box):
                    part = np.s_[i : min(i + box, top + rows), j : min(j + box, left + columns)]
                    out[part] = values[part].mean()
    return out


def slice_sums(values: Floats, layout: SliceLayout) -> Floats:
    """(Ei, slices) sum of the map over each slice."""
    sums: Floats = layout.to_tiles(values).sum((-1, -2))
    return sums


def _with_image(batch: Batch, image: Tensor) -> Batch:
    from copy import copy

    other = copy(batch)
    other.image = image
    return other


def _gradient(trained: Trained, batch: Batch, image: Tensor, label: int) -> Tensor:
    """Gradient of the log-odds of every copy, of the shape of the images (1, C, R, C)."""
    image = image.detach().requires_grad_(True)
    value = log_odds(class_scores(trained, _with_image(batch, image)), label)
    (gradient,) = torch.autograd.grad(value, image)
    return gradient


def _smooth(
    trained: Trained, batch: Batch, label: int, draws: int, generator: torch.Generator
) -> Tensor:
    image = batch.image
    spread = SMOOTH * image.std()
    total = torch.zeros_like(image)
    for _ in range(max(draws, 1)):
        noise = torch.randn(image.shape, generator=generator) * spread if draws > 1 else 0.0
        total += _gradient(trained, batch, image + noise, label)
    return (total / max(draws, 1) * image)[0].sum(0)


def _integrated(trained: Trained, batch: Batch, label: int, steps: int) -> Tensor:
    image = batch.image
    total = torch.zeros_like(image)
    for step in range(steps):
        total += _gradient(trained, batch, image * ((step + 0.5) / steps), label)
    return (total / steps * image)[0].sum(0)


def _grad_cam(trained: Trained, batch: Batch, label: int) -> Tensor:
    encoder: Encoder = trained.encoder
    shape = getattr(encoder, "map_shape", None)
    if shape is None:
        raise GnnmatError(
            "This encoder has no map that covers the image, so it has no class activation map.",
            why="Its slices are mixed before the last map.",
            fix="Use method 'gradient_x_input'.",
        )
    with torch.no_grad():
        local = encoder.local(batch)
    local = local.detach().requires_grad_(True)
    raw = trained.task(Features(local, encoder.pool(local, batch)), batch)
    value = log_odds(class_part(trained.task, raw)[1], label)
    (gradient,) = torch.autograd.grad(value, local)
    weights = gradient.mean(dim=0)
    cam = (local.detach() * weights).sum(dim=1).view(1, 1, *shape)
    size = tuple(batch.image.shape[-2:])
    return F.interpolate(cam, size=size, mode="nearest")[0, 0]
