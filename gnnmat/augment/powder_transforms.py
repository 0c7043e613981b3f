"""What sample and diffractometer do to powder patterns; each a function of tensors with units.

Nothing is drawn here: what is drawn is given, a value or more for each pattern of a batch.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

EDGE = 0.03  # share of the points whose median stands for what was not measured beside them


def strained(q: Tensor, strain: Tensor) -> Tensor:
    """(B, P, 3) q vectors of crystals that are deformed by a small strain.

    A lattice vector a becomes (1 + e) a, and q the inverse transpose of that: to first order
    (1 - e) q; here without the approximation.

    Args:
        q: (B, P, 3) 1/Å.
        strain: (B, 3, 3) symmetric, a pure number; e times the unit matrix is isotropic.
    """
    identity = torch.eye(3, dtype=q.dtype, device=q.device)
    return q @ torch.linalg.inv(identity + strain)


def debye_waller(length: Tensor, b: Tensor) -> Tensor:
    """(B, P) share of the intensity that atoms in thermal motion leave: exp(-2 B s^2).

    Args:
        length: (B, P) 1/d, 1/Å; s = sin(theta)/lambda is half of it.
        b: (B,) B = 8 pi^2 <u^2> of all atoms, Å^2.
    """
    return torch.exp(-b[:, None] * length**2 / 2)


def march_dollase(cosine: Tensor, r: Tensor) -> Tensor:
    """(B, P) how many crystallites reflect, over how many would without a preferred direction.

    (r^2 cos^2 a + sin^2 a / r)^(-3/2), whose mean over the sphere is 1.

    Args:
        cosine: (B, P) of the angle a between q and the preferred direction.
        r: (B,) 1: no texture; below 1: plates, that lie flat; above 1: needles.

    Source: Dollase, J. Appl. Cryst. 19, 267 (1986), equation 6.
    """
    square, r = cosine**2, r[:, None]
    return (r**2 * square + (1 - square) / r) ** -1.5


def displaced(angles: Tensor, shift: Tensor, height: Tensor, radius: float) -> Tensor:
    """(B, L) degrees of 2 theta as read off: moved by the zero error and a sample out of place.

    A sample above the axis by s moves a line by 2 s cos(theta) / R.

    Args:
        angles: (B, L) degrees of 2 theta.
        shift: (B,) zero error, degrees.
        height: (B,) of the sample above the axis, mm.
        radius: of the diffractometer, mm.

    Source: Klug & Alexander, X-Ray Diffraction Procedures (1974), chapter 5.
    """
    moved = torch.rad2deg(2 * height / radius)[:, None] * torch.cos(torch.deg2rad(angles / 2))
    return angles + shift[:, None] + moved


def background(points: int, slope: Tensor, rise: Tensor, hump: Tensor) -> Tensor:
    """(B, points) a smooth background whose mean is about 1.

    A quadratic, air scattering that falls from the first angle, and the broad hump of something
    amorphous.

    Args:
        points: of a pattern.
        slope: (B, 2) coefficients of the first two Legendre polynomials over the range.
        rise: (B, 2) height of the fall and its length, as a share of the range.
        hump: (B, 3) height, centre and standard deviation, both as shares of the range.
    """
    x = torch.linspace(0, 1, points, device=slope.device, dtype=slope.dtype)
    y = 2 * x - 1
    flat = 1 + slope[:, :1] * y + slope[:, 1:] * (1.5 * y**2 - 0.5)
    falling = rise[:, :1] * torch.exp(-x / rise[:, 1:])
    broad = hump[:, :1] * torch.exp(-(((x - hump[:, 1:2]) / hump[:, 2:]) ** 2) / 2)
    return (flat + falling + broad).clamp(min=0)


def floor_of(counts: Tensor, window: int) -> Tensor:
    """(B, points) the smooth background below the peaks of a pattern, in its unit.

    The square root of the counts is clipped, again and again, to the mean of what lies as far to
    the left as to the right of each point, from far to near.

    Args:
        counts: (B, points) not negative.
        window: points on each side at first: about the width of the widest peak at its foot.

    Source: Ryan et al., Nucl. Instrum. Meth. B 34, 396 (1988), the SNIP algorithm; differs in:
    the square root alone of its transformations, and a window that shrinks in fewer steps.
    """
    low = counts.clamp(min=0).sqrt()
    for reach in _windows(window):
        left, right = _sides(counts.shape[1], reach, counts.device)
        low = torch.minimum(low, (low[:, left] + low[:, right]) / 2)
    return low**2


@cache
def _windows(window: int) -> tuple[int, ...]:
    """Window, then three quarters of it, and so on to 1."""
    found = [max(window, 1)]
    while found[-1] > 1:
        found.append(found[-1] * 3 // 4)
    return tuple(found)


@cache
def _sides(points: int, reach: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Places to the left and right of each point, nearer where a pattern ends."""
    with torch.inference_mode(False):  # kept, so gradients may need them later
        place = torch.arange(points, device=device)
        most = torch.tensor(reach, device=device)
        by = torch.minimum(torch.minimum(place, points - 1 - place), most)
        return place - by, place + by


def as_seen(counts: Tensor, window: int, *, root: bool = True) -> Tensor:
    """(B, points) a pattern as a network sees it, between 0 and 1.

    Background off, then the square root, in which counting noise is alike everywhere, over that
    of the highest point. An empty pattern stays empty.

    Args:
        counts: (B, points) in any unit.
        window: of `floor_of`; 0 leaves the background.
        root: take the square root.
    """
    above = counts.clamp(min=0)
    if window:
        above = (above - floor_of(counts, window)).clamp(min=0)
    top = above.amax(dim=1, keepdim=True)
    share = above / torch.where(top > 0, top, 1.0)
    return share.sqrt() if root else share


def shortened(patterns: Tensor, share: Tensor) -> Tensor:
    """(B, points) patterns whose last angles were not measured: the background next to them stands
    there, as in measured patterns that are too short.

    Args:
        patterns: (B, points).
        share: (B,) of the angles that are missing; 0 or below leaves a pattern as it is.
    """
    points = patterns.shape[1]
    last = (points * (1 - share.clamp(0, 0.9))).round().to(torch.int64)[:, None]
    place = torch.arange(points, device=patterns.device)
    near = max(3, round(EDGE * points))
    edge = patterns.gather(1, (last - 1 - place[:near]).clamp(min=0)).median(dim=1, keepdim=True)
    return torch.where(place < last, patterns, edge.values)


def moved(patterns: Tensor, points: Tensor) -> Tensor:
    """(B, points) patterns moved to the right, by interpolation; the ends are repeated.

    Args:
        patterns: (B, points).
        points: (B,) by how many points, also parts of one.
    """
    size = patterns.shape[1]
    place = torch.arange(size, device=patterns.device, dtype=patterns.dtype) - points[:, None]
    place = place.clamp(0, size - 1)
    low = place.floor().clamp(max=size - 2)
    index, share = low.to(torch.int64), place - low
    return patterns.gather(1, index) * (1 - share) + patterns.gather(1, index + 1) * share
