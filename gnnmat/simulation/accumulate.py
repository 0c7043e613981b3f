"""Adding spin-wave modes to the pixels of a tile: one kernel for any device, one for the CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gnnmat.simulation.tiles import Tile


def add_batched(
    total: Tensor,
    tile: Tile,
    bands: Tensor,
    table: Tensor,
    first: int,
    last: int,
    samples: int,
    thermal: float,
) -> None:
    """Add some bands to the pixels of a tile, in place, on any device.

    Args:
        total: (pixels,) intensity per meV.
        tile: sample points.
        bands: (K, parities, m) energies in meV.
        table: (rows, 2, groups) complex amplitudes, grid point by grid point, mode by mode, and
            for every kind of zone.
        first: first band that may count.
        last: the band after the last.
        samples: points a pixel.
        thermal: k_B T in meV for the Bose factor of energy loss; 0 leaves it out.
    """
    near = bands[:, :, first:last].flatten(1)
    chosen = near.index_select(0, tile.k) - tile.centre[:, None]
    flat = (chosen.abs() < tile.reach[:, None]).view(-1).nonzero()[:, 0]
    parities, count = bands.shape[1], last - first
    sample = flat.div(parities * count, rounding_mode="floor")
    rest = flat - sample * (parities * count)
    parity = rest.div(count, rounding_mode="floor")
    mode = parity * bands.shape[2] + rest - parity * count + first
    kinds = len(table) // bands.numel()
    point = tile.k.index_select(0, sample) * (parities * bands.shape[2]) + mode
    row = point * kinds + tile.kind.index_select(0, sample)
    f = table.index_select(0, row)  # (P, 2, groups)
    factor = tile.factor.flatten(0, 1).index_select(0, sample * parities + parity)
    f = torch.view_as_real((f * factor[:, None]).sum(-1))
    polar = tile.polar.index_select(0, sample)
    strength = (polar[:, :2] * f.square().sum(-1)).sum(-1)
    strength = strength + polar[:, 2] * (f[:, 0] * f[:, 1]).sum(-1)
    off, scale = chosen.view(-1).index_select(0, flat), tile.scale.index_select(0, sample)
    share = torch.erf((tile.half - off) * scale) + torch.erf((tile.half + off) * scale)
    if thermal:
        energy = off + tile.centre.index_select(0, sample)
        share = share / -torch.expm1(-energy / thermal)
    total.index_add_(0, sample.div(samples, rounding_mode="floor"), strength * share)


def add_compiled(
    total: Tensor,
    tile: Tile,
    bands: Tensor,
    table: Tensor,
    first: int,
    last: int,
    samples: int,
    thermal: float,
) -> None:
    """The same as `add_batched` for real factors on the CPU, in one compiled loop."""
    from gnnmat.simulation.compiled import ERF, add_modes

    groups = table.shape[-1]
    add_modes(
        total.numpy(),
        tile.k.numpy(),
        tile.kind.numpy(),
        tile.centre.numpy(),
        tile.reach.numpy(),
        tile.scale.numpy(),
        tile.factor.numpy(),
        tile.polar.numpy(),
        np.float32(tile.half),
        bands.numpy(),
        torch.view_as_real(table).view(-1, 4 * groups).numpy(),
        len(table) // bands.numel(),
        first,
        last,
        samples,
        np.float32(thermal),
        ERF,
    )
