"""Properties that follow from others by a formula, with intervals of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.properties.derived import DERIVED
from gnnmat.properties.moduli import faults
from gnnmat.workflows.screening.held_out import HELD_OUT, HeldOut, load_held_out, member_spread
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.stages.filter import column_of

Floats = NDArray[np.float64]
MODULI = ("K_vrh", "G_vrh")


class Derive(Stage):
    """Hardness, toughness, Debye temperature and the like from moduli, volume and mass.

    What each member of an ensemble says is carried through the formula, because the errors of
    bulk and shear modulus are not independent. With ``calibrate`` the intervals are those that
    held the truth as often as they say on rows the model had not learned from, where the truth is
    the same formula of computed moduli.
    """

    kind: Literal["derive"] = "derive"
    properties: tuple[str, ...] = Field(
        ("hardness", "toughness"), min_length=1, description=f"Of {', '.join(DERIVED)}."
    )
    calibrate: str | None = Field(
        None, description="Run or shipped model whose held-out rows calibrate the intervals."
    )
    unphysical: Literal["drop", "keep"] = Field(
        "drop", description="What becomes of moduli that no stable solid has: never a number."
    )

    @field_validator("properties")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            if one not in DERIVED:
                raise ValueError(f"'{one}' is none of them. {did_you_mean(one, DERIVED)}")
        return given

    @classmethod
    def example(cls) -> Derive:
        """A small instance for contract tests."""
        return cls(properties=("hardness",))

    def needs(self) -> Sequence[str]:
        return list(dict.fromkeys(need for one in self.properties for need in DERIVED[one].needs))

    def gives(self) -> Sequence[str]:
        ends = ("", "_low", "_high", "_members")
        return [f"{one}{end}" for one in self.properties for end in ends] + ["unphysical"]

    def fingerprint(self) -> str:
        """Digest of the rows that calibrate."""
        if self.calibrate is None:
            return ""
        from gnnmat.zoo import find_model

        path = find_model(self.calibrate) / HELD_OUT
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    def open(self, folder: Path) -> Opened:
        held_out = None
        if self.calibrate is not None:
            from gnnmat.zoo import find_model

            held_out = load_held_out(find_model(self.calibrate))
            if held_out is None:
                raise GnnmatError(
                    f"{self.calibrate} keeps no held-out rows to calibrate intervals with.",
                    fix=f"gnnmat trust {self.calibrate}, or leave derive.calibrate out",
                )
        return _Derived(self, held_out)


class _Derived:
    def __init__(self, stage: Derive, held_out: HeldOut | None) -> None:
        self.stage = stage
        self.intervals = (
            {}
            if held_out is None
            else {name: held_out.interval(DERIVED[name]) for name in stage.properties}
        )

    def __call__(self, table: pd.DataFrame) -> Judged:
        columns: dict[str, Any] = {}
        units: dict[str, str] = {}
        for name in self.stage.properties:
            one = DERIVED[name]
            given = {need: _numbers(column_of(table, need)) for need in one.needs}
            value = np.asarray(one.function(**given), dtype=float)
            columns[name], units[name] = value, one.unit
            members = through_members(one, table, given)
            if members is not None:
                columns[f"{name}_members"] = [
                    None if not np.isfinite(row).any() else [float(v) for v in row]
                    for row in members.T
                ]
            if name in self.intervals:
                low, high = self._ends(name, value, members)
                columns[f"{name}_low"], columns[f"{name}_high"] = low, high
            # What was said of it before, from other moduli, does not belong to the new value.
            for part in ("low", "high", "members"):
                if f"{name}_{part}" in table:
                    columns.setdefault(f"{name}_{part}", [None] * len(table))
        reasons = np.full(len(table), KEPT, dtype=object)
        if all(one in table for one in MODULI):
            wrong = faults(*(_numbers(table[one]) for one in MODULI))
            if self.stage.unphysical == "drop":
                reasons = wrong.astype(object)
            columns["unphysical"] = wrong.astype(object)
        return Judged.of(table, reasons=reasons, units=units, **columns)

    def _ends(self, name: str, value: Floats, members: Floats | None) -> tuple[Floats, Floats]:
        """(rows,) ends of the intervals; without end where a member has no physical value."""
        interval = self.intervals[name]
        spread = np.zeros(len(value))
        if members is not None:
            spread = member_spread(members, interval.logarithm)
        fine = np.isfinite(spread)
        ends = np.sort(interval.bounds(value, np.where(fine, spread, 0.0)), axis=0)
        least = 0.0 if interval.logarithm else -np.inf
        return np.where(fine, ends[0], least), np.where(fine, ends[1], np.inf)


def through_members(one: Any, table: pd.DataFrame, given: Mapping[str, Floats]) -> Floats | None:
    """(members, rows) a derived property of what each member says; None where none do."""
    lists = {need: table[f"{need}_members"] for need in one.needs if f"{need}_members" in table}
    if not lists:
        return None
    several = {need: _stacked(column) for need, column in lists.items()}
    sizes = {len(values) for values in several.values()}
    if len(sizes) != 1:  # of models with other members, which cannot be paired
        return None
    found = one.function(**{**given, **several})
    return np.asarray(found, dtype=float)


def _stacked(column: pd.Series) -> Floats:
    """(members, rows) from a column of lists, NaN where there is none."""
    size = max((len(one) for one in column if isinstance(one, (list, np.ndarray))), default=1)
    rows = [
        one if isinstance(one, (list, np.ndarray)) and len(one) == size else [np.nan] * size
        for one in column
    ]
    return np.array(rows, dtype=float).reshape(len(rows), size).T


def _numbers(column: pd.Series) -> Floats:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
