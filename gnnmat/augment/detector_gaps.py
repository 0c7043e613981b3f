"""Places that no detector sees, drawn at random: the gaps of an instrument nobody has named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.layout import SliceLayout

Mask = NDArray[np.bool_]


def detector_mask(layout: SliceLayout, generator: np.random.Generator) -> Mask:
    r"""(Ei, slice, h, k) mask of an instrument drawn at random, True where there is no detector.

    Banks of tubes leave gaps at fixed angles: two along h, two along k and the direct beam; and
    there are no detectors beyond some angle. What is seen at an angle lies at a momentum transfer
    that grows with the final wave vector, :math:`|Q| \propto \sqrt{E_i - E}`.
    """
    edges = np.asarray(layout.energy_edges)
    final = np.sqrt(np.asarray(layout.incident_energies)[:, None] - edges.mean(axis=-1))
    grow = (final / np.median(final))[..., None]
    sides = [np.asarray(layout.h), np.asarray(layout.k)]
    far = [np.abs(axis).max() for axis in sides]
    beam = generator.uniform(0.1, 0.3)
    seen = []
    for axis, extent in zip(sides, far, strict=True):
        angle = np.abs(axis) / extent / grow  # (Ei, slice, pixels); 1 is the edge of a middle tile
        gap, width = generator.uniform(0.3, 0.9), generator.uniform(0.01, 0.06)
        seen.append((angle, np.abs(angle - gap) < width, angle > generator.uniform(1.2, 2.5)))
    (h, gap_h, out_h), (k, gap_k, out_k) = seen
    blocked: Mask = (gap_h | out_h)[..., :, None] | (gap_k | out_k)[..., None, :]
    blocked |= (h < beam)[..., :, None] & (k < beam)[..., None, :]
    return blocked


def extra_gaps(layout: SliceLayout, generator: np.random.Generator, mean: float = 3.0) -> Mask:
    """(Ei, slice, h, k) mask of a few rectangles: tubes that failed, slices that were cut out.

    Args:
        layout: of the image.
        generator: of the sample.
        mean: expected number of rectangles.
    """
    energies, (rows, columns) = len(layout.incident_energies), layout.tile_shape
    blocked = np.zeros((energies, layout.slices, rows, columns), dtype=np.bool_)
    for _ in range(1 + generator.poisson(max(mean - 1, 0))):
        energy = generator.integers(energies)
        first = generator.integers(layout.slices)
        last = generator.integers(first, layout.slices) + 1
        # Long and thin, or a patch: each side is short with even odds.
        sides = [
            max(1, int(generator.uniform(0.02, 0.15 if generator.random() < 0.5 else 0.6) * side))
            for side in (rows, columns)
        ]
        top = generator.integers(rows - sides[0] + 1)
        left = generator.integers(columns - sides[1] + 1)
        blocked[energy, first:last, top : top + sides[0], left : left + sides[1]] = True
    return blocked
