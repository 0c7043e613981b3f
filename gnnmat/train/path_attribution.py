"""Integrated gradients along a straight path, with as many steps as they need to add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FIRST, MOST = 16, 256  # points on the path: to begin with, and at most
TOLERANCE = 1e-8  # of the sizes of all contributions together


@dataclass(frozen=True)
class PathIntegral:
    """What each entry of an input adds to a change of the output.

    Args:
        contributions: shape of the input; they sum to ``end - start``, but for ``error``.
        start: output at the beginning of the path.
        end: output at its end.
        steps: points that were used.
        connected: whether the output depends on the input at all.
    """

    contributions: Tensor
    start: float
    end: float
    steps: int
    connected: bool = True

    @property
    def error(self) -> float:
        """Sum of the contributions minus the change they should sum to."""
        return float(self.contributions.sum()) - (self.end - self.start)


def integrated_gradients(
    function: Callable[[Tensor], Tensor],
    end: Tensor,
    start: Tensor | None = None,
    *,
    most: int = MOST,
) -> PathIntegral:
    r"""Contributions :math:`(x - x') \int_0^1 \nabla f(x' + a (x - x')) \, da` of the entries of x.

    The integral is a Gauss-Legendre sum whose points are doubled until the contributions add up
    to the change of the output, or ``most`` is reached.

    Args:
        function: of a tensor, gives a scalar.
        end: x, the input to explain.
        start: x', from which the path begins; default zeros.
        most: points on the path at most.

    Source: Sundararajan et al., ICML 2017, arXiv:1703.01365, Eq. 1.
    """
    start = torch.zeros_like(end) if start is None else start
    with torch.no_grad():
        first, last = float(function(start)), float(function(end))
    steps = min(FIRST, most)
    while True:
        slope, connected = _mean_slope(function, start, end, steps)
        found = PathIntegral((end - start) * slope, first, last, steps, connected)
        size = max(float(found.contributions.abs().sum()), abs(last - first))
        if not connected or abs(found.error) <= TOLERANCE * size or steps >= most:
            return found
        steps = min(2 * steps, most)


def _mean_slope(
    function: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, steps: int
) -> tuple[Tensor, bool]:
    """Mean gradient on the path, and whether there was one."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    total, connected = torch.zeros_like(end), False
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        here = (start + float(point) * (end - start)).detach().requires_grad_(True)
        with torch.enable_grad():
            value = function(here)
        if not value.requires_grad:
            continue
        slope = torch.autograd.grad(value, here, allow_unused=True)[0]
        if slope is not None:
            connected = True
            total += float(weight) * slope
    return total, connected
