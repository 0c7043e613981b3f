"""Known crystals ranked for a measured pattern: strain and zero shift scanned all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.workflows.diffraction.background import Signal
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.library import Library
from gnnmat.workflows.diffraction.spacing_axis import SpacingAxis, draw_rows

Floats = NDArray[np.float64]

STEP = 0.001  # of ln(1/d)
BATCH = 128  # crystals whose patterns are in memory together
SPREAD = 0.25  # degrees that are added to the width of peaks, for cells that are not just scaled
ABOVE = 2.0  # standard deviations of the noise that a point must stand above the background


@dataclass(frozen=True)
class Scan:
    """What is tried.

    Args:
        strain: largest relative change of all lengths of a cell, to both sides.
        zero: largest zero shift, degrees, to both sides.
        zero_step: degrees.
    """

    strain: float = 0.02
    zero: float = 0.2
    zero_step: float = 0.05

    def __post_init__(self) -> None:
        if not (0 <= self.strain <= 0.1 and 0 <= self.zero <= 1 and self.zero_step > 0):
            raise GnnmatError(
                f"A strain of {self.strain:g} and a zero shift of {self.zero:g} degrees are out "
                "of range.",
                fix="Strains go to 0.1, zero shifts to 1 degree.",
            )

    @property
    def lags(self) -> NDArray[np.int64]:
        """(s,) shifts along ln(1/d), in steps; a larger cell is a negative one."""
        most = round(np.log1p(self.strain) / STEP)
        return np.arange(-most, most + 1)

    @property
    def zeros(self) -> Floats:
        """(z,) degrees."""
        most = int(self.zero / self.zero_step + 1e-9)
        return np.asarray(self.zero_step * np.arange(-most, most + 1), dtype=np.float64)


@dataclass(frozen=True)
class Scores:
    """How well each crystal fits, at its best.

    Args:
        score: (crystals,) cosine of the square roots of the intensities, 0 to 1.
        strain: (crystals,) relative change of the lengths of the cell there.
        zero: (crystals,) zero shift there, degrees.
    """

    score: Floats
    strain: Floats
    zero: Floats


def cosine(one: Floats, other: Floats) -> float:
    """Cosine of the angle between the square roots of two patterns; 1 for the same pattern.

    Args:
        one: (n,) intensities above the background; what is below counts as none.
        other: likewise.
    """
    a, b = np.sqrt(np.maximum(one, 0)), np.sqrt(np.maximum(other, 0))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else 0.0


def rank(
    signal: Signal,
    beam: Beam,
    library: Library,
    rows: Sequence[int],
    scan: Scan | None = None,
) -> Scores:
    """Scores of these crystals of the library, in the order of ``rows``.

    On an axis of ln(1/d) a scaled cell is a shifted pattern, so that all strains and zero shifts
    are one product of matrices a batch of crystals.
    """
    tried = scan or Scan()
    axis = _axis(signal, beam, tried)
    measured, windows = _shifted(signal, beam, axis, tried)
    width = float(np.hypot(signal.width if np.isfinite(signal.width) else 0.2, SPREAD))
    found = [np.zeros((0, len(measured)))]
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        drawn = np.stack(list(draw_rows(library, some, axis, beam, width))).astype(np.float32)
        inner = drawn @ measured.T
        # Only what lies within the measured range counts against a crystal.
        energy = np.maximum(drawn**2 @ windows.T, 1e-30)
        found.append(inner / np.sqrt(energy))
    every = np.concatenate(found)
    best = every.argmax(axis=1)
    strains = np.exp(-STEP * tried.lags) - 1
    return Scores(
        every.max(axis=1, initial=0.0).astype(np.float64),
        strains[best % len(tried.lags)],
        tried.zeros[best // len(tried.lags)],
    )


def _axis(signal: Signal, beam: Beam, scan: Scan) -> SpacingAxis:
    first = max(signal.two_theta[0] - scan.zero, 0.5)
    last = min(signal.two_theta[-1] + scan.zero, 179.0)
    ends = [np.log(2 * np.sin(np.radians(t / 2)) / beam.wavelength) for t in (first, last)]
    spare = STEP * (len(scan.lags) // 2 + 2)
    count = int((ends[1] - ends[0] + 2 * spare) / STEP) + 1
    return SpacingAxis(float(ends[0] - spare), STEP, count)


def _shifted(
    signal: Signal, beam: Beam, axis: SpacingAxis, scan: Scan
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(tries, n) the measured pattern of length 1, zero by zero and lag by lag; where it is."""
    angles = axis.two_theta(beam.wavelength)
    above = np.sqrt(np.maximum(signal.net - ABOVE * signal.noise, 0))
    made, windows = [], []
    for zero in scan.zeros:
        at = np.nan_to_num(angles, nan=1e3) + zero  # where a peak of this spacing was measured
        inside = (at >= signal.two_theta[0]) & (at <= signal.two_theta[-1])
        pattern = np.interp(at, signal.two_theta, above) * inside
        norm = max(float(np.linalg.norm(pattern)), 1e-30)
        for lag in scan.lags:
            # A cell that is larger by the strain has its peaks at lower 1/d: the measured pattern
            # is moved back to where those of the unstrained cell are.
            made.append(_moved(pattern / norm, -lag))
            windows.append(_moved(inside.astype(np.float64), -lag))
    return np.array(made, dtype=np.float32), np.array(windows, dtype=np.float32)


def _moved(values: Floats, steps: int) -> Floats:
    """The values so many places further on, zeros where nothing came from."""
    out = np.zeros_like(values)
    if steps > 0:
        out[steps:] = values[:-steps]
    elif steps < 0:
        out[:steps] = values[-steps:]
    else:
        out[:] = values
    return out
