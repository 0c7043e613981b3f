"""Many powder patterns at once, fast: lines are shared out to a grid and widened by FFT.

Beside `profile.draw_pattern`, which is exact and slow: single precision, on any device, with a
width of its own for each pattern, and with gradients with respect to angles and areas.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from gnnmat.simulation.diffraction.angles import Correction, Grid, angle_factor, emission

SCHERRER = 0.94  # for cubes, full width at half maximum. Source: Scherrer (1918); Patterson (1939)
FINER = 2  # points of the grid on which lines are shared out, a point of the pattern
NODES = 12  # angles at which the widths of a pattern are computed
TOGETHER = 8  # patterns at once on a CPU: what is held then fits in its cache
# Degrees beside the grid, from which tails reach into it. The transform is periodic, so a tail also
# comes back over twice as many: over 8 degrees a Lorentzian 0.6 wide has 0.0014 of its height left.
# 6 degrees would leave 0.0006, and cost 8% of the time on 2,048 points over 50 degrees.
MARGIN = 4.0
LEAST = 160  # points of it: on coarse grids they cost little
NARROWEST = 2.0  # points: a grid cannot show a Gaussian of a smaller full width
PER_SIGMA = math.sqrt(8 * math.log(2))  # full width at half maximum over standard deviation


def lines(
    length: Tensor, intensity: Tensor, wavelength: str | float, correction: Correction
) -> tuple[Tensor, Tensor]:
    """(B, L) degrees of 2 theta and (B, L) areas of all lines that these reflections give.

    L is twice the number of reflections for a doublet such as ``CuKa``. What cannot reflect at
    this wavelength, or is padding (length 0), has an area of 0.

    Args:
        length: (B, P) 1/d, 1/Å.
        intensity: (B, P) of all reflections it stands for, without angle factor.
        wavelength: by name or in Å.
        correction: of the intensity by angle, at the first line.
    """
    there = (length > 0) & (length * emission(wavelength)[0][0] < 2)
    angles, areas = [], []
    corrected: Tensor | None = None
    for wave, share in emission(wavelength):
        sine = length * wave / 2
        seen = there & (sine < 1)
        theta = torch.asin(torch.where(seen, sine, 0.5))
        if corrected is None:
            corrected = intensity * angle_factor(theta, correction)
        angles.append(torch.rad2deg(2 * theta))
        areas.append(torch.where(seen, share * corrected, 0.0))
    return torch.cat(angles, dim=1), torch.cat(areas, dim=1)


def nodes(grid: Grid, count: int = NODES) -> Tensor:
    """(count,) degrees of 2 theta at which widths are given, from end to end of the grid."""
    return torch.linspace(grid.start, grid.stop, count)


def caglioti(two_theta: Tensor, u: Tensor, v: Tensor, w: Tensor) -> Tensor:
    """(B, K) full widths of Gaussians, degrees: sqrt(U tan^2 theta + V tan theta + W).

    Where U, V and W would give less, it is half the root of W.

    Args:
        two_theta: (K,) degrees.
        u: (B,) degrees^2; v and w likewise.
        v: see u.
        w: see u.

    Source: Caglioti, Paoletti & Ricci, Nucl. Instrum. 3, 223 (1958).
    """
    tangent = torch.tan(torch.deg2rad(two_theta / 2)).to(u)
    square = u[:, None] * tangent**2 + v[:, None] * tangent + w[:, None]
    return torch.maximum(square, w[:, None] / 4).sqrt()


def scherrer(two_theta: Tensor, wavelength: float, size: Tensor, strain: Tensor) -> Tensor:
    """(B, K) full widths of Lorentzians, degrees: K lambda / (D cos theta) + 4 e tan theta.

    Args:
        two_theta: (K,) degrees.
        wavelength: Å.
        size: (B,) of the crystallites, Å; infinite adds nothing.
        strain: (B,) microstrain, a pure number.

    Source: Scherrer (1918); Stokes & Wilson, Proc. Phys. Soc. 56, 174 (1944), for the strain.
    """
    theta = torch.deg2rad(two_theta / 2).to(size)
    radians = SCHERRER * wavelength / (size[:, None] * torch.cos(theta))
    return torch.rad2deg(radians + 4 * strain[:, None] * torch.tan(theta))


def draw_lines(
    angles: Tensor, areas: Tensor, grid: Grid, gaussian: Tensor, lorentzian: Tensor
) -> Tensor:
    """(B, points) intensity per degree: every line as a Voigt profile.

    A line is shared between the two nearest points of the grid, which widens it; the transform
    of the profile is divided by that of this widening. Between two angles at which widths are
    given, a line is shared between both profiles.

    Args:
        angles: (B, L) degrees of 2 theta.
        areas: (B, L) 0 where there is no line.
        grid: of the angles.
        gaussian: (B, K) full widths of the Gaussian part at `nodes`, degrees; two points at least.
        lorentzian: (B, K) likewise of the Lorentzian part.
    """
    if angles.device.type == "cpu" and len(angles) > TOGETHER:
        given = (angles, areas, gaussian, lorentzian)
        parts = zip(*(one.split(TOGETHER) for one in given), strict=True)
        return torch.cat([draw_lines(a, b, grid, g, h) for a, b, g, h in parts])
    margin = max(LEAST, math.ceil(MARGIN / grid.step))
    size = fast_size(FINER * (grid.count + 2 * margin))
    step = grid.step / FINER
    shared = _shared(angles, areas, grid, gaussian.shape[1], margin, size)
    frequency, flat = (one.to(shared) for one in _transforms(size))
    sigma = gaussian.clamp(min=NARROWEST * grid.step) / (PER_SIGMA * step)
    fall = (math.pi / step) * lorentzian[..., None] * frequency
    fall = fall + 2 * math.pi**2 * (sigma[..., None] * frequency) ** 2
    # Clamped: numbers near the smallest that there are would make this ten times slower.
    spectrum = torch.fft.rfft(shared) * (torch.exp(-fall.clamp(max=40)) * flat)
    drawn = torch.fft.irfft(spectrum.sum(dim=1), n=size)
    first = FINER * margin
    return drawn[:, first : first + FINER * grid.count : FINER].clamp(min=0) / step


def _shared(
    angles: Tensor, areas: Tensor, grid: Grid, count: int, margin: int, size: int
) -> Tensor:
    """(B, K, size) areas at the points of the grid with its margins, by width."""
    place = ((angles - grid.start) / grid.step + margin) * FINER
    areas = torch.where((place >= 0) & (place < size - 1), areas, 0.0)
    place = place.clamp(0, size - 2)
    low = place.detach().floor()
    right = place - low
    along = (angles.detach() - grid.start) * ((count - 1) / (grid.stop - grid.start))
    along = along.clamp(0, count - 1)
    node = along.floor().clamp(max=max(count - 2, 0))
    second = along - node
    index = (node * size + low).to(torch.int64)
    above, here = areas * second, areas * (1 - second)
    parts = [(here, 0)] if count == 1 else [(here, 0), (above, size)]
    out = areas.new_zeros(len(areas), count * size)
    for area, offset in parts:
        upper = area * right
        out = out.scatter_add(1, index + offset, area - upper)
        out = out.scatter_add(1, index + (offset + 1), upper)
    return out.view(len(areas), count, size)


@cache
def _transforms(size: int) -> tuple[Tensor, Tensor]:
    """Frequencies in cycles a point, and one over the transform of sharing between two points."""
    with torch.inference_mode(False):  # kept, so gradients may need them later
        frequency = torch.fft.rfftfreq(size, dtype=torch.float64)
        return frequency, torch.sinc(frequency) ** -2


@cache
def fast_size(least: int) -> int:
    """The smallest even number from ``least`` on whose prime factors are 2, 3 and 5."""
    size = least + least % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2
