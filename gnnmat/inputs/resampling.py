"""A measured powder pattern on the angles, and at the wavelength, that a model knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.angles import Grid
from gnnmat.sources.powder_pattern import PowderPattern

Floats = NDArray[np.float64]

SAME = 2e-3  # relative: CuKa and CuKa1 differ by 0.0008, and are often confused in headers
EDGE = 0.03  # share of the points whose median stands for what was not measured beside them


def resampled(
    pattern: PowderPattern,
    grid: Grid,
    wavelength: float,
    *,
    polarized: bool = True,
    missing: float = 0.1,
    assumed: float | None = None,
) -> Floats:
    """(points,) counts at the angles of a grid.

    A pattern of another wavelength is read off at the same Q, and its peaks are given the areas
    they would have at these angles. Angles that were not measured get the background of the end
    next to them.

    Args:
        pattern: measured.
        grid: degrees of 2 theta at ``wavelength``.
        wavelength: of the grid, Å.
        polarized: whether the factor of the angle has polarization in it, as for X-rays.
        missing: largest share of the grid that may lie outside the pattern.
        assumed: wavelength of a pattern that does not say its own, Å.

    Raises:
        GnnmatError: no wavelength is known, or too much of the grid was not measured.
    """
    own = pattern.wavelength or assumed
    if own is None:
        raise GnnmatError(
            f"{pattern.id}: nobody said at which wavelength it was measured.",
            why="Angles alone do not tell a lattice spacing.",
            fix='Say it: --wavelength CuKa, or wavelength="CuKa" in Python; in a file of columns '
            "by a first line such as '# wavelength = 1.5406'; in a recipe by "
            "input.assumed_wavelength=1.5406.",
        )
    target = grid.angles.numpy()
    at, factor = target, np.ones(len(target))
    if abs(own - wavelength) > SAME * wavelength:
        sine = np.sin(np.radians(target / 2)) * own / wavelength
        at = np.degrees(2 * np.arcsin(sine.clip(max=1.0)))
        at[sine >= 1] = np.inf
        factor = _area_factor(target, at, own / wavelength, polarized)
    inside = (at >= pattern.two_theta[0]) & (at <= pattern.two_theta[-1])
    if inside.mean() < 1 - missing or not inside.any():
        raise _too_short(pattern, target, inside, missing)
    out = _filled(np.where(inside, at, 0), pattern, inside) * np.where(inside, factor, 1.0)
    first, last = np.flatnonzero(inside)[[0, -1]]
    edge = max(3, round(EDGE * len(target)))
    out[:first] = np.median(out[first : first + edge])
    out[last + 1 :] = np.median(out[max(last + 1 - edge, 0) : last + 1])
    return out


def _area_factor(there: Floats, at: Floats, ratio: float, polarized: bool) -> Floats:
    """What counts read off at ``at`` are multiplied by; 1 on the average."""

    def seen(angle: Floats) -> Floats:
        theta = np.radians(angle / 2)
        polarization = 1 + np.cos(2 * theta) ** 2 if polarized else 1.0
        return polarization / (np.sin(theta) ** 2 * np.cos(theta))

    known = np.isfinite(at) & (at < 179)
    factor = np.ones(len(there))
    a, b = there[known], at[known]
    width = ratio * np.cos(np.radians(a / 2)) / np.cos(np.radians(b / 2))
    factor[known] = seen(a) / seen(b) * width
    return factor / factor[known].mean() if known.any() else factor


def _filled(at: Floats, pattern: PowderPattern, inside: NDArray[np.bool_]) -> Floats:
    """(points,) counts at these angles: means over a step of the grid where it is the wider one."""
    x, y = pattern.two_theta, pattern.counts
    steps = np.gradient(at[inside]) if inside.sum() > 1 else np.zeros(1)
    out = np.zeros(len(at))
    if np.median(np.diff(x)) > 0.7 * np.median(steps):
        out[inside] = np.interp(at[inside], x, y)
        return out
    total = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2)])
    low = (at[inside] - steps / 2).clip(x[0], x[-1])
    high = (at[inside] + steps / 2).clip(x[0], x[-1])
    out[inside] = (np.interp(high, x, total) - np.interp(low, x, total)) / (high - low)
    return out


def _too_short(
    pattern: PowderPattern, target: Floats, inside: NDArray[np.bool_], missing: float
) -> GnnmatError:
    lacking = f"{target[0]:g} to {target[-1]:g}"
    if inside.any():
        first, last = target[inside][[0, -1]]
        parts = []
        if not inside[0]:
            parts.append(f"{target[0]:g} to {first:.4g}")
        if not inside[-1]:
            parts.append(f"{last:.4g} to {target[-1]:g}")
        lacking = " and ".join(parts)
    return GnnmatError(
        f"{pattern.id}: the pattern is too short: {lacking} degrees are missing, at the "
        "wavelength of the model.",
        why=f"It goes from {pattern.two_theta[0]:g} to {pattern.two_theta[-1]:g} degrees; the "
        f"model looks at {target[0]:g} to {target[-1]:g}, and lacks {100 * (1 - inside.mean()):.0f}"
        f"% of that.",
        fix=f"Measure a wider range, or allow more than {100 * missing:.0f}%: input.missing=0.5",
    )
