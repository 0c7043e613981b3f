"""Counting noise: Poisson numbers, fast enough to draw a whole image anew in every epoch."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 2**16  # quantiles; the outermost is 4.3 standard deviations from the middle

# Below this rate the probabilities are summed up, above it the expansion is used: it is then
# wrong for fewer than one draw in 150, by one count.
LOW = 2.5
# Up to this count the probabilities are summed up: beyond it lie 3e-7 of the draws at rate LOW.
LAST = 13


def counts(rate: Tensor, generator: np.random.Generator) -> Tensor:
    """Poisson numbers with these expectations, float32.

    On the CPU they are the same on every machine. On another device they come from its own
    generator, seeded by this one: as reproducible there, but other numbers.

    Args:
        rate: expected counts, not negative.
        generator: of the sample.
    """
    if rate.device.type == "cpu":
        return torch.from_numpy(poisson(rate.numpy(), generator))
    own = torch.Generator(rate.device).manual_seed(int(generator.integers(2**62)))
    return torch.poisson(rate, generator=own)


def poisson(rate: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    r"""Poisson numbers with these expectations, float32, by inversion.

    With :math:`z` the normal quantile of a uniform draw, the Poisson quantile is the integer part
    of :math:`\lambda + \sqrt\lambda z + (2 + z^2)/6 - (2 z + z^3) / (72 \sqrt\lambda)`.

    Source: Giles, ACM Trans. Math. Softw. 42, 7 (2016), function Q_N2.
    """
    draws = generator.integers(0, LEVELS, rate.shape, dtype=np.uint16)
    z = _normal_quantiles()[draws]
    root = np.sqrt(np.maximum(rate, LOW))
    square = z * z
    found = np.asarray((square + 2) / 6, dtype=np.float32)
    found += root * z
    found -= z * (square + 2) / (72 * root)
    found += rate
    np.floor(found, out=found)
    np.maximum(found, 0, out=found)
    low = np.flatnonzero(rate < LOW)
    if len(low):
        found.ravel()[low] = _summed(rate.ravel()[low], draws.ravel()[low])
    return found


def _summed(rate: NDArray[np.float32], draws: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Quantiles of Poisson distributions of low rate: how many partial sums a draw exceeds."""
    uniform = (draws.astype(np.float32) + 0.5) / LEVELS
    term = np.exp(-rate)
    total = term.copy()
    found = (uniform > total).astype(np.float32)
    for count in range(1, LAST):
        term *= rate / count
        total += term
        found += uniform > total
    return found


@cache
def _normal_quantiles() -> NDArray[np.float32]:
    middles = (torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS
    quantiles: NDArray[np.float32] = torch.special.ndtri(middles).float().numpy()
    return quantiles
