"""Candidates that are different: no structure twice, and no crowd of one kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.element_tables import chemical_system
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Reasons, Stage
from gnnmat.workflows.screening.stages.filter import column_of
from gnnmat.workflows.screening.table import ARRAYS

SAME = "the same structure as a better candidate"
Ints = NDArray[np.int64]


class Distinct(Stage):
    """Keep one of each structure, and a few of each prototype or chemical system.

    Crystals of the same reduced formula are the same if pymatgen's StructureMatcher lays one over
    the other, whatever cell they are written in; volumes are scaled to each other first. The best
    by a column stays, and ``copies`` counts the candidates it stands for.

    Source: `pymatgen.analysis.structure_matcher`; Ong et al., Comput. Mater. Sci. 68, 314 (2013).
    """

    whole: ClassVar[bool] = True
    kind: Literal["distinct"] = "distinct"
    by: str | None = Field(
        None, description="Column by which the best one stays; null: the first in the table."
    )
    largest: bool = Field(True, description="The largest value is the best.")
    match: bool = Field(True, description="Look for structures that are there twice.")
    length_tolerance: float = Field(0.2, gt=0, description="Fractional, of lattice vectors.")
    site_tolerance: float = Field(
        0.3, gt=0, description="Of sites, in units of the cube root of the volume of an atom."
    )
    angle_tolerance: float = Field(5.0, gt=0, description="Of lattice angles, degrees.")
    per_prototype: int | None = Field(
        None, gt=0, description="Most of one prototype; needs a symmetry stage before; null: all."
    )
    per_system: int | None = Field(
        None, gt=0, description="Most of one chemical system, such as Ca-O-Ti; null: all."
    )

    @classmethod
    def example(cls) -> Distinct:
        """A small instance for contract tests."""
        return cls(by="volume", largest=False, per_system=2)

    def needs(self) -> Sequence[str]:
        own = [] if self.by is None else [self.by]
        return own if self.per_prototype is None else [*own, "prototype"]

    def gives(self) -> Sequence[str]:
        return ("copies",)

    def open(self, folder: Path) -> Opened:
        return _Distinct(self)


class _Distinct:
    def __init__(self, stage: Distinct) -> None:
        self.stage = stage

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage = self.stage
        order = self._order(table)
        reasons = np.full(len(table), KEPT, dtype=object)
        copies = np.ones(len(table), dtype=np.int64)
        if stage.per_prototype is not None:
            prototypes = [_prototype(*one) for one in enumerate(column_of(table, "prototype"))]
        if stage.match:
            self._match(table, order, reasons, copies)
        if stage.per_prototype is not None:
            reason = f"{stage.per_prototype} of its prototype are better"
            _at_most(stage.per_prototype, prototypes, order, reasons, reason)
        if stage.per_system is not None:
            reason = f"{stage.per_system} of its chemical system are better"
            systems = [_system(one) for one in table["formula"]]
            _at_most(stage.per_system, systems, order, reasons, reason)
        return Judged.of(table, reasons=reasons, copies=copies)

    def _order(self, table: pd.DataFrame) -> Ints:
        """(rows,) positions, best first; those without a value last."""
        if self.stage.by is None:
            return np.arange(len(table))
        given = pd.to_numeric(column_of(table, self.stage.by), errors="coerce")
        values = given.to_numpy(dtype=float, na_value=np.nan)
        ids = table["id"].astype(str).to_numpy(dtype=str)
        return np.lexsort((ids, -values if self.stage.largest else values))

    def _match(self, table: pd.DataFrame, order: Ints, reasons: Reasons, copies: Ints) -> None:
        """Give a reason to each candidate that repeats a better one of its formula."""
        groups: dict[Hashable, list[int]] = {}
        formulas = table["formula"].to_numpy(dtype=object)
        for row in order:
            groups.setdefault(formulas[row], []).append(int(row))
        matcher = _Matcher(self.stage)
        for rows in groups.values():
            if len(rows) < 2:
                continue
            kept: list[tuple[int, Any]] = []
            for row in rows:
                try:
                    structure = matcher.reduced(*(table[name].iloc[row] for name in ARRAYS))
                    same = next((one for one, other in kept if matcher(structure, other)), None)
                except Exception as error:
                    reasons[row] = f"failed: comparing it raised {type(error).__name__}"
                    continue
                if same is None:
                    kept.append((row, structure))
                else:
                    reasons[row] = SAME
                    copies[same] += 1


class _Matcher:
    """StructureMatcher over cells that were reduced once, not for each pair."""

    def __init__(self, stage: Distinct) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        self.matcher = StructureMatcher(
            ltol=stage.length_tolerance, stol=stage.site_tolerance, angle_tol=stage.angle_tolerance
        )

    def reduced(self, *arrays: Any) -> Any:
        from pymatgen.core import Lattice, Structure

        crystal = as_crystal(*arrays)
        structure = Structure(Lattice(crystal.lattice), crystal.numbers, crystal.frac)
        # The order of the matcher's own preprocessing: Niggli cell, then primitive cell.
        return structure.get_reduced_structure(reduction_algo="niggli").get_primitive_structure()

    def __call__(self, one: Any, other: Any) -> bool:
        return bool(self.matcher.fit(one, other, skip_structure_reduction=True))


def _at_most(
    most: int, kinds: Sequence[Hashable], order: Ints, reasons: Reasons, reason: str
) -> None:
    """Drop what comes after the first few of its kind, in an order."""
    seen: Counter[Hashable] = Counter()
    for row in order:
        if reasons[row] != KEPT:
            continue
        seen[kinds[row]] += 1
        if seen[kinds[row]] > most:
            reasons[row] = reason


def _prototype(row: int, label: Any) -> Hashable:
    # Where no symmetry was found the label is a formula with letters, which says nothing of how
    # atoms are arranged: such a crystal is like no other.
    return label if isinstance(label, str) and "_" in label else row


def _system(formula: Any) -> str:
    try:
        return chemical_system(formula)
    except (ValueError, TypeError):
        return str(formula)
