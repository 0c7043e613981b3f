"""A measured powder pattern: angles, counts, and the wavelength they were taken with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PowderPattern:
    """Counts over angles, checked.

    Args:
        id: name.
        two_theta: (n,) degrees, rising.
        counts: (n,) intensities, none negative; counts or anything proportional to them.
        wavelength: of K-alpha 1 in Å; None if nobody said.
        second: of K-alpha 2 in Å; None if there is none, or nobody said.
        notes: what was mended while reading.
        radiation: ``xray``, ``neutron`` or ``electron``; None if nobody said.
        sigma: (n,) standard deviations of the counts; None if nobody said.
    """

    id: str
    two_theta: Floats
    counts: Floats
    wavelength: float | None = None
    second: float | None = None
    notes: tuple[str, ...] = field(default=())
    radiation: str | None = None
    sigma: Floats | None = None

    def __len__(self) -> int:
        return len(self.two_theta)


LEAST = 10  # points
RADIANS = 3.2  # a pattern that ends below is no scan in degrees, but for electrons
LONGEST, SHORTEST = 10.0, 0.05  # Å: beyond these a wavelength was given in another unit
SHORTEST_ELECTRONS = 0.005  # Å: of 1.5 MeV


def powder_pattern(
    id: str,
    two_theta: ArrayLike,
    counts: ArrayLike,
    *,
    wavelength: float | None = None,
    second: float | None = None,
    radiation: str | None = None,
    sigma: ArrayLike | None = None,
) -> PowderPattern:
    """The pattern of these columns.

    Angles that fall are turned around, angles that were measured several times are averaged; both
    are noted.

    Args:
        id: name.
        two_theta: (n,) degrees.
        counts: (n,) intensities.
        wavelength: of K-alpha 1, Å.
        second: of K-alpha 2, Å.
        radiation: ``xray``, ``neutron`` or ``electron``.
        sigma: (n,) standard deviations of the counts. If any is not above zero, all are passed
            over, and it is noted.

    Raises:
        GnnmatError: lengths differ, too few points, a value that is no number, negative counts,
            angles outside 0 to 180 degrees, out of order or mostly repeated, a wavelength that is
            none in Å.
    """
    x, y = np.asarray(two_theta, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    of_electrons = radiation == "electron"
    _check_values(id, x, y, least=0.0 if of_electrons else RADIANS)
    shortest = SHORTEST_ELECTRONS if of_electrons else SHORTEST
    for one in (wavelength, second):
        if one is not None and not shortest <= one <= LONGEST:
            raise GnnmatError(
                f"{id}: a wavelength of {one:g} Å is out of range.",
                fix="Give it in Å: copper has 1.5406.",
            )
    notes: list[str] = []
    spread = None if sigma is None else _sound(np.asarray(sigma, dtype=np.float64), x, notes)
    if (np.diff(x) < 0).all():
        x, y = x[::-1].copy(), y[::-1].copy()
        spread = None if spread is None else spread[::-1].copy()
        notes.append("angles fell, and were turned around")
    if (np.diff(x) < 0).any():
        place = int(np.flatnonzero(np.diff(x) < 0)[0])
        raise GnnmatError(
            f"{id}: angles are out of order: {x[place + 1]:g} comes after {x[place]:g} degrees.",
            why="Several scans in one file, or columns exchanged.",
            fix="Give one scan with rising angles.",
        )
    repeated = int((np.diff(x) == 0).sum())
    if repeated > len(x) / 2:
        raise GnnmatError(
            f"{id}: {repeated} of {len(x)} angles repeat the one before.",
            why="Digits behind a decimal point or comma may have been lost.",
            fix="Write angles with all their digits; average what was measured many times.",
        )
    if repeated:
        x, back = np.unique(x, return_inverse=True)
        times = np.bincount(back)
        y = np.bincount(back, y) / times
        if spread is not None:
            spread = np.sqrt(np.bincount(back, spread**2)) / times
        notes.append("angles that were measured several times were averaged")
    if len(x) < LEAST:
        raise GnnmatError(f"{id}: {len(x)} angles are no pattern.")
    return PowderPattern(id, x, y, wavelength, second, tuple(notes), radiation, spread)


def _sound(sigma: Floats, x: Floats, notes: list[str]) -> Floats | None:
    """The standard deviations, if all are above zero."""
    if sigma.shape == x.shape and (np.isfinite(sigma) & (sigma > 0)).all():
        return sigma
    notes.append("standard deviations were passed over: not all of them are above zero")
    return None


def _check_values(id: str, x: Floats, y: Floats, least: float) -> None:
    if x.ndim != 1 or x.shape != y.shape:
        raise GnnmatError(f"{id}: {x.shape} angles and {y.shape} counts do not fit together.")
    if len(x) < LEAST:
        raise GnnmatError(
            f"{id}: {len(x)} points are no pattern.", why=f"Expected {LEAST} or more."
        )
    for name, values in (("angle", x), ("count", y)):
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise GnnmatError(f"{id}: point {wrong[0] + 1} has {values[wrong[0]]} as its {name}.")
    if x.min() < 0 or x.max() > 180:
        raise GnnmatError(
            f"{id}: angles go from {x.min():g} to {x.max():g}, expected 2 theta in degrees.",
            fix="Convert Q or d to 2 theta first.",
        )
    if x.max() < least:
        raise GnnmatError(
            f"{id}: angles end at {x.max():g}: these look like radians, or like Q.",
            fix="Give 2 theta in degrees.",
        )
    if y.min() < 0:
        place = int(y.argmin())
        raise GnnmatError(
            f"{id}: {y[place]:g} counts at {x[place]:g} degrees; counts cannot be negative.",
            why="A background may have been subtracted.",
            fix="Give the counts as measured, or add a constant.",
        )
    if not y.any():
        raise GnnmatError(f"{id}: all counts are zero.")
