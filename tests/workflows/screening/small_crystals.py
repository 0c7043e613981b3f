"""Tables of small crystals for the stages that compute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.stage import KEPT, Judged, Stage
from gnnmat.workflows.screening.table import rows_of

# ASE's calculator under a path of one's own, which does not say what elements it knows.
OWN_EMT = "ase.calculators.emt:EMT"


def table_of(crystals: Mapping[str, Any]) -> pd.DataFrame:
    """Candidates from ASE atoms by id."""
    plain = [
        as_crystal(one.cell.array, one.numbers, one.get_scaled_positions())
        for one in crystals.values()
    ]
    return rows_of(list(crystals), plain)


def judged(stage: Stage, table: pd.DataFrame, folder: Path = Path()) -> Judged:
    """What a stage says."""
    return stage.open(folder)(table)


def left(table: pd.DataFrame, found: Judged) -> pd.DataFrame:
    """The candidates that stay, with what was said of them."""
    changed = table.assign(**{str(name): found.columns[name] for name in found.columns})
    return changed[found.reasons == KEPT].reset_index(drop=True)
