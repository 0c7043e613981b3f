"""Angles of a powder pattern: wavelengths, grids, and what an angle does to an intensity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError, closest

# Å; K-alpha is the mean of K-alpha 1 and 2, two to one. Source: pymatgen, `xrd.WAVELENGTHS`.
WAVELENGTHS = {
    "CuKa": 1.54184, "CuKa1": 1.54056, "CuKa2": 1.54439,
    "MoKa": 0.71073, "MoKa1": 0.70930, "MoKa2": 0.71359,
    "CoKa": 1.79026, "CoKa1": 1.78896, "CoKa2": 1.79285,
    "FeKa": 1.93735, "FeKa1": 1.93604, "FeKa2": 1.93998,
    "CrKa": 2.29100, "CrKa1": 2.28970, "CrKa2": 2.29361,
    "AgKa": 0.560885, "AgKa1": 0.559421, "AgKa2": 0.563813,
}  # fmt: skip
Correction = Literal["lorentz_polarization", "lorentz", "none"]


def line_name(given: str) -> str:
    """The name of a line of X-rays as it is listed; capitals do not count.

    Raises:
        GnnmatError: an unknown name.
    """
    known = {name.lower(): name for name in WAVELENGTHS}
    if given.strip().lower() not in known:
        raise GnnmatError(
            f"There is no line '{given}'.",
            why=f"Known: {', '.join(WAVELENGTHS)}; or a number in Å.",
            fix=closest(given, WAVELENGTHS),
        )
    return known[given.strip().lower()]


def wavelength_of(given: str | float) -> float:
    """A wavelength in Å, by name or as it is.

    Raises:
        GnnmatError: an unknown name, or a length that is not above zero.
    """
    if isinstance(given, str):
        return WAVELENGTHS[line_name(given)]
    if not 0 < given < 100:
        raise GnnmatError(f"A wavelength of {given:g} Å is out of range.", fix="Give it in Å.")
    return float(given)


def angle_factor(theta: Tensor, kind: Correction) -> Tensor:
    """What a powder reflection at this angle (radians) is multiplied by.

    (1 + cos^2 2 theta) / (sin^2 theta cos theta) with polarization, 1 / (sin^2 theta cos theta)
    without; a peak at 2 theta = 180 degrees would be infinite.
    """
    if kind == "none":
        return torch.ones_like(theta)
    lorentz = 1 / (torch.sin(theta) ** 2 * torch.cos(theta))
    if kind == "lorentz":
        return lorentz
    return lorentz * (1 + torch.cos(2 * theta) ** 2)


@dataclass(frozen=True)
class Grid:
    """Angles at even steps, in degrees of 2 theta."""

    start: float = 5.0
    stop: float = 90.0
    count: int = 4251

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.stop <= 180 and self.count > 1):
            raise GnnmatError(
                f"A grid of {self.count} angles from {self.start:g} to {self.stop:g} degrees is "
                "none.",
                fix="Angles rise from 0 to at most 180 degrees, in two points or more.",
            )

    @property
    def step(self) -> float:
        """Degrees between two points."""
        return (self.stop - self.start) / (self.count - 1)

    @property
    def angles(self) -> Tensor:
        """(count,) degrees."""
        return torch.linspace(self.start, self.stop, self.count, dtype=torch.float64)


def emission(given: str | float) -> tuple[tuple[float, float], ...]:
    """Wavelength in Å and share of each line: two for a name such as ``CuKa``, else one.

    The second line of a doublet has half the intensity of the first.
    """
    if isinstance(given, str) and not line_name(given)[-1].isdigit():
        anode = line_name(given)
        return (WAVELENGTHS[f"{anode}1"], 1.0), (WAVELENGTHS[f"{anode}2"], 0.5)
    return ((wavelength_of(given), 1.0),)
