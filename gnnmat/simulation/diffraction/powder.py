"""Powder patterns: Bragg peaks of a batch of crystals, and profiles on a grid of angles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.angles import (
    WAVELENGTHS,
    Correction,
    angle_factor,
    wavelength_of,
)
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.factors import Radiation
from gnnmat.simulation.diffraction.reflections import (
    Reflections,
    reflections,
    structure_factors,
)

__all__ = ["WAVELENGTHS", "Peaks", "angle_factor", "powder_peaks", "wavelength_of"]

SAME_PEAK = 1e-5  # degrees of 2 theta, as in pymatgen


@dataclass(frozen=True)
class Peaks:
    """Bragg peaks, cell after cell, each by rising angle.

    Args:
        owner: (n,) the cell.
        two_theta: (n,) degrees.
        spacing: (n,) d in Å.
        intensity: (n,) the sum over all reflections of the peak, both of each Friedel pair, with
            the correction; per cell, not scaled.
        hkl: (n, 3) one of the reflections.
        multiplicity: (n,) number of reflections in the peak.
    """

    owner: Tensor
    two_theta: Tensor
    spacing: Tensor
    intensity: Tensor
    hkl: Tensor
    multiplicity: Tensor

    def of(self, cell: int) -> Peaks:
        """The peaks of one cell."""
        return self._some(self.owner == cell)

    def between(self, low: float, high: float) -> Peaks:
        """The peaks from one angle to another, degrees."""
        return self._some((self.two_theta >= low) & (self.two_theta <= high))

    def _some(self, rows: Tensor) -> Peaks:
        return Peaks(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def scaled(self, cells: int) -> Tensor:
        """(n,) intensity with 100 for the highest peak of each cell."""
        top = torch.zeros(cells, dtype=self.intensity.dtype, device=self.intensity.device)
        top.scatter_reduce_(0, self.owner, self.intensity, "amax")
        return 100 * self.intensity / top[self.owner].clamp(min=1e-300)


def powder_peaks(
    cells: Cells,
    *,
    wavelength: str | float = "CuKa",
    two_theta: tuple[float, float] = (0.0, 90.0),
    radiation: Radiation = "xray",
    displacement: Tensor | None = None,
    correction: Correction | None = None,
) -> Peaks:
    """Bragg peaks of powders of these crystals.

    Args:
        cells: the crystals.
        wavelength: in Å, or such as ``CuKa``.
        two_theta: first and last angle in degrees.
        radiation: ``xray``, ``neutron`` or ``electron``.
        displacement: (119,) B in Å^2 by atomic number.
        correction: of the intensity by angle; default Lorentz and polarization for X-rays, Lorentz
            alone for the others.

    Raises:
        GnnmatError: an unknown radiation, or no angle between the two.

    Source: De Graef & McHenry, Structure of Materials (2007), chapters 11 and 12.
    """
    length = wavelength_of(wavelength)
    low, high = two_theta
    if not 0 <= low < high <= 180:
        raise GnnmatError(f"Angles from {low:g} to {high:g} degrees are no range within 0 to 180.")
    ends = [
        2 * torch.sin(torch.deg2rad(torch.tensor(t / 2, dtype=torch.float64))) for t in (low, high)
    ]
    found = reflections(cells, float(ends[1]) / length, float(ends[0]) / length)
    strength = structure_factors(cells, found, radiation, displacement).abs() ** 2
    theta = torch.asin((length * found.length / 2).clamp(max=1.0))
    kind = correction or ("lorentz_polarization" if radiation == "xray" else "lorentz")
    return _merged(found, theta, 2 * strength * angle_factor(theta, kind))


def _merged(found: Reflections, theta: Tensor, intensity: Tensor) -> Peaks:
    """Reflections of one angle as one peak."""
    two_theta = torch.rad2deg(2 * theta)
    # Rounding to a grid, as in pymatgen: two peaks astride a grid point stay two.
    bins = torch.round(two_theta / SAME_PEAK).to(torch.int64)
    order = torch.argsort(found.owner * (1 << 32) + bins)
    bins, owner = bins[order], found.owner[order]
    new = torch.ones_like(bins, dtype=torch.bool)
    new[1:] = (bins[1:] != bins[:-1]) | (owner[1:] != owner[:-1])
    peak = torch.cumsum(new, dim=0) - 1
    count = torch.bincount(peak)
    total = torch.zeros(len(count), dtype=intensity.dtype, device=intensity.device)
    total.index_add_(0, peak, intensity[order])
    # A peak is called by its reflection with the largest indices, such as 1 0 0.
    h, k, l = found.hkl[order].unbind(dim=1)  # noqa: E741
    rank = h * 1_000_000 + k * 1_000 + l
    largest = torch.full_like(count, -(10**12)).scatter_reduce_(0, peak, rank, "amax")
    named = torch.nonzero(rank == largest[peak])[:, 0]
    chosen = order[torch.zeros_like(count).scatter_(0, peak[named], named)]
    return Peaks(
        found.owner[chosen],
        two_theta[chosen],
        1 / found.length[chosen],
        total,
        found.hkl[chosen],
        2 * count,
    )
