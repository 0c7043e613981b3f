"""A crystal that is slightly turned, or made of slightly turned grains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gnnmat.simulation.layout import SliceLayout

# Largest displacement, squared, that three pixels can show: their weights stay positive.
LARGEST = 1.0  # pixels^2


def turned(tiles: Tensor, layout: SliceLayout, angle: float, spread: float) -> Tensor:
    """The tiles after a turn about the beam by an angle with a Gaussian spread, to second order.

    A small turn moves (h, k) by angle * (-k, h). Each pixel becomes the mean of itself and its
    neighbours on both sides, with the weights that have the mean and the variance of that
    displacement; first along h, then along k.

    Args:
        tiles: (Ei, h, slice, k), an image cut into tiles.
        layout: of the image.
        angle: radians.
        spread: standard deviation, radians.
    """
    if angle == 0 and spread == 0:
        return tiles
    h, k = (np.asarray(axis) for axis in (layout.h, layout.k))
    step_h, step_k = np.diff(h).mean(), np.diff(k).mean()
    # Displacement in pixels along h is a function of k, and the other way round.
    along_h = _weights(tiles, -angle * k / step_h, spread * k / step_h)
    along_k = _weights(tiles, angle * h / step_k, spread * h / step_k)
    turned_h = _blurred(tiles, 1, [weight[None, None, None, :] for weight in along_h])
    return _blurred(turned_h, 3, [weight[None, :, None, None] for weight in along_k])


def _weights(like: Tensor, shift: np.ndarray, spread: np.ndarray) -> list[Tensor]:
    """Weights of the pixel before, of the pixel itself and of the pixel after."""
    shift = shift.clip(-0.5, 0.5)
    second = np.minimum(shift**2 + spread**2, LARGEST).clip(min=np.abs(shift))
    weights = (second + shift) / 2, 1 - second, (second - shift) / 2
    return [torch.as_tensor(one, dtype=like.dtype, device=like.device) for one in weights]


def _blurred(tiles: Tensor, axis: int, weights: list[Tensor]) -> Tensor:
    """Weighted sums over three neighbours along an axis; at the edge the pixel stands for both."""
    size = tiles.shape[axis]
    before = torch.cat([tiles.narrow(axis, 0, 1), tiles.narrow(axis, 0, size - 1)], axis)
    after = torch.cat([tiles.narrow(axis, 1, size - 1), tiles.narrow(axis, size - 1, 1)], axis)
    return weights[0] * before + weights[1] * tiles + weights[2] * after
