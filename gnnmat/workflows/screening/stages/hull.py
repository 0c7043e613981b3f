"""How far candidates lie above the convex hull of reference entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from gnnmat.workflows.screening.element_tables import by_formula
from gnnmat.workflows.screening.references import Hull, NoReference, read_references
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.stages.filter import column_of


class HullStage(Stage):
    """Keep candidates that are stable, or nearly so, against decay into known phases.

    It adds ``e_above_hull`` in eV/atom: the energy of the candidate less that of the mixture of
    references with the same composition that is lowest. It is negative where the candidate is
    below every such mixture. The candidate itself is no reference, unless the table has it.
    Predicted energies have to mean what those of the references mean: same functional, same
    corrections, same zero. ``hull_references`` counts the compounds the hull was made from; with
    none of them candidates are compared with the elements alone.
    """

    kind: Literal["hull"] = "hull"
    entries: str = Field(description="Table of references (CSV or parquet), a row an entry.")
    entries_formula: str = Field("formula", description="Its column of formulas.")
    entries_energy: str = Field("e_form", description="Its column of energies, eV/atom.")
    energy: str = Field("e_form", description="Column of the candidates' energies, eV/atom.")
    energies: Literal["formation", "total"] = Field(
        "formation",
        description="What both columns hold: formation energies, where elements are at zero, or "
        "total energies, where each element has to be among the references.",
    )
    max_e_above_hull: float | None = Field(
        0.1, description="Highest energy above the hull, eV/atom; null: all stay."
    )
    no_reference: Literal["keep", "drop"] = Field(
        "drop", description="Candidates with an element that is in no reference."
    )

    @classmethod
    def example(cls) -> HullStage:
        """A small instance for contract tests, with volumes in place of energies."""
        path = Path(__file__).with_name("hull_example.csv")
        return cls(entries=str(path), energy="volume", max_e_above_hull=None, no_reference="keep")

    def needs(self) -> Sequence[str]:
        return [self.energy]

    def gives(self) -> Sequence[str]:
        return ("e_above_hull", "hull_references")

    def open(self, folder: Path) -> Opened:
        references = read_references(
            Path(self.entries).expanduser(),
            self.entries_formula,
            self.entries_energy,
            formation=self.energies == "formation",
        )
        return _AboveHull(self, Hull(references))


class _AboveHull:
    def __init__(self, stage: HullStage, hull: Hull) -> None:
        self.stage = stage
        self.hull = hull

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage, name = self.stage, self.stage.energy
        energy = _floats(column_of(table, name))
        found = by_formula(table, self._look, lambda phrase: (np.nan, 0, f"failed: {phrase}"))
        hull = np.array([one[0] for one in found], dtype=float)
        reasons = np.array([one[2] for one in found], dtype=object)
        above = energy - hull
        columns: dict[str, Any] = {"e_above_hull": above}
        for end in ("low", "high"):
            if f"{name}_{end}" in table:
                columns[f"e_above_hull_{end}"] = _floats(table[f"{name}_{end}"]) - hull
        if f"{name}_members" in table:
            given = zip(table[f"{name}_members"], hull, strict=True)
            columns["e_above_hull_members"] = [_less(members, zero) for members, zero in given]
        if stage.no_reference == "keep":
            failed = np.array([one.startswith("failed") for one in reasons], dtype=bool)
            reasons[~failed] = KEPT
        reasons[(reasons == KEPT) & ~np.isfinite(energy)] = f"{name} is not known"
        if stage.max_e_above_hull is not None:
            high = (reasons == KEPT) & (above > stage.max_e_above_hull)
            reasons[high] = f"more than {stage.max_e_above_hull:g} eV/atom above the hull"
        return Judged.of(
            table,
            reasons=reasons,
            units={one: "eV/atom" for one in columns if not one.endswith("members")},
            hull_references=[one[1] for one in found],
            **columns,
        )

    def _look(self, formula: str) -> tuple[float, int, str]:
        try:
            return (*self.hull(formula), KEPT)
        except NoReference as error:
            return np.nan, 0, str(error)


def _floats(column: pd.Series) -> NDArray[np.float64]:
    numbers = pd.to_numeric(column, errors="coerce")
    return np.asarray(numbers.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)


def _less(members: Any, zero: float) -> list[float] | None:
    """What each member says of the distance; nothing where there is nothing to subtract from."""
    if not isinstance(members, list | tuple | np.ndarray) or not np.isfinite(zero):
        return None
    return [float(one) - zero for one in members]
