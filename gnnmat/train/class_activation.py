"""Class activation maps: what the pixels of the last map add to the answer, laid on the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnnmat.errors import GnnmatError
from gnnmat.models.encoder import Encoder
from gnnmat.models.stack import StackEncoder
from gnnmat.sample import Batch, Features
from gnnmat.tasks.classification import ClassificationTask
from gnnmat.tasks.joint import JointTask
from gnnmat.tasks.task import Task
from gnnmat.train.checkpoint import Trained
from gnnmat.train.front import Cleaned

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
OTHER = "Use method 'gradient_x_input', which works for every network."
Grid = tuple[int, int, float, float]  # cells, pixels of the image, first centre, step


@dataclass(frozen=True)
class ClassPart:
    """The task on classes, its part of the raw prediction, and its scores.

    Args:
        task: on classes.
        scores: (..., rows, classes) logits, or log kernels, of the first target.
    """

    task: Task
    scores: Tensor


def class_part(task: Task, raw: Tensor) -> ClassPart:
    """The classes in a raw prediction.

    Raises:
        GnnmatError: the run predicts no classes.
    """
    if isinstance(task, JointTask):
        task, raw = task.of_classes(raw)
    if not task.targets or not task.targets[0].classes:
        raise GnnmatError("This run predicts no classes, so there is none to explain.")
    return ClassPart(task, raw[..., : len(task.targets[0].classes)])


def log_odds(scores: Tensor, label: int) -> Tensor:
    """Scalar: log-odds of a class against all others, summed over the samples."""
    others = torch.cat([scores[:, :label], scores[:, label + 1 :]], dim=1)
    return (scores[:, label] - others.logsumexp(dim=1)).sum()


def grad_cam(trained: Trained, batch: Batch, label: int) -> Tensor:
    """(*S) map of any encoder whose last map covers the image, or the wave vectors of slices.

    Source: Selvaraju et al., ICCV 2017, arXiv 1610.02391; signs are kept, since what speaks
    against a class is shown as well.
    """
    local, gradient = _slopes(trained, batch, label)
    cam = (local * gradient.mean(dim=0)).sum(dim=1)
    encoder = _inner(trained.encoder)
    if isinstance(encoder, StackEncoder):
        return encoder.on_image(cam)
    return laid_out(cam.view(_map_shape(encoder)), encoder, _size(batch))


def exact_cam(trained: Trained, batch: Batch, label: int) -> Tensor:
    """(*S) map of an encoder whose mean over the last map goes into one linear layer.

    With two classes its sum is the log-odds less the difference of the two biases. With more,
    the other classes have the weights that they have in the log-odds at this image.

    Raises:
        GnnmatError: the mean is not what the classes are told from, or not by one linear layer.

    Source: Zhou et al., CVPR 2016, arXiv 1512.04150.
    """
    shape = _map_shape(trained.encoder)
    local, gradient = _slopes(trained, batch, label)
    with torch.no_grad():
        pooled = trained.encoder.pool(local, batch)
        part = class_part(trained.task, trained.task(Features(local, pooled), batch))
    if pooled.shape[1] != local.shape[1] or not torch.allclose(
        pooled[0], local.mean(dim=0), rtol=1e-4, atol=1e-6
    ):
        raise GnnmatError(
            "This encoder does more than average its last map, so it has no exact class "
            "activation map.",
            why="Only a mean is a sum of what each place adds.",
            fix="Use method 'grad_cam', or train model.kind=butler with model.pooled=true.",
        )
    linear = isinstance(part.task, ClassificationTask) and len(part.task.head.layers) == 1
    if not linear:
        raise GnnmatError(
            "The classes are not told apart by one linear layer, so there is no exact class "
            "activation map.",
            why="Its head has hidden layers."
            if isinstance(part.task, ClassificationTask)
            else f"The task is '{type(part.task).__name__.removesuffix('Task').lower()}'.",
            fix="Use method 'grad_cam', or train with task.kind=classification and "
            "task.head.hidden=[].",
        )
    # Of a mean and a linear layer the slopes are the weights, divided by the number of places.
    cam = (local * gradient).sum(dim=1).view(shape)
    return laid_out(cam, trained.encoder, _size(batch))


def laid_out(cam: Tensor, encoder: Encoder, size: tuple[int, ...]) -> Tensor:
    """(*S) map in which every cell is spread over the pixels around its centre; same sum.

    Convolutions without padding leave a margin of the image without cells; it gets zeros.

    Args:
        cam: (*cells) of the last map.
        encoder: that made it.
        size: (*S) of the image.
    """
    layers = getattr(_inner(encoder), "layers", None)
    for axis, pixels in enumerate(size):
        cells = cam.shape[axis]
        grid = _grid(layers, axis, cells, pixels) or _even(cells, pixels)
        cam = torch.tensordot(_spread(grid).to(cam), cam, dims=([1], [axis])).movedim(0, axis)
    return cam


def _slopes(trained: Trained, batch: Batch, label: int) -> tuple[Tensor, Tensor]:
    """Local features (pixels, width) and the slopes of the log-odds with respect to them."""
    if not isinstance(_inner(trained.encoder), StackEncoder):
        _map_shape(trained.encoder)
    with torch.no_grad():
        local = trained.encoder.local(batch)
    local = local.detach().requires_grad_(True)
    raw = trained.task(Features(local, trained.encoder.pool(local, batch)), batch)
    value = log_odds(class_part(trained.task, raw).scores, label)
    (gradient,) = torch.autograd.grad(value, local)
    return local.detach(), gradient


def _inner(encoder: Encoder) -> Encoder:
    """The encoder behind an autoencoder, if there is one."""
    return encoder.encoder if isinstance(encoder, Cleaned) else encoder


def _map_shape(encoder: Encoder) -> tuple[int, ...]:
    shape: tuple[int, ...] | None = getattr(encoder, "map_shape", None)
    if shape is None:
        raise GnnmatError(
            "This encoder has no map that covers the image, so it has no class activation map.",
            why="Its slices are mixed before the last map."
            if isinstance(_inner(encoder), StackEncoder)
            else "It does not tell the shape of its last map: map_shape.",
            fix=OTHER,
        )
    return shape


def _size(batch: Batch) -> tuple[int, ...]:
    return tuple(int(pixels) for pixels in batch.image.shape[2:])


def _even(cells: int, pixels: int) -> Grid:
    """Cells that share the axis evenly."""
    step = pixels / cells
    return cells, pixels, (step - 1) / 2, step


def _grid(layers: object, axis: int, cells: int, pixels: int) -> Grid | None:
    """Where the cells of a map lie along one axis; None if the layers do not tell.

    Only a plain chain of convolutions and poolings has one step and one offset everywhere.
    """
    if not isinstance(layers, nn.Sequential):
        return None
    step, centre = 1.0, 0.0
    for layer in layers:
        if isinstance(layer, (*CONVOLUTIONS, *POOLINGS)):
            kernel, stride, padding = (
                value if isinstance(value, int) else value[axis]
                for value in (layer.kernel_size, layer.stride, layer.padding)
                if not isinstance(value, str)
            )
            centre += ((kernel - 1) / 2 - padding) * step
            step *= stride
    return cells, pixels, centre, step


def _spread(grid: Grid) -> Tensor:
    """(pixels, cells) share of each cell that falls on each pixel; columns add up to one."""
    cells, pixels, first, step = grid
    low = first + step * torch.arange(cells) - step / 2
    edges = torch.arange(pixels) - 0.5
    overlap = torch.minimum(edges[:, None] + 1, low + step) - torch.maximum(edges[:, None], low)
    share = overlap.clamp(min=0)
    return share / share.sum(dim=0).clamp(min=1e-9)
