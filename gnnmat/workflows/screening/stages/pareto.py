"""Candidates in order of several objectives at once: Pareto fronts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from gnnmat.workflows.screening.fronts import crowding, pareto_fronts
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.stages.filter import column_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Pareto(Stage):
    """Put candidates in order of several objectives that no single number weighs.

    It adds ``front``: 1 for candidates that no other beats in one objective without losing in
    another, 2 for those that only the first front beats, and so on. Within a front candidates
    with more room around them come first, so that the first few are spread along it.
    """

    whole: ClassVar[bool] = True
    kind: Literal["pareto"] = "pareto"
    objectives: dict[str, Literal["max", "min"]] = Field(
        min_length=1, description="Columns and what is wanted: {hardness: max, price: min}."
    )
    fronts: int | None = Field(None, gt=0, description="Fronts that stay; null: all of them.")
    keep: int | None = Field(None, gt=0, description="Candidates that stay; null: all of them.")
    cautious: bool = Field(
        False, description="By the worse ends of the intervals in place of the values, if any."
    )

    @classmethod
    def example(cls) -> Pareto:
        """A small instance for contract tests."""
        return cls(objectives={"volume": "min", "mass": "min"}, fronts=2)

    def needs(self) -> Sequence[str]:
        return list(self.objectives)

    def gives(self) -> Sequence[str]:
        return ("front",)

    def open(self, folder: Path) -> Opened:
        return _Fronts(self)


class _Fronts:
    def __init__(self, stage: Pareto) -> None:
        self.stage = stage

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage = self.stage
        reasons = np.full(len(table), KEPT, dtype=object)
        values = np.empty((len(table), len(stage.objectives)))
        for place, (name, wanted) in enumerate(stage.objectives.items()):
            values[:, place] = self._objective(table, name, wanted)
            unknown = ~np.isfinite(values[:, place]) & (reasons == KEPT)
            reasons[unknown] = f"{name} is not known"
        known = np.flatnonzero(reasons == KEPT).astype(np.int64)
        front = np.zeros(len(table), dtype=np.int64)
        front[known] = pareto_fronts(values[known])
        order = self._order(table, values, front, known)
        if stage.fronts is not None:
            behind = front[order] > stage.fronts
            reasons[order[behind]] = f"not in the first {stage.fronts} Pareto fronts"
            order = order[~behind]
        if stage.keep is not None:
            reasons[order[stage.keep :]] = f"not among the first {stage.keep} by Pareto front"
            order = order[: stage.keep]
        return Judged.of(table, reasons=reasons, order=[int(one) for one in order], front=front)

    def _objective(self, table: pd.DataFrame, name: str, wanted: str) -> Floats:
        """(rows,) an objective, the larger the better."""
        column = column_of(table, name)
        end = f"{name}_low" if wanted == "max" else f"{name}_high"
        if self.stage.cautious and end in table:
            column = table[end]
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        return values if wanted == "max" else -values

    def _order(self, table: pd.DataFrame, values: Floats, front: Ints, known: Ints) -> Ints:
        """Positions of the known rows by front, room, and id, so that nothing depends on shards."""
        room = np.zeros(len(table))
        ranked = known[np.argsort(front[known], kind="stable")]
        cuts = np.flatnonzero(np.diff(front[ranked])) + 1
        for rows in np.split(ranked, cuts):
            if len(rows):
                room[rows] = crowding(values[rows])
        ids = table["id"].astype(str).to_numpy(dtype=str)
        found = np.lexsort((ids[known], -room[known], front[known]))
        order: Ints = known[found]
        return order
