"""What words around columns say of a measurement: wavelengths, radiation, what the axis is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LOOKED_AT = 200  # lines
# Each number is named by what stands between it and the number before; a unit may stand behind.
PAIR = re.compile(
    r"(.*?)([0-9]+\.[0-9]+(?:e[+-]?[0-9]+)?)(\s*(?:nm|pm|m)\b(?!\s*(?:\^|⁻|-)))?", re.I
)
FIRST = re.compile(r"(?:wavelength|lambda|alpha1)([^0-9]{0,20})$", re.I)
SECOND = re.compile(r"alpha\W?2([^0-9]{0,20})$", re.I)
RATIO = re.compile(r"\bratio\b|alpha\W?2\)?\s*(?:/|:\s*K|to\b|over\b)", re.I)
UNIT = re.compile(r"[(\[/]\s*(nm|pm|m)\b", re.I)  # between the name and the number
TO_ANGSTROM = {"nm": 10.0, "pm": 0.01, "m": 1e10}
METRES = 1e-8  # a number below it is in metres, as pyFAI writes
# ``Q (1/Å)``, ``q [nm^-1]``, ``q_A^-1``, ``Q, Å⁻¹`` as the first column
INVERSE = re.compile(
    r"^\W*q(?![a-z])\W{0,3}_?(?:1\s*/\s*(?P<a>å|a|angstroms?|nm)|"
    r"(?P<b>å|a|angstroms?|nm)\s*(?:\^?\s*\{?[-−]1|⁻¹))",
    re.I,
)
# ``d (Å), counts``, ``d-spacing [nm]  I``, ``d_A I``: titles of columns, and nothing else
SPACING = re.compile(
    r"^\W*d(?:[-_ ]?spacings?)?\W{0,3}_?(?:å|a|angstroms?|nm)?\W{0,2}[\s,;]\s*"
    r"(?:i|int|intensity|counts?|i_?obs)(?:\W*|[\s,;]+(?:sig\w*|err\w*|esd)\W*)$",
    re.I,
)
ANGLE = re.compile(r"2\s*-?th|2θ|two\s*theta|\btth\b|degree|\bdeg\b", re.I)
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
        is_spacing: whether the first column is d instead.
    """

    first: float | None = None
    second: float | None = None
    radiation: str | None = None
    q_unit: float | None = None
    is_spacing: bool = False


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
        inverse = INVERSE.match(line)
        if inverse and unit is None:
            unit = 0.1 if (inverse["a"] or inverse["b"]).lower() == "nm" else 1.0
    spacing = any(SPACING.match(line) for line in lines[:LOOKED_AT])
    if any(ANGLE.search(line) for line in lines[:LOOKED_AT]):
        unit, spacing = None, False  # whatever else is said, one column is of angles
    if first is not None and second is not None and not 1 < second / first < 1.02:
        second = None  # of something else
    return Header(first, second if first is not None else None, radiation, unit, spacing)


def _wavelengths(line: str) -> Iterator[tuple[str, float]]:
    """The wavelengths that a line names, in Å."""
    for before, number, behind in PAIR.findall(line):
        second, first = SECOND.search(before), FIRST.search(before)
        found = second or first
        if found is None or RATIO.search(before):
            continue
        if "intensit" in found.group(1).lower():
            continue
        unit = UNIT.search(found.group(1))
        name = behind.strip().lower() or (unit.group(1).lower() if unit else "")
        length = float(number)
        if not name and length < METRES:
            name = "m"
        yield "second" if second else "first", length * TO_ANGSTROM.get(name, 1.0)
