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
APART = 0.3  # degrees between measured angles: over more, a peak may have been missed
SHOWN = 3  # stretches without a measurement that a message names


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
    they would have at these angles.

    An angle counts as not measured beyond the ends of the pattern, and where the measured angles on
    both sides are further apart than 0.3 degrees and than the steps of the grid. There the
    background stands: the median of what is next to it at the ends, and a straight line between
    the medians on both sides of a hole.

    Args:
        pattern: measured.
        grid: degrees of 2 theta at ``wavelength``.
        wavelength: of the grid, Å.
        polarized: whether the factor of the angle has polarization in it, as for X-rays.
        missing: largest share of the grid that may not have been measured.
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
    apart = max(APART, grid.step)
    inside = _measured(at, pattern.two_theta, apart)
    if inside.mean() < 1 - missing or not inside.any():
        raise _too_little(pattern, target, inside, apart, missing)
    out = _filled(at, pattern, inside) * np.where(inside, factor, 1.0)
    return _with_background(out, inside)


def _measured(at: Floats, angles: Floats, apart: float) -> NDArray[np.bool_]:
    """(points,) whether each lies within the angles, between two that are close enough."""
    after = np.searchsorted(angles, at, side="right").clip(1, len(angles) - 1)
    close = angles[after] - angles[after - 1] < apart * (1 + 1e-6)
    return (at >= angles[0]) & (at <= angles[-1]) & close


def _with_background(out: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Counts with the background of what is next to them where nothing was measured."""
    out = out.copy()
    known, edge = np.flatnonzero(inside), max(3, round(EDGE * len(out)))
    for first, last in _stretches(~inside):
        sides = known[known < first][-edge:], known[known > last][:edge]
        ends = [float(np.median(out[one])) for one in sides if len(one)]
        out[first : last + 1] = np.linspace(ends[0], ends[-1], last - first + 1)
    return out


def _stretches(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last place of every run of true values."""
    turns = np.flatnonzero(np.diff(chosen.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(end) - 1) for first, end in turns.reshape(-1, 2)]


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
    steps = np.full(len(at), np.inf)
    there = np.isfinite(at)
    steps[there] = np.gradient(at[there]) if there.sum() > 1 else 0.0
    out = np.zeros(len(at))
    if np.median(np.diff(x)) > 0.7 * np.median(steps[inside]):
        out[inside] = np.interp(at[inside], x, y)
        return out
    total = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2)])
    low = (at[inside] - steps[inside] / 2).clip(x[0], x[-1])
    high = (at[inside] + steps[inside] / 2).clip(x[0], x[-1])
    out[inside] = (np.interp(high, x, total) - np.interp(low, x, total)) / (high - low)
    return out


def _too_little(
    pattern: PowderPattern,
    target: Floats,
    inside: NDArray[np.bool_],
    apart: float,
    missing: float,
) -> GnnmatError:
    runs = _stretches(~inside)
    last = len(target) - 1
    parts = [f"{target[max(a - 1, 0)]:.4g} to {target[min(b + 1, last)]:.4g}" for a, b in runs]
    if len(parts) > SHOWN:
        lacking = f"{', '.join(parts[:SHOWN])} degrees and {len(parts) - SHOWN} more stretches"
    else:
        lacking = f"{' and '.join(parts)} degrees"
    x = pattern.two_theta
    return GnnmatError(
        f"{pattern.id}: too little was measured: {lacking} are missing, at the wavelength of the "
        "model.",
        why=f"It goes from {x[0]:g} to {x[-1]:g} degrees, with angles up to "
        f"{np.diff(x).max():.3g} degrees apart: over more than {apart:.2g} nothing counts as "
        f"measured. The model looks at {target[0]:g} to {target[-1]:g}, and lacks "
        f"{100 * (1 - inside.mean()):.0f}% of that.",
        fix="Measure a wider range, without holes and in finer steps, or train a model that allows "
        f"more than {100 * missing:.0f}%: --set input.missing=0.5",
    )
