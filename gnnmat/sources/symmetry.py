"""Crystals of another source with crystal system, space group, Bravais type and prototype."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnnmat.errors import GnnmatError
from gnnmat.sources.ase_database import AseDbSource
from gnnmat.sources.card import CardSource
from gnnmat.sources.files import FilesSource
from gnnmat.sources.materials_project import MaterialsProjectSource
from gnnmat.sources.optimade import OptimadeSource
from gnnmat.sources.prototype_label import COMMON
from gnnmat.sources.prototype_set import PrototypesSource
from gnnmat.sources.records import Records, Refusal
from gnnmat.sources.space_groups import find_space_groups
from gnnmat.sources.symmetry_labels import COLUMNS, labels, symbol
from gnnmat.sources.table import TableSource

CrystalSource = Annotated[
    CardSource
    | FilesSource
    | TableSource
    | OptimadeSource
    | MaterialsProjectSource
    | AseDbSource
    | PrototypesSource,
    Field(discriminator="kind"),
]


class SymmetrySource(BaseModel):
    """Another source of crystals, with what spglib says of their symmetry as columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["symmetry"] = "symmetry"
    of: CrystalSource = Field(description="the source of the crystals, with its own kind")
    symprec: float = Field(default=0.01, gt=0, le=1, description="tolerance on positions, Å")
    check: float | None = Field(
        default=0.1,
        gt=0,
        le=1,
        description="looser tolerance, Å, at which the space group has to be the same; a crystal "
        "where it is not is refused; null: not checked",
    )
    workers: int | None = Field(
        default=None, ge=1, description="processes; null chooses by the amount of work"
    )

    @model_validator(mode="after")
    def _check_is_looser(self) -> SymmetrySource:
        if self.check is not None and self.check <= self.symprec:
            raise ValueError(f"check ({self.check}) has to be above symprec ({self.symprec})")
        return self

    @property
    def name(self) -> str:
        """What people call the data: the name of the source of the crystals."""
        return str(getattr(self.of, "name", self.of.kind))

    def open(self) -> Records:
        """The records of ``of``, with the columns `COLUMNS`; they replace columns of these names.

        A prototype has its common name (``rocksalt``) or the label of `prototype_label.describe`.
        What was found is kept in the cache folder, by structures and tolerances, so it is worked
        out once; after an interruption it goes on where it stopped.

        Raises:
            GnnmatError: from the source of the crystals, or not one crystal is left.
        """
        records = self.of.open()
        found = find_space_groups(records, self.symprec, self.check, workers=self.workers)
        reasons = [_reason(*row, self.symprec, self.check) for row in found.rows()]
        kept = [place for place, reason in enumerate(reasons) if not reason]
        refused = [
            Refusal(records.ids[place], records.origin(place), reason)
            for place, reason in enumerate(reasons)
            if reason
        ]
        if not kept:
            first = f" The first: {refused[0].reason}" if refused else ""
            raise GnnmatError(
                "Not one crystal has a space group that can be relied on.",
                why=f"{len(refused)} were refused.{first}",
            )
        # With nothing left out the structures are those of `of`, and so is their fingerprint.
        taken = records.take(kept) if refused else records
        columns = labels(found.number[kept])
        named = [COMMON.get(one, one) for one in found.prototype[kept]]
        columns["prototype"] = np.array(named, dtype=object)
        return replace(
            taken,
            table=taken.table.drop(columns=list(COLUMNS), errors="ignore").assign(**columns),
            units={name: unit for name, unit in taken.units.items() if name not in COLUMNS},
            refused=[*records.refused, *refused],
        )


def _reason(number: int, loose: int, reason: str, symprec: float, check: float | None) -> str:
    """Why a crystal is left out, or nothing."""
    if reason:
        return reason
    if not number:
        return f"spglib finds no space group within {symprec:g} Å"
    if not loose:
        return f"spglib finds no space group within {check:g} Å"
    if number == loose:
        return ""
    return (
        f"its space group depends on the tolerance: {symbol(number)} ({number}) "
        f"within {symprec:g} Å, "
        f"{symbol(loose)} ({loose}) within {check:g} Å"
    )
