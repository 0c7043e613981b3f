"""Space group, crystal system and prototype of each candidate, and which of them are kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, field_validator

from gnnmat.errors import did_you_mean
from gnnmat.sources.crystal import as_crystal
from gnnmat.sources.prototype_label import Symmetry as Found
from gnnmat.sources.prototype_label import describe
from gnnmat.sources.symmetry_labels import GROUPS, symbol
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.table import ARRAYS

System = Literal[
    "triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"
]
NOT_FOUND = Found(0, "unknown", "", 0, 0)


class SymmetryStage(Stage):
    """Find the symmetry of each candidate and keep those with the symmetries asked for.

    It adds ``space_group`` (number), ``crystal_system`` and ``prototype``, a label such as
    ``AB_225_a_b`` for rock salt: formula with letters for elements, space group, and the Wyckoff
    positions of each element. Without conditions it only adds them, and keeps everything.
    """

    kind: Literal["symmetry"] = "symmetry"
    space_groups: tuple[int, ...] = Field(
        (), description="Space groups kept, by number or symbol: [225, P6_3/mmc]; empty: all."
    )
    crystal_systems: tuple[System, ...] = Field(
        (), description="Crystal systems kept; trigonal and hexagonal are two; empty: all."
    )
    prototypes: tuple[str, ...] = Field(
        (), description="Prototype labels kept, such as AB_225_a_b; empty: all."
    )
    symprec: float = Field(0.01, gt=0, le=1, description="Tolerance on positions, Å.")

    @field_validator("crystal_systems", "prototypes", mode="before")
    @classmethod
    def _several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("space_groups", mode="before")
    @classmethod
    def _numbers(cls, given: object) -> object:
        if isinstance(given, str | int):
            return (_number(given),)
        return tuple(map(_number, given)) if isinstance(given, list | tuple) else given

    @classmethod
    def example(cls) -> SymmetryStage:
        """A small instance for contract tests."""
        return cls(crystal_systems=("cubic", "hexagonal"))

    def gives(self) -> Sequence[str]:
        return ("space_group", "crystal_system", "prototype")

    def open(self, folder: Path) -> Opened:
        return _Symmetric(self)


class _Symmetric:
    def __init__(self, stage: SymmetryStage) -> None:
        self.stage = stage

    def __call__(self, table: pd.DataFrame) -> Judged:
        found, reasons = [], []
        for row in zip(*(table[name] for name in ARRAYS), strict=True):
            try:
                one = describe(as_crystal(*row), self.stage.symprec)
                reason = self._reason(one)
            except Exception as error:
                one, reason = NOT_FOUND, f"failed: its symmetry raised {type(error).__name__}"
            found.append(one)
            reasons.append(reason)
        return Judged.of(
            table,
            reasons=reasons,
            space_group=[one.space_group for one in found],
            crystal_system=[one.crystal_system for one in found],
            prototype=[one.prototype for one in found],
        )

    def _reason(self, one: Found) -> str:
        stage = self.stage
        asked = bool(stage.space_groups or stage.crystal_systems or stage.prototypes)
        if asked and not one.space_group:
            return "no symmetry was found"
        if stage.space_groups and one.space_group not in stage.space_groups:
            return "its space group is not among those kept"
        if stage.crystal_systems and one.crystal_system not in stage.crystal_systems:
            return "its crystal system is not among those kept"
        if stage.prototypes and one.prototype not in stage.prototypes:
            return "its prototype is not among those kept"
        return KEPT


@cache
def _symbols() -> dict[str, int]:
    return {symbol(number): number for number in range(1, GROUPS + 1)}


def _number(given: object) -> int:
    """The number of a space group given by number or symbol, with or without underscores."""
    text = str(given).strip()
    if text.isdigit():
        if not 1 <= int(text) <= GROUPS:
            raise ValueError(f"there is no space group {text}: they go from 1 to {GROUPS}")
        return int(text)
    plain = {name.replace("_", ""): number for name, number in _symbols().items()}
    found = plain.get(text.replace("_", "").replace(" ", ""))
    if found is None:
        raise ValueError(f"'{text}' is no space group. {did_you_mean(text, _symbols())[:200]}")
    return found
