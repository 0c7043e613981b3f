"""What words around columns say of a measurement: wavelengths, radiation, what the axis is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LOOKED_AT = 200  # lines
# Each number is named by what stands between it and the number before; a unit may stand behind.
PAIR = re.compile(r"(.*?)([0-9]+\.[0-9]+)(\s*(?:nm|pm)\b)?")
FIRST = re.compile(r"(?:wavelength|lambda|alpha1)([^0-9]{0,20})$", re.I)
SECOND = re.compile(r"alpha\W?2([^0-9]{0,20})$", re.I)
RATIO = re.compile(r"\bratio\b|alpha\W?2\)?\s*(?:/|:\s*K|to\b|over\b)", re.I)
NANOMETRES = re.compile(r"[(\[/]\s*(nm|pm)\b", re.I)  # before the number
TO_ANGSTROM = {"nm": 10.0, "pm": 0.01}
# ``Q (1/Å)``, ``q [nm^-1]``, ``Q_A^-1``, ``Q, Å⁻¹``
INVERSE = re.compile(
    r"(?<![a-z])q(?![a-z])\W{0,3}_?(?:1\s*/\s*(?P<a>å|a|angstroms?|nm)|"
    r"(?P<b>å|a|angstroms?|nm)\s*(?:\^?\s*\{?[-−]1|⁻¹))",
    re.I,
)
ANGLE = re.compile(r"2\s*-?(?:theta|θ)|two\s*theta|degree|deg\b", re.I)
RADIATION = re.compile(
    r"^\W*(?:radiation\W+)?(x-?rays?|neutrons?|electrons?)(?=\s*(?:[,;:]|$))", re.I
)


@dataclass(frozen=True)
class Header:
    """What the words of a file say.

    Args:
        first: wavelength, of K-alpha 1 where there are two, Å.
        second: of K-alpha 2, Å.
        radiation: ``xray``, ``neutron`` or ``electron``.
        q_unit: 1/Å in one unit of the first column, where that is Q; None: it is 2 theta.
    """

    first: float | None = None
    second: float | None = None
    radiation: str | None = None
    q_unit: float | None = None


def read_header(lines: Sequence[str]) -> Header:
    """What comments, and words above the numbers, say.

    Args:
        lines: of words alone; a ratio of two lines is no wavelength.
    """
    first = second = radiation = unit = None
    for line in lines[:LOOKED_AT]:
        for name, length in _wavelengths(line):
            if name == "first":
                first = length if first is None else first
            else:
                second = length if second is None else second
        said = RADIATION.match(line)
        if said and radiation is None:
            radiation = said.group(1).lower().replace("-", "").rstrip("s")
        inverse = INVERSE.search(line)
        if inverse and unit is None and not ANGLE.search(line):
            unit = 0.1 if (inverse["a"] or inverse["b"]).lower() == "nm" else 1.0
    if first is not None and second is not None and not 1 < second / first < 1.02:
        second = None  # of something else
    return Header(first, second if first is not None else None, radiation, unit)


def _wavelengths(line: str) -> Iterator[tuple[str, float]]:
    """The wavelengths that a line names, in Å."""
    for before, number, behind in PAIR.findall(line):
        if RATIO.search(before):
            continue
        unit = NANOMETRES.search(before[-20:])
        name = behind.strip().lower() or (unit.group(1).lower() if unit else "")
        length = float(number) * TO_ANGSTROM.get(name, 1.0)
        if SECOND.search(before):
            yield "second", length
        elif (found := FIRST.search(before)) and "intensit" not in found.group(1).lower():
            yield "first", length
