"""The innermost loop of rendering, compiled for the CPU on first use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# erf between 0 and 4, linear between the points: wrong by 1.2e-7 at most.
_STEPS = 1000.0
ERF = np.array([math.erf(i / _STEPS) for i in range(4002)], dtype=np.float32)


@njit(inline="always")
def _erf(x: Any, table: Any) -> Any:
    size = abs(x) * np.float32(_STEPS)
    if size >= np.float32(4000.0):
        return np.float32(1.0) if x > 0 else np.float32(-1.0)
    place = int(size)
    part = size - np.float32(place)
    value = table[place] + part * (table[place + 1] - table[place])
    return value if x > 0 else -value


@njit(cache=True, nogil=True, fastmath=True)
def add_modes(
    total: Any,
    k: Any,
    kind: Any,
    centre: Any,
    reach: Any,
    scale: Any,
    factor: Any,
    polar: Any,
    half: Any,
    bands: Any,
    amplitude: Any,
    kinds: int,
    first: int,
    last: int,
    samples: int,
    thermal: Any,
    erf: Any,
) -> None:
    """Add some bands to the pixels of a tile, in place.

    Args:
        total: (pixels,) intensity.
        k: (S,) grid point.
        kind: (S,) kind of the zone.
        centre: (S,) meV.
        reach: (S,) meV.
        scale: (S,) 1/meV.
        factor: (S, parities, groups).
        polar: (S, 3).
        half: meV.
        bands: (K, parities, m) meV, ascending along m.
        amplitude: (rows, 4 groups): Re and Im of F1 of every group, then of F2; a row for every
            grid point, mode and kind of zone.
        kinds: kinds of zones, which are the rows from one mode to the next.
        first: first band that may count.
        last: the band after the last.
        samples: points a pixel.
        thermal: k_B T in meV, 0 leaves the Bose factor out.
        erf: table of the error function.
    """
    parities, modes = bands.shape[1], bands.shape[2]
    groups = factor.shape[2]
    for s in range(len(k)):
        here, middle, far = k[s], centre[s], reach[s]
        row = here * parities * modes * kinds + kind[s]
        value = np.float32(0.0)
        for parity in range(parities):
            for band in range(first, last):
                off = bands[here, parity, band] - middle
                if off > far:
                    break
                if off < -far:
                    continue
                place = row + (parity * modes + band) * kinds
                ax = ay = bx = by = np.float32(0.0)
                for group in range(groups):
                    f = factor[s, parity, group]
                    ax += f * amplitude[place, 2 * group]
                    ay += f * amplitude[place, 2 * group + 1]
                    bx += f * amplitude[place, 2 * (groups + group)]
                    by += f * amplitude[place, 2 * (groups + group) + 1]
                strength = (
                    polar[s, 0] * (ax * ax + ay * ay)
                    + polar[s, 1] * (bx * bx + by * by)
                    + polar[s, 2] * (ax * bx + ay * by)
                )
                share = _erf((half - off) * scale[s], erf) + _erf((half + off) * scale[s], erf)
                if thermal > 0:
                    energy = bands[here, parity, band]
                    share = share / (np.float32(1.0) - np.exp(-energy / thermal))
                value += strength * share
        total[s // samples] += value
