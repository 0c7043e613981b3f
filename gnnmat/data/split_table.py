"""What a split may look at: columns, formulas, prototypes and labels of a data set."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError, did_you_mean

Names = Sequence[str]
Parts = NDArray[np.str_]  # train, val, test, or empty for rows that are not used


@dataclass(frozen=True, eq=False)
class SplitTable:
    """Rows to be divided; formulas and prototypes are worked out only when a split asks.

    Args:
        n: number of rows.
        table: (n rows) columns of the source.
        formulas: (n,) reduced formulas, or a function that returns them; None for images.
        prototypes: (n,) prototype labels, or a function that returns them; None for images.
        stratify: (n,) class of each row, for stratified folds; None where there are no classes.
    """

    n: int
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    formulas: Names | Callable[[], Names] | None = None
    prototypes: Names | Callable[[], Names] | None = None
    stratify: Sequence[object] | NDArray[np.generic] | None = None

    @cached_property
    def formula_of(self) -> NDArray[np.str_]:
        """(n,) reduced formulas."""
        return self._names(self.formulas, "formula")

    @cached_property
    def prototype_of(self) -> NDArray[np.str_]:
        """(n,) prototype labels."""
        return self._names(self.prototypes, "prototype")

    @cached_property
    def elements_of(self) -> list[frozenset[str]]:
        """Symbols of the elements in each row, (n,) sets."""
        distinct = {name: _elements(name) for name in set(self.formula_of.tolist())}
        return [distinct[name] for name in self.formula_of.tolist()]

    def column(self, name: str) -> pd.Series:
        """One column of the source, (n,).

        Raises:
            GnnmatError: no such column, with the nearest name.
        """
        if name not in self.table.columns:
            raise GnnmatError(
                f"The split asks for column '{name}', which the data do not have.",
                why=f"Columns: {', '.join(map(str, self.table.columns)) or 'none'}.",
                fix=did_you_mean(name, self.table.columns),
            )
        return self.table[name].reset_index(drop=True)

    def groups(self, by: str) -> NDArray[np.str_]:
        """(n,) name of the group of each row; a row without a value is a group of its own.

        Args:
            by: ``formula``, ``prototype`` or the name of a column. For crystals the first two
                are what the structure says, never a column of that name: its formulas may be
                spelled in several ways and would then leak.
        """
        is_column = by in self.table.columns
        if by == "formula" and not (is_column and self.formulas is None):
            return self.formula_of
        if by == "prototype" and not (is_column and self.prototypes is None):
            return self.prototype_of
        values = self.column(by)
        names = values.astype(str).to_numpy(dtype=object)
        missing = values.isna().to_numpy()
        names[missing] = [f"\0row {row}" for row in np.flatnonzero(missing)]
        return names.astype(str)

    def _names(self, given: Names | Callable[[], Names] | None, what: str) -> NDArray[np.str_]:
        if given is None:
            raise GnnmatError(
                f"The split asks for the {what} of each row, which these data do not have.",
                why="Only crystals have one.",
                fix="Split at random, by a column, or in folds.",
            )
        names = np.asarray(list(given() if callable(given) else given), dtype=str)
        if len(names) != self.n:
            raise ValueError(f"{len(names)} {what}s for {self.n} rows")
        return names


def _elements(formula: str) -> frozenset[str]:
    return frozenset(re.findall(r"[A-Z][a-z]?", formula))


def draw_counts(n: int, val: float, test: float) -> tuple[int, int]:
    """Rows for val and test of ``n`` rows: rounded, at least one each, and one left for train.

    With fewer rows than parts train comes first, then val, then test.
    """
    n_val = max(1, round(val * n)) if val > 0 else 0
    n_test = max(1, round(test * n)) if test > 0 else 0
    while n_val + n_test > n - 1:
        if n_test >= n_val and n_test > 0:
            n_test -= 1
        else:
            n_val -= 1
    return n_val, n_test


def need_rows(n: int) -> None:
    if n == 0:
        raise GnnmatError("There is no row to split.", why="The data set is empty.")
