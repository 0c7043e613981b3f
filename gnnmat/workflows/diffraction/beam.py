"""The beam: what radiation, which wavelengths, over which angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.diffraction.angles import Correction, line_name
from gnnmat.simulation.diffraction.factors import Radiation
from gnnmat.simulation.diffraction.powder import wavelength_of
from gnnmat.sources.powder_pattern import LONGEST, SHORTEST, PowderPattern

# What is taken where nobody says: wavelength, and first and last angle in degrees of 2 theta.
# Electrons of 200 keV have 0.02508 Å. Source: Reimer & Kohl, Transmission Electron Microscopy
# (2008), table 2.1.
USUAL: dict[str, tuple[str | float, float, float]] = {
    "xray": ("CuKa", 5.0, 90.0),
    "neutron": (1.54, 5.0, 120.0),
    "electron": (0.02508, 0.2, 2.5),
}
SAME = 1e-3  # of each other, that wavelengths of one line are written down apart
SECOND_SHARE = 0.5  # K-alpha 2 over K-alpha 1. Source: International Tables C (2006), 4.2.2


@dataclass(frozen=True)
class Beam:
    """What falls on the powder.

    Args:
        radiation: xray, neutron or electron.
        wavelength: in Å; of K-alpha 1 where there is a second line.
        second: wavelength of K-alpha 2 over that of K-alpha 1; 1: there is none.
        name: how it was called, such as ``CuKa``.
    """

    radiation: Radiation
    wavelength: float
    second: float = 1.0
    name: str = ""

    @property
    def correction(self) -> Correction:
        """How intensities depend on the angle; X-rays are taken as not polarised."""
        return "lorentz_polarization" if self.radiation == "xray" else "lorentz"

    @property
    def words(self) -> str:
        """``X-rays, 1.5406 Å (CuKa1) and 1.5444 Å``."""
        kind = {"xray": "X-rays", "neutron": "neutrons", "electron": "electrons"}[self.radiation]
        named = f" ({self.name})" if self.name else ""
        other = f" and {self.wavelength * self.second:.5g} Å" if self.second != 1 else ""
        return f"{kind}, {self.wavelength:.5g} Å{named}{other}"


def make_beam(
    radiation: str = "xray",
    wavelength: str | float | None = None,
    *,
    doublet: bool = False,
) -> Beam:
    """The beam of these words.

    Args:
        radiation: ``xray``, ``neutron`` or ``electron``.
        wavelength: in Å, or the name of a line such as ``CuKa``; None: the usual one.
        doublet: K-alpha 1 and 2 of this anode instead of their mean.

    Raises:
        GnnmatError: an unknown radiation or line, a wavelength that is none in Å, a doublet
            without an anode.
    """
    kind = check_radiation(radiation)
    given = USUAL[kind][0] if wavelength is None else _number_or_name(wavelength)
    if isinstance(given, str) and kind != "xray":
        raise GnnmatError(
            f"'{given}' is a line of X-rays, and the beam is of {kind}s.",
            fix="Give the wavelength in Å.",
        )
    if isinstance(given, float):
        _check_length(given)
        if doublet:
            raise GnnmatError(
                f"A wavelength of {given:g} Å has no doublet.",
                fix="Name the anode, such as --wavelength CuKa.",
            )
        return Beam(kind, given)
    given = line_name(given)
    length = wavelength_of(given)
    if not doublet:
        return Beam(kind, length, name=given)
    anode = given.rstrip("12")
    first, second = wavelength_of(f"{anode}1"), wavelength_of(f"{anode}2")
    return Beam(kind, first, second / first, f"{anode}1")


def beam_of(
    pattern: PowderPattern, radiation: str | None = None, wavelength: str | float | None = None
) -> Beam:
    """The beam that a pattern was measured with.

    What the file says has to agree with what is said here, and counts, but for a second line that
    is only said here. ``CuKa`` and the like stand for a laboratory source with both lines,
    ``CuKa1`` and a number for one line. Where nobody says the radiation, it is X-rays.

    Raises:
        GnnmatError: neither the file nor anybody else says the wavelength, or they disagree.
    """
    if radiation is not None and pattern.radiation not in (None, check_radiation(radiation)):
        raise GnnmatError(
            f"{pattern.id} says that its radiation is {pattern.radiation}, and {radiation} was "
            "given.",
            fix="Leave the radiation out, or correct the file.",
        )
    radiation = radiation or pattern.radiation or "xray"
    given = None if wavelength is None else _given(radiation, wavelength)
    if pattern.wavelength is not None:
        if given is not None:
            if abs(given.wavelength / pattern.wavelength - 1) > SAME:
                raise GnnmatError(
                    f"{pattern.id} says that its wavelength is {pattern.wavelength:.5g} Å, and "
                    f"{given.wavelength:.5g} Å was given.",
                    fix="Leave the wavelength out, or correct the file.",
                )
            if given.second != 1 and not pattern.second:
                return given
        ratio = pattern.second / pattern.wavelength if pattern.second else 1.0
        return Beam(check_radiation(radiation), pattern.wavelength, ratio)
    if given is None:
        raise GnnmatError(
            f"{pattern.id} does not say its wavelength.",
            why="Without it angles are no lattice spacings.",
            fix="Give --wavelength CuKa (a copper tube), CuKa1 (behind a monochromator), or Å.",
        )
    return given


def _given(radiation: str, wavelength: str | float) -> Beam:
    named = _number_or_name(wavelength)
    return make_beam(
        radiation, named, doublet=isinstance(named, str) and named.lower().endswith("ka")
    )


def check_radiation(radiation: str) -> Radiation:
    """The radiation, if it is one.

    Raises:
        GnnmatError: it is none.
    """
    if radiation not in get_args(Radiation):
        raise GnnmatError(
            f"There is no radiation '{radiation}'.", fix=did_you_mean(radiation, USUAL)
        )
    return cast(Radiation, radiation)


def _number_or_name(given: str | float) -> str | float:
    try:
        return float(given)
    except ValueError:
        return str(given)


def _check_length(length: float) -> None:
    if not 0.001 <= length <= LONGEST:
        raise GnnmatError(
            f"A wavelength of {length:g} Å is out of range.",
            fix=f"Give it in Å, {SHORTEST:g} to {LONGEST:g} for X-rays: copper has 1.5406.",
        )
