"""From Bragg peaks to a pattern as a diffractometer draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.angles import Grid, wavelength_of
from gnnmat.simulation.diffraction.powder import Peaks

__all__ = ["Grid", "Profile", "draw_pattern", "pseudo_voigt"]

SCHERRER = 0.94  # for cubes, full width at half maximum. Source: Scherrer (1918); Patterson (1939)
TAIL = 40.0  # half-widths up to which a peak is drawn; 1.6% of a Lorentzian lies beyond


@dataclass(frozen=True)
class Profile:
    """What an instrument and a sample make of a peak.

    The width is that of Caglioti, H^2 = U tan^2 theta + V tan theta + W, of a Gaussian, and
    K lambda / (size cos theta) + 4 strain tan theta, of a Lorentzian; both are joined into a
    pseudo-Voigt.

    Args:
        u: of Caglioti's formula, degrees^2.
        v: likewise.
        w: likewise.
        size: of the crystallites in Å; infinite adds nothing.
        strain: microstrain, a pure number.
        second: wavelength of K-alpha 2 over that of K-alpha 1; 1 leaves it out.
        second_share: its intensity over that of K-alpha 1.

    Source: Caglioti, Paoletti & Ricci, Nucl. Instrum. 3, 223 (1958); Thompson, Cox & Hastings, J.
    Appl. Cryst. 20, 79 (1987), equations 6 to 8, for the pseudo-Voigt.
    """

    u: float = 0.0
    v: float = 0.0
    w: float = 0.01
    size: float = math.inf
    strain: float = 0.0
    second: float = 1.0
    second_share: float = 0.5

    def __post_init__(self) -> None:
        if self.w < 0 or self.u < 0 or self.size <= 0 or self.strain < 0:
            raise GnnmatError("Widths, sizes and strains are positive.")

    def widths(self, two_theta: Tensor, wavelength: float) -> tuple[Tensor, Tensor]:
        """Full widths of the Gaussian and the Lorentzian part, degrees."""
        theta = torch.deg2rad(two_theta / 2)
        tangent = torch.tan(theta)
        square = self.u * tangent**2 + self.v * tangent + self.w
        if bool((square < 0).any()):
            raise GnnmatError(
                f"U={self.u:g}, V={self.v:g}, W={self.w:g} give a width below zero.",
                fix="Raise W, or V.",
            )
        size = SCHERRER * wavelength / (self.size * torch.cos(theta))
        return square.sqrt(), torch.rad2deg(size + 4 * self.strain * tangent)


def pseudo_voigt(offset: Tensor, gaussian: Tensor, lorentzian: Tensor) -> Tensor:
    """Height of a peak of area 1 at this distance from its centre.

    Args:
        offset: from the centre.
        gaussian: full width at half maximum of the Gaussian part, of this shape or broadcast to it.
        lorentzian: likewise of the Lorentzian.

    Source: Thompson, Cox & Hastings (1987), equations 7 and 8.
    """
    g, l = gaussian, lorentzian  # noqa: E741
    powers = g**5 + 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3
    width = (powers + 0.07842 * g * l**4 + l**5) ** 0.2
    ratio = l / width
    mixing = 1.36603 * ratio - 0.47719 * ratio**2 + 0.11116 * ratio**3
    reduced = 2 * offset / width
    bell = torch.exp(-math.log(2) * reduced**2) * 2 * math.sqrt(math.log(2) / math.pi) / width
    tailed = 2 / (math.pi * width * (1 + reduced**2))
    return mixing * tailed + (1 - mixing) * bell


def draw_pattern(
    peaks: Peaks,
    cells: int,
    grid: Grid,
    profile: Profile | None = None,
    *,
    wavelength: str | float = "CuKa1",
    shift: float = 0.0,
) -> Tensor:
    """(cells, angles) intensity per degree of each crystal.

    Args:
        peaks: from `powder_peaks`, at this wavelength.
        cells: number of crystals.
        grid: of the angles.
        profile: of the peaks.
        wavelength: of K-alpha 1.
        shift: zero error of the instrument, degrees.
    """
    profile = profile or Profile()
    length = wavelength_of(wavelength)
    lines = [(peaks.two_theta, peaks.intensity, peaks.owner)]
    if profile.second != 1.0:
        sine = length * profile.second / (2 * peaks.spacing)
        seen = sine < 1
        angle = torch.rad2deg(2 * torch.asin(sine.clamp(max=1.0)))
        lines.append((angle[seen], profile.second_share * peaks.intensity[seen], peaks.owner[seen]))
    centre, area, owner = (torch.cat(one) for one in zip(*lines, strict=True))
    out = torch.zeros(cells * grid.count, dtype=torch.float64, device=centre.device)
    gaussian, lorentzian = profile.widths(centre, length)
    reach = ((gaussian + lorentzian) * TAIL / 2 / grid.step).ceil().to(torch.int64)
    place = ((centre + shift - grid.start) / grid.step).round().to(torch.int64)
    for chosen in _alike(reach):
        window = int(reach[chosen].max())
        steps = torch.arange(-window, window + 1, device=centre.device)
        index = place[chosen][:, None] + steps
        offset = grid.start + index * grid.step - (centre[chosen] + shift)[:, None]
        # One width a peak, not one a point: most of the work is in the widths.
        widths = gaussian[chosen][:, None], lorentzian[chosen][:, None]
        height = area[chosen][:, None] * pseudo_voigt(offset, *widths)
        inside = (index >= 0) & (index < grid.count)
        flat = owner[chosen][:, None] * grid.count + index
        out.index_add_(0, flat[inside], height[inside])
    return out.reshape(cells, grid.count)


def _alike(reach: Tensor) -> list[Tensor]:
    """Peaks with windows of similar length together, so that little is computed in vain."""
    if not len(reach):
        return []
    level = torch.log2(reach.clamp(min=1).to(torch.float64)).ceil()
    return [torch.nonzero(level == one)[:, 0] for one in level.unique()]
