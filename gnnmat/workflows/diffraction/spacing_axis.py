"""Patterns on an axis of ln(1/d), where a cell that is larger by a share is a shifted pattern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.simulation.diffraction.powder import angle_factor
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.library import Library

Floats = NDArray[np.float64]

DISPLACEMENT = 1.5  # Å^2, B of all atoms: usual at room temperature


@dataclass(frozen=True)
class SpacingAxis:
    """Even steps of ln(1/d): a cell that is larger by a share is the same pattern, shifted.

    Args:
        start: ln of 1/d in 1/Å.
        step: of ln(1/d).
        count: points.
    """

    start: float
    step: float
    count: int

    @property
    def values(self) -> Floats:
        """(n,) ln(1/d)."""
        return np.asarray(self.start + self.step * np.arange(self.count), dtype=np.float64)

    def two_theta(self, wavelength: float) -> Floats:
        """(n,) degrees; NaN where the wavelength is too long."""
        with np.errstate(invalid="ignore"):
            sine = np.exp(self.values) * wavelength / 2
            return np.asarray(np.degrees(2 * np.arcsin(sine)), dtype=np.float64)


def draw_rows(
    library: Library, rows: Sequence[int], axis: SpacingAxis, beam: Beam, width: float
) -> Iterator[Floats]:
    """(n,) square root of the intensity of each crystal along the axis, one after another.

    Args:
        library: peaks.
        rows: crystals.
        axis: of ln(1/d).
        beam: of the measurement.
        width: full width of the peaks, degrees of 2 theta; Gaussians.
    """
    at = axis.values
    angle = np.radians(axis.two_theta(beam.wavelength) / 2)
    # d(2 theta) = 2 tan(theta) d ln(1/d)
    sigmas = np.radians(width) / 2.35482 / (2 * np.tan(np.minimum(angle, 1.45)))
    for row in rows:
        span = slice(int(library.start[row]), int(library.start[row + 1]))
        inverse, strength = library.inverse[span], library.strength[span]
        sine = beam.wavelength * inverse / 2
        seen = sine < 0.999
        inverse, strength, sine = inverse[seen], strength[seen], sine[seen]
        theta = torch.from_numpy(np.arcsin(sine))
        area = strength * angle_factor(theta, beam.correction).numpy()
        area = area * np.exp(-DISPLACEMENT * inverse**2 / 2)
        yield _gaussians(at, np.log(inverse), area, sigmas)


def _gaussians(at: Floats, centres: Floats, areas: Floats, sigmas: Floats) -> Floats:
    """(n,) square root of a sum of Gaussians, whose widths are those of the axis at each centre.

    Areas are per degree, so heights are the same for peaks of the same area wherever they are.
    """
    total = np.zeros(len(at))
    step = at[1] - at[0]
    places = np.round((centres - at[0]) / step).astype(np.int64)
    for place, centre, area in zip(places, centres, areas, strict=True):
        sigma = sigmas[min(max(place, 0), len(at) - 1)]
        reach = int(4 * sigma / step) + 1
        low, high = max(place - reach, 0), min(place + reach + 1, len(at))
        if low < high:
            total[low:high] += area * np.exp(-0.5 * ((at[low:high] - centre) / sigma) ** 2)
    return np.sqrt(total)
