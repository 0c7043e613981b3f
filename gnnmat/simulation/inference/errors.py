"""Error bars that hold where the noise is not as assumed, or the model not quite true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.refine import Refined
from gnnmat.simulation.inference.response import normal_equations, over_slices
from gnnmat.simulation.inference.space import Floats

PATCH = 5  # pixels on a side; residuals farther apart are taken as independent
UNIFORM = 12.0  # 1 / variance of a coupling that is only known to lie in its range, in ranges


def patches(observed: Observation, *, folded: bool = True) -> NDArray[np.int64]:
    """(n,) number of the patch of each pixel.

    Args:
        observed: the spectrum.
        folded: count patches at (+-h, +-k) as one. Spectra have these mirrors nearly always, and
            then so have their misfits.
    """
    rows, columns = observed.layout.tile_shape
    shape = observed.blocks, observed.layout.slices
    row, column = np.arange(rows), np.arange(columns)
    if folded:
        row, column = np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column)
    row, column = row // PATCH, column // PATCH
    wide = int(column.max()) + 1
    patch = row[:, None] * wide + column
    each = int(patch.max()) + 1
    tile = np.arange(observed.tiles).reshape(shape)
    place = tile[:, :, None, None] * each + patch
    taken: NDArray[np.int64] = observed.layout.to_image(place).ravel()[observed.pixels]
    return taken


def covariance(
    observed: Observation,
    refined: Refined,
    noise: CountingNoise | None = None,
    other: Floats | None = None,
) -> tuple[Floats, Floats]:
    """(p, p) covariance of the couplings in units of their ranges, and (p,) how it was widened.

    The inverse of the information on the couplings, with scales and offsets unknown, each
    coupling widened where the scatter of the slopes from patch to patch says more, and by what
    the couplings would move by with other sample points of the simulation.

    Args:
        observed: the spectrum.
        refined: where the fit ended.
        noise: of the spectrum.
        other: (n,) calculated pixels at the same couplings with other sample points.

    Source: the scatter is the sandwich of Huber (1967) and White, Econometrica 50, 1 (1982).
    """
    normal, point = refined.normal, refined.point
    p = normal.couplings
    inner = np.linalg.solve(normal.matrix[p:, p:], normal.matrix[p:, :p])
    blocks = observed.blocks
    scale, tilt, offset = inner[:blocks], inner[blocks], inner[blocks + 1 :]
    factor = point.response.factor(observed)
    own = refined.jacobian * factor
    shape = factor / point.response.scale[observed.block] * point.model
    over = over_slices(observed.layout.slices)[observed.slice]
    own -= scale.T[:, observed.block] * shape + offset.T[:, observed.tile]
    own -= tilt[:, None] * (factor * point.model * over)
    patch = patches(observed)
    slopes = np.stack([np.bincount(patch, row * point.likelihood.score) for row in own])
    plain = np.linalg.inv(normal.reduced() + UNIFORM * np.eye(p))
    scatter = plain @ (slopes @ slopes.T) @ plain
    more = np.maximum(np.diag(scatter) / np.diag(plain), 1.0)
    if noise is not None and other is not None:
        more += (plain @ _pull(observed, refined, noise, other)) ** 2 / np.diag(plain)
    widened = np.sqrt(more)
    widest = np.asarray(plain * widened[:, None] * widened, dtype=float)
    return widest, np.asarray(widened, dtype=float)


def _pull(observed: Observation, refined: Refined, noise: CountingNoise, other: Floats) -> Floats:
    """(p,) slope of the log-posterior by the couplings that other sample points would add."""
    response = refined.point.response
    expected = response.expected(observed, other)
    likelihood = noise.likelihood(observed.values, expected, observed.tile)
    there = normal_equations(observed, noise, response, other, refined.jacobian, likelihood)
    pull: Floats = there.reduced_gradient() - refined.normal.reduced_gradient()
    return pull
