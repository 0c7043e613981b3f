"""The axis of a drawn pattern: even steps of 2 theta, or of Q."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

MOST_POINTS = 500_000


@dataclass(frozen=True)
class Axis:
    """Even steps.

    Args:
        start: degrees of 2 theta, or 1/Å.
        stop: likewise.
        step: likewise.
        is_q: Q = 4 pi sin(theta) / wavelength in 1/Å instead of 2 theta.
    """

    start: float
    stop: float
    step: float = 0.02
    is_q: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.stop and self.step > 0):
            raise GnnmatError(
                f"From {self.start:g} to {self.stop:g} {self.unit} in steps of {self.step:g} is "
                "no range.",
                fix="Give --from below --to, none of them below zero, and a step above it.",
            )
        if not self.is_q and self.stop > 180:
            raise GnnmatError(f"2 theta ends at 180 degrees, and {self.stop:g} was asked for.")
        if not 10 <= self.count <= MOST_POINTS:
            raise GnnmatError(
                f"From {self.start:g} to {self.stop:g} {self.unit} in steps of {self.step:g} are "
                f"{self.count:,} points; expected 10 to {MOST_POINTS:,}.",
                fix="Choose another --step.",
            )

    @property
    def unit(self) -> str:
        """``degrees`` or ``1/Å``."""
        return "1/Å" if self.is_q else "degrees"

    @property
    def title(self) -> str:
        """For figures."""
        return "Q / Å⁻¹" if self.is_q else "2θ / degrees"

    @property
    def range_words(self) -> str:
        """``from 5 to 90 degrees``."""
        return f"from {self.start:g} to {self.stop:g} {self.unit}"

    @property
    def count(self) -> int:
        """Number of points."""
        return int(math.floor((self.stop - self.start) / self.step + 1e-6)) + 1

    @property
    def values(self) -> Floats:
        """(n,) degrees of 2 theta, or 1/Å."""
        return np.asarray(self.start + self.step * np.arange(self.count), dtype=np.float64)

    def two_theta(self, wavelength: float) -> Floats:
        """(n,) degrees."""
        return angles_of(self.values, wavelength) if self.is_q else self.values

    def q(self, wavelength: float) -> Floats:
        """(n,) 1/Å."""
        if self.is_q:
            return self.values
        return np.asarray(4 * np.pi * np.sin(np.radians(self.values / 2)) / wavelength)

    def degrees(self, wavelength: float) -> tuple[float, float]:
        """First and last 2 theta.

        Raises:
            GnnmatError: a Q that this wavelength does not reach.
        """
        ends = self.two_theta(wavelength)[[0, -1]]
        if not np.isfinite(ends).all():
            raise GnnmatError(
                f"A wavelength of {wavelength:g} Å reaches Q = {4 * math.pi / wavelength:.3g} 1/Å, "
                f"and {self.stop:g} 1/Å was asked for.",
                fix="Choose a shorter wavelength, or a lower --to.",
            )
        return float(ends[0]), min(float(ends[1]), 180.0)

    def spacings(self, wavelength: float) -> str:
        """``1.09 to 17.7``: the lattice spacings that are seen, Å."""
        first, last = self.q(wavelength)[[0, -1]]
        longest = f"{2 * math.pi / first:.3g}" if first > 0 else "infinity"
        return f"{2 * math.pi / last:.3g} to {longest}"

    def drawn_points(self, wavelength: float, width: float) -> int:
        """Points of 2 theta that a pattern is drawn on; for Q as many as its peaks need."""
        if not self.is_q:
            return self.count
        low, high = self.degrees(wavelength)
        finest = min(width / 8, float(np.diff(self.two_theta(wavelength)).min()))
        return min(int((high - low) / max(finest, 1e-6)) + 2, MOST_POINTS)


def angles_of(q: Floats, wavelength: float) -> Floats:
    """(n,) 2 theta in degrees; NaN where the wavelength is too long."""
    sine = q * wavelength / (4 * np.pi)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.degrees(2 * np.arcsin(sine)), dtype=np.float64)
