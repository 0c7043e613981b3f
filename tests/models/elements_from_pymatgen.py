"""Writes ``gnnmat/models/elements.csv`` from pymatgen's and ASE's own tables.

Run ``python tests/models/elements_from_pymatgen.py`` to renew the file; a test compares it with
what this script makes today.
"""

from __future__ import annotations

import csv
import io
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

TABLE = Path(__file__).parents[2] / "gnnmat" / "models" / "elements.csv"
NOBLE_GASES = (2, 10, 18, 36, 54, 86)
COLUMNS = (
    "number symbol period group block electronegativity atomic_radius covalent_radius "
    "van_der_waals_radius ionization_energy electron_affinity mendeleev_number atomic_mass "
    "valence_s valence_p valence_d valence_f"
).split()

CURIUM = 96  # the last with a radius; ASE's stand-in for none is the radius of protactinium


def element_row(number: int) -> dict[str, object]:
    """The properties of one element; None where the libraries have no value."""
    from ase.data import covalent_radii
    from pymatgen.core import Element

    element = Element.from_Z(number)
    row: dict[str, object] = {
        "number": number,
        "symbol": element.symbol,
        "period": element.row,
        "group": element.group,
        "block": element.block,
        "electronegativity": _number(lambda: element.X),
        "atomic_radius": _number(lambda: element.data["Atomic radius"]),
        "covalent_radius": (round(float(covalent_radii[number]), 3) if number <= CURIUM else None),
        "van_der_waals_radius": _number(lambda: element.data["Van der waals radius"]),
        "ionization_energy": _number(lambda: element.ionization_energy),
        "electron_affinity": _number(lambda: element.electron_affinity),
        "mendeleev_number": _number(lambda: element.data["Mendeleev no"]),
        "atomic_mass": round(float(element.atomic_mass), 4),
    }
    return row | _valence(element, number)


def _valence(element: object, number: int) -> dict[str, object]:
    """Electrons outside the last noble-gas core, by orbital; empty where not tabulated."""
    if "Electronic structure" not in element.data:  # type: ignore[attr-defined]
        return dict.fromkeys(("valence_s", "valence_p", "valence_d", "valence_f"))
    valence = {"valence_s": 0, "valence_p": 0, "valence_d": 0, "valence_f": 0}
    left = number - max((gas for gas in NOBLE_GASES if gas < number), default=0)
    for _, orbital, electrons in reversed(element.full_electronic_structure):  # type: ignore[attr-defined]
        if left <= 0:
            break
        valence[f"valence_{orbital}"] += electrons
        left -= electrons
    return dict(valence)


def _number(value: Callable[[], object]) -> float | None:
    try:
        found = float(value())  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return None
    return round(found, 5) if math.isfinite(found) else None


def table_text() -> str:
    """The whole table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer.writerows(element_row(number) for number in range(1, 119))
    return text.getvalue()


if __name__ == "__main__":
    beside = TABLE.with_suffix(".tmp")
    beside.write_text(table_text())
    os.replace(beside, TABLE)
