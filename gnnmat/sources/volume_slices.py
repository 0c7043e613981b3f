"""Slices cut from volumes that are larger than memory, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout
from gnnmat.sources.volume import DIMENSIONS, Volume
from gnnmat.sources.volume_axes import edges_of

CELLS = 2**21  # read at a time; about ten arrays of this size are alive, 160 MiB

Floats = NDArray[np.float64]
Box = tuple[slice, ...]


def cut_slices(
    volume: Volume,
    layout: SliceLayout,
    row: int,
    *,
    l: tuple[float, float] | None = None,  # noqa: E741
    cells: int = CELLS,
) -> Floats:
    """(slices, h, k) intensities of one incident energy of a layout, NaN where there is none.

    A pixel is the mean over the part of every cell that lies in it, in its energy bin and in the
    range of l; empty cells do not count. A volume measured with one orientation of the crystal
    fills only one l for every pixel; then the whole range of l gives it.

    Args:
        volume: measured with this incident energy.
        layout: of the image.
        row: which of its incident energies.
        l: range to average over, r.l.u.; None: all of it.
        cells: read at a time.

    Raises:
        GnnmatError: nothing of the volume lies in the slices.
    """
    shares = _shares(volume, layout, row, l)
    needed = [np.flatnonzero(share.any(axis=0)) for share in shares]
    pixels = (layout.slices, *layout.tile_shape)
    total, weight = np.zeros(pixels), np.zeros(pixels)
    if all(len(places) for places in needed):
        whole = [(int(places[0]), int(places[-1]) + 1) for places in needed]
        for box in blocks(whole, volume.chunks, cells):
            signal, counted = _read(volume, box)
            parts = [share[:, part] for share, part in zip(shares, box, strict=True)]
            total += _projected(signal, parts, volume.order)
            weight += _projected(counted, parts, volume.order)
    if not (weight > 0).any():
        raise GnnmatError(
            f"'{volume.name}': nothing was measured in the slices at an incident energy of "
            f"{layout.incident_energies[row]:g} meV.",
            why="It covers " + ", ".join(_covered(volume, axis) for axis in DIMENSIONS) + ".",
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, total / weight, np.nan)


def _covered(volume: Volume, axis: str) -> str:
    edges = volume.edges[axis]
    return f"{axis} {edges.min():.4g} to {edges.max():.4g}"


def _shares(
    volume: Volume,
    layout: SliceLayout,
    row: int,
    l: tuple[float, float] | None,  # noqa: E741
) -> list[Floats]:
    """For each axis of the volume (pixels, cells): how much of a cell lies in a pixel."""
    span = volume.edges["l"]
    wanted = {
        "energy": np.array(layout.energy_edges[row]),
        "l": np.array([l if l is not None else (span.min(), span.max())], dtype=float),
        "h": _pairs(edges_of(np.array(layout.h))),
        "k": _pairs(edges_of(np.array(layout.k))),
    }
    return [overlap(wanted[axis], _pairs(volume.edges[axis])) for axis in volume.order]


def _pairs(edges: Floats) -> Floats:
    """(n, 2) low and high of n cells."""
    return np.sort(np.stack([edges[:-1], edges[1:]], axis=1), axis=1)


def overlap(boxes: Floats, cells: Floats) -> Floats:
    """(boxes, cells) length that each cell and each box share; below rounding, none.

    Args:
        boxes: (boxes, 2) low and high.
        cells: (cells, 2) low and high.
    """
    low = np.maximum(boxes[:, None, 0], cells[None, :, 0])
    high = np.minimum(boxes[:, None, 1], cells[None, :, 1])
    shared = np.clip(high - low, 0, None)
    width = cells[:, 1] - cells[:, 0]
    return np.where(shared > 1e-9 * width, shared, 0.0)


def blocks(whole: Sequence[tuple[int, int]], chunks: Sequence[int], cells: int) -> Iterator[Box]:
    """Boxes of at most so many cells that fill the whole, cut where chunks end if possible.

    Args:
        whole: first and last + 1 along each axis.
        chunks: cells along each axis that lie together on disk.
        cells: in a box, at most.
    """
    left = max(cells, 1)
    lengths = [1] * len(whole)
    for axis in reversed(range(len(whole))):
        first, last = whole[axis]
        length = min(last - first, left)
        if length < last - first and length > chunks[axis]:
            length -= length % chunks[axis]
        lengths[axis] = max(length, 1)
        left = max(left // lengths[axis], 1)
    ranges = [
        _cuts(first, last, length, chunk)
        for (first, last), length, chunk in zip(whole, lengths, chunks, strict=True)
    ]
    yield from product(*ranges)


def _cuts(first: int, last: int, length: int, chunk: int) -> list[slice]:
    cuts = []
    while first < last:
        end = min(first + length, last)
        if end < last and length >= chunk and end - end % chunk > first:
            end -= end % chunk
        cuts.append(slice(first, end))
        first = end
    return cuts


def _read(volume: Volume, box: Box) -> tuple[Floats, Floats]:
    """Weighted signal and weight of every cell of a block; both zero in empty cells."""
    try:
        signal = np.asarray(volume.signal[box], dtype=np.float64)
        weights = None if volume.weights is None else np.asarray(volume.weights[box], np.float64)
        hidden = None if volume.mask is None else np.asarray(volume.mask[box]) != 0
    except OSError as error:  # a damaged part shows only when it is read
        raise GnnmatError(f"'{volume.name}' is damaged: {error}.") from error
    if weights is None:
        counted = np.isfinite(signal).astype(np.float64)
    else:
        counted = np.nan_to_num(weights)
        counted[~np.isfinite(signal) | (counted < 0)] = 0.0
    if hidden is not None:
        counted[hidden] = 0.0
    weighted = signal if volume.summed else signal * counted
    return np.where(counted > 0, weighted, 0.0), counted


def _projected(block: Floats, shares: Sequence[Floats], order: Sequence[str]) -> Floats:
    """(slices, h, k) of a block of cells, summed over l."""
    for axis, share in enumerate(shares):
        # Every contraction puts its pixels at the end, so the next axis is always the first.
        block = np.tensordot(block, share, axes=(0, 1))
        del axis
    places = {name: place for place, name in enumerate(order)}
    turned = block.transpose([places[name] for name in ("l", "energy", "h", "k")])
    return turned[0]
