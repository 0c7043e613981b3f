"""The crystals of the shortlist as files, and the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototype_label import SYMBOLS
from gnnmat.workflows.screening.config import ScreenConfig
from gnnmat.workflows.screening.folder import REASON
from gnnmat.workflows.screening.fronts import pareto_fronts
from gnnmat.workflows.screening.gathering import DOMAIN, MARK, lesson_columns
from gnnmat.workflows.screening.table import ARRAYS, crystals_of

CIFS = "shortlist"
PAGE = "screen.html"
# Reasons of those that were ranked, and are not the first.
OUTRANKED = ("not among the best", "not among the first", "not in the first")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
LABELS = {"K_vrh": "bulk modulus", "G_vrh": "shear modulus", "pugh": "G/K"}
SHOWN = 500  # crystals that are written as files, and that the page can show


def write_crystals(folder: Path, final: pd.DataFrame) -> None:
    """The first crystals of the shortlist as CIF files, named by rank and id."""
    first = final.head(SHOWN)
    place = folder / CIFS
    wanted = {}
    for rank, (name, crystal) in enumerate(zip(first["id"], crystals_of(first), strict=True), 1):
        wanted[f"{rank:03d}-{safe_name(str(name))}.cif"] = cif_text(str(name), crystal)
    if place.is_dir():
        for old in place.glob("*.cif"):
            if old.name not in wanted:
                old.unlink()
    for name, text in wanted.items():
        write_atomically(place / name, text)


def safe_name(name: str) -> str:
    """A name for a file: letters, digits, dots, dashes; no way out of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:80] or "crystal"


def cif_text(name: str, crystal: Crystal) -> str:
    """The crystal as CIF, in P1 with the cell that the candidates have."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.cif import CifWriter

    structure = Structure(
        Lattice(crystal.lattice),
        [SYMBOLS[number - 1] for number in crystal.numbers],
        crystal.frac,
    )
    return f"# {' '.join(name.split())}\n{CifWriter(structure)}"


def write_page(
    config: ScreenConfig,
    folder: Path,
    everything: pd.DataFrame,
    final: pd.DataFrame,
    summary: Mapping[str, Any],
) -> Path | None:
    """The page of a screen; None where there are no two columns of numbers to draw.

    Args:
        config: of the screen.
        folder: likewise.
        everything: all candidates with what was said of them.
        final: the shortlist with its crystals.
        summary: as in `ScreenRun`.
    """
    from gnnmat.pages.screen import ScreenPage, write_screen_page

    units: Mapping[str, str] = summary["units"]
    axes = page_axes(config, everything, units, str(summary["ranked_by"]))
    if axes is None:
        return None
    x, y = (_quantity(name, units) for name in axes)
    shown = everything[_known(everything, axes[0]) & _known(everything, axes[1])]
    shown = shown.drop(columns=["dropped_by", *_marks_of_others(config, shown, axes)])
    listed = final[final["id"].isin(shown["id"])].head(SHOWN)
    shown = shown.assign(front=_front(everything.loc[shown.index], axes))
    kinds = [one for one in units if one in shown and one not in axes]
    numbers = [_quantity(one, units) for one in (*kinds, "atoms", "volume") if _some(shown, one)]
    page = ScreenPage(
        name=config.name,
        table=shown.reset_index(drop=True),
        x=x,
        y=y,
        numbers=numbers,
        shortlist=plain_columns(listed).reset_index(drop=True),
        crystals=dict(zip(listed["id"], crystals_of(listed), strict=True)),
        funnel=[{**one, "seconds": one["seconds"].get("all", 0.0)} for one in summary["stages"]],
        facts=[
            ("candidates", f"{summary['candidates']:,}"),
            ("could not be read", f"{summary['unread']:,}"),
            ("seconds", f"{summary['seconds']:,.0f}"),
        ],
        notes=summary["notes"],
        settings=config.to_yaml(),
    )
    return write_screen_page(folder / PAGE, page)


def _marks_of_others(config: ScreenConfig, table: pd.DataFrame, axes: tuple[str, str]) -> list[str]:
    """Marks of models that the diagram does not show: a mark is about the numbers beside it."""
    behind = {one.removesuffix(MARK) for axis in axes for one in lesson_columns(config, axis)}
    return [
        str(name)
        for name in table.columns
        for end in (MARK, DOMAIN)
        if behind and str(name).endswith(end) and str(name).removesuffix(end) not in behind
    ]


def page_axes(
    config: ScreenConfig, table: pd.DataFrame, units: Mapping[str, str], ranked_by: str
) -> tuple[str, str] | None:
    """The columns of the diagram: as the recipe says, else what was ranked by and one more."""
    wanted = [one for one in (config.page.x, config.page.y) if one is not None]
    if not all(_some(table, one) for one in wanted):
        return None  # nothing came as far as that
    fallback = [ranked_by, *list(units)[::-1], "volume", "mass", "atoms"]
    names = [one for one in dict.fromkeys(fallback) if one in table and _some(table, one)]
    x = config.page.x or next((one for one in names if one != config.page.y), None)
    y = config.page.y or next((one for one in names if one != x), None)
    return None if x is None or y is None else (x, y)


def plain_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Without crystals and without lists of members, which a page and a CSV file do not need."""
    hidden = [one for one in table.columns if one in ARRAYS or str(one).endswith("_members")]
    return table.drop(columns=hidden)


def dropped(table: pd.DataFrame) -> NDArray[np.bool_]:
    """(rows,) whether a stage has dropped a candidate, for another reason than its rank."""
    reason = table[REASON].astype(str)
    found: NDArray[np.bool_] = ((reason != "") & ~reason.str.startswith(OUTRANKED)).to_numpy(bool)
    return found


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV in which no word is a formula to a spreadsheet: such words get a quote."""
    words = [one for one in table.columns if table[one].dtype.kind not in "biufc"]
    safe = table.copy()
    for name in words:
        safe[name] = [
            f"'{one}" if isinstance(one, str) and one.startswith(FORMULAS) else one
            for one in table[name]
        ]
    return safe.to_csv(index=False)


def _quantity(name: str, units: Mapping[str, str]) -> Any:
    from gnnmat.pages.screen_data import Quantity

    unit = {"volume": "Å^3/atom", "mass": "u/atom"}.get(name, units.get(name, ""))
    return Quantity(name, LABELS.get(name, name.replace("_", " ")), unit)


def _known(table: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.isfinite(numbers)


def _some(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(_known(table, name).any())


def _front(table: pd.DataFrame, axes: tuple[str, str]) -> NDArray[np.bool_]:
    """(rows,) whether a candidate is on the Pareto front, of the recipe or of the diagram.

    Candidates that were dropped for another reason than their rank are not on it.
    """
    if "front" in table:
        return table["front"].to_numpy(dtype=float, na_value=np.nan) == 1
    inside = ~dropped(table)
    values = table.loc[inside, list(axes)].astype(float).to_numpy()
    front = np.zeros(len(table), dtype=bool)
    if len(values):
        front[np.flatnonzero(inside)] = pareto_fronts(values) == 1
    return front
