"""One row of the Materials Project's summary, and what of it is a crystal."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

from gnnmat.errors import GnnmatError
from gnnmat.sources.entries import Entry
from gnnmat.sources.read import read_crystal

FIRST_OF_GNOME = 2_000_000
NO_COMMERCE = "it is a row of GNoME, whose licence forbids commercial use"

# Source: the descriptions of `emmet.core.summary.SummaryDoc`, emmet-core 0.87.
UNITS = {
    "energy_above_hull": "eV/atom",
    "formation_energy_per_atom": "eV/atom",
    "energy_per_atom": "eV/atom",
    "uncorrected_energy_per_atom": "eV/atom",
    "band_gap": "eV",
    "cbm": "eV",
    "vbm": "eV",
    "efermi": "eV",
    "volume": "Å^3",
    "density": "g/cm^3",
    "total_magnetization": "μB",
    **{
        f"{modulus}.{mean}": "GPa"
        for modulus in ("bulk_modulus", "shear_modulus")
        for mean in ("voigt", "reuss", "vrh")
    },
}


def entry_of(row: Any, fields: Sequence[str], *, gnome: bool) -> Entry:
    """The entry of one row; what cannot be a crystal says why.

    Args:
        row: an object of the list ``data``.
        fields: values to keep; ``a.b`` is the part b of the field a.
        gnome: whether rows whose licence forbids commercial use are taken.
    """
    if not isinstance(row, Mapping):
        return Entry("", None, "it is no JSON object")
    name = row.get("material_id")
    if not isinstance(name, str) or not name.strip():
        return Entry("", None, "it has no material_id")
    name = name.strip()
    if not gnome and is_not_commercial(name, row):
        return Entry(name, None, NO_COMMERCE)
    values = {field: value for field in fields if (value := part(row, field)) is not None}
    structure = row.get("structure")
    if not isinstance(structure, Mapping):
        return Entry(name, None, "it has no structure", values)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Entry(name, read_crystal(structure), "", values)
    except GnnmatError as error:
        return Entry(name, None, error.sentence, values)
    except Exception as error:  # pymatgen meets a lie with any error there is
        reason = " ".join(str(error).split())[:200]
        return Entry(name, None, f"its structure cannot be read: {reason}", values)


def is_not_commercial(name: str, row: Mapping[str, Any]) -> bool:
    """Whether the licence of a row forbids commercial use: GNoME's, by licence or by id."""
    meta = row.get("builder_meta")
    licence = meta.get("license") if isinstance(meta, Mapping) else None
    return licence == "BY-NC" or (number_of(name) or 0) >= FIRST_OF_GNOME


def number_of(name: str) -> int | None:
    """The number of an id: of mp-149, and of mp-ft, which is the same to base 26 (a is 0)."""
    found = re.fullmatch(r"[a-z]+-(?:(\d{1,15})|([a-z]{1,10}))", name)
    if found is None:
        return None
    if found[1]:
        return int(found[1])
    number = 0
    for letter in found[2]:
        number = 26 * number + ascii_lowercase.index(letter)
    return number


def part(row: Mapping[str, Any], field: str) -> Any:
    """The value of a field, or of a part of it; None where it is not there."""
    value: Any = row
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
