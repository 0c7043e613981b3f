"""Candidates whose columns meet conditions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage

# Longer ones first: '>=' begins with '>'.
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
NAME = r"[A-Za-z_][\w .:-]*?"
COMPARISON = re.compile(rf"^\s*({NAME})\s*(>=|<=|==|!=|>|<)\s*(.+?)\s*$")
FLAG = re.compile(rf"^\s*(not\s+)?({NAME})\s*$")


@dataclass(frozen=True)
class Condition:
    """One condition on one column.

    Args:
        text: as it was written.
        column: that it is about.
        sign: a key of `OPERATORS`.
        value: that the column is compared with.
        word: the same as it was written, for columns of words.
    """

    text: str
    column: str
    sign: str
    value: float | str | bool
    word: str = ""

    def holds(self, column: pd.Series) -> NDArray[np.bool_]:
        """(rows,) whether it is met; never where the value is missing."""
        there = column.notna().to_numpy()
        if isinstance(self.value, bool):
            met = column.map(bool, na_action="ignore").to_numpy() == self.value
        elif isinstance(self.value, float) and not _holds_words(column):
            numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
            there = there & np.isfinite(numbers)
            met = OPERATORS[self.sign](numbers, self.value)
        else:
            words = np.array([str(one) for one in column], dtype=object)
            met = OPERATORS[self.sign](words, self.word)
        found: NDArray[np.bool_] = there & np.asarray(met, dtype=bool)
        return found


def _holds_words(column: pd.Series) -> bool:
    return any(isinstance(one, str) for one in column.dropna())


def parse_condition(text: str) -> Condition:
    """``hardness >= 30``, ``crystal_system == cubic``, ``in_domain`` or ``not in_domain``.

    Raises:
        ValueError: neither of these.
    """
    compared = COMPARISON.match(text)
    if compared:
        column, sign, raw = compared.groups()
        word = raw.strip("'\"")
        if word.lower() in {"true", "false"} and sign in {"==", "!="}:
            return Condition(text.strip(), column, "==", (word.lower() == "true") == (sign == "=="))
        value: float | str = word
        with suppress(ValueError):
            value = float(raw) if np.isfinite(float(raw)) else word  # NaN is sodium nitride
        if isinstance(value, str) and sign not in {"==", "!="}:
            raise ValueError(f"'{text}': '{raw}' is no number, and words are == or !=")
        return Condition(text.strip(), column, sign, value, word)
    flag = FLAG.match(text)
    if flag:
        return Condition(text.strip(), flag.group(2), "==", not flag.group(1))
    raise ValueError(f"'{text}' is no condition such as 'hardness >= 30' or 'in_domain'")


class Filter(Stage):
    """Keep candidates that meet every condition; a value that is missing meets none."""

    kind: Literal["filter"] = "filter"
    keep: tuple[str, ...] = Field(
        min_length=1,
        description="Conditions on columns: 'hardness >= 30', 'crystal_system == cubic', "
        "'in_domain', 'not in_domain'.",
    )

    @field_validator("keep", mode="before")
    @classmethod
    def _several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("keep")
    @classmethod
    def _conditions(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            parse_condition(text)
        return given

    @classmethod
    def example(cls) -> Filter:
        """A small instance for contract tests."""
        return cls(keep=("atoms <= 4",))

    def needs(self) -> Sequence[str]:
        return [parse_condition(text).column for text in self.keep]

    def gives(self) -> Sequence[str]:
        return ()

    def open(self, folder: Path) -> Opened:
        return _Conditions([parse_condition(text) for text in self.keep])


class _Conditions:
    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = conditions

    def __call__(self, table: pd.DataFrame) -> Judged:
        reasons = np.full(len(table), KEPT, dtype=object)
        for one in self.conditions:
            column = column_of(table, one.column)
            missed = ~one.holds(column) & (reasons == KEPT)
            unknown = column.isna().to_numpy()
            reasons[missed] = f"not {one.text}" if not one.text.startswith("not ") else one.column
            reasons[missed & unknown] = f"{one.column} is not known"
        return Judged.of(table, reasons=reasons)


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of the candidates.

    Raises:
        GnnmatError: no such column, with the nearest name.
    """
    if name not in table.columns:
        hidden = {"lattice", "numbers", "frac"}
        there = [str(one) for one in table.columns if one not in hidden]
        raise GnnmatError(
            f"The candidates have no column '{name}'.",
            why=f"They have {', '.join(there)}.",
            fix=did_you_mean(name, there),
        )
    return table[name]
