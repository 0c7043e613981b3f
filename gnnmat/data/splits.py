"""Splits: which rows train, which choose the best epoch (val) and which judge (test)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnnmat.data.split_bag import BagSplit
from gnnmat.data.split_folds import ColumnSplit, FoldsSplit
from gnnmat.data.split_groups import draw_elements, draw_groups
from gnnmat.data.split_table import Parts, SplitTable, draw_counts, need_rows
from gnnmat.errors import GnnmatError, did_you_mean

__all__ = [
    "BagSplit",
    "ColumnSplit",
    "FoldsSplit",
    "GroupSplit",
    "RandomSplit",
    "Split",
    "SplitTable",
]


class _Fractions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    val: float = Field(0.1, ge=0, lt=1, description="Fraction of all rows that choose the epoch.")
    test: float = Field(0.1, ge=0, lt=1, description="Fraction of all rows that judge.")
    seed: int = Field(0, ge=0, description="Same seed and rows, same split.")

    @model_validator(mode="after")
    def _leaves_train(self) -> _Fractions:
        if self.val + self.test >= 1:
            raise ValueError(
                f"val {self.val:g} and test {self.test:g} leave nothing to train on; "
                "together they must stay below 1"
            )
        return self


class RandomSplit(_Fractions):
    """Rows drawn at random; test is drawn first, then val from the rest.

    Val and test get at least one row each if their fraction is not zero, and train always does.
    """

    kind: Literal["random"] = "random"

    @classmethod
    def example(cls) -> RandomSplit:
        """A small instance for contract tests."""
        return cls(val=0.2, test=0.2, seed=1)

    def assign(self, rows: SplitTable) -> Parts:
        """(n,) ``train``, ``val`` or ``test`` for each row."""
        need_rows(rows.n)
        n_val, n_test = draw_counts(rows.n, self.val, self.test)
        order = np.random.RandomState(self.seed).permutation(rows.n)
        parts = np.full(rows.n, "train", dtype="<U5")
        parts[order[:n_test]] = "test"
        parts[order[n_test : n_test + n_val]] = "val"
        return parts


class GroupSplit(_Fractions):
    """Whole groups stay together: all crystals of one formula, prototype, column value, element.

    ``formula``, ``prototype`` or a column: groups are shuffled and each goes to test while it
    still fits there, else to val, else to train, so that neither part exceeds its fraction and
    a group larger than a fraction trains; a part that no group fits gets the smallest one.

    ``element``: test is every crystal that contains a held-out element. These are named in
    ``elements``, or drawn, one by one, while their crystals fit into the test fraction (at
    least one is drawn). Val is drawn at random from the other crystals.
    """

    kind: Literal["group"] = "group"
    by: str = Field("formula", description="formula, prototype, element, or the name of a column.")
    elements: tuple[str, ...] = Field(
        (), description="Elements held out for test, with by: element; empty draws some."
    )

    @model_validator(mode="after")
    def _elements_need_by(self) -> GroupSplit:
        if self.elements and self.by != "element":
            raise ValueError(f"elements are only used with by: element, not with by: {self.by}")
        return self

    @classmethod
    def example(cls) -> GroupSplit:
        """A small instance for contract tests."""
        return cls(by="formula", val=0.2, test=0.2, seed=1)

    def assign(self, rows: SplitTable) -> Parts:
        """(n,) ``train``, ``val`` or ``test`` for each row.

        Raises:
            GnnmatError: fewer groups than parts, or an element that no crystal has.
        """
        need_rows(rows.n)
        if self.by == "element":
            return self._by_element(rows)
        return draw_groups(rows.groups(self.by), self.val, self.test, self.seed, self.by)

    def _by_element(self, rows: SplitTable) -> Parts:
        contents = rows.elements_of
        present = sorted(frozenset().union(*contents))
        for symbol in self.elements:
            if symbol not in present:
                raise GnnmatError(
                    f"No crystal contains the held-out element '{symbol}'.",
                    fix=did_you_mean(symbol, present),
                )
        random = np.random.RandomState(self.seed)
        has = {symbol: np.array([symbol in content for content in contents]) for symbol in present}
        held = np.zeros(rows.n, dtype=bool)
        for symbol in self.elements:
            held |= has[symbol]
        if not self.elements and self.test > 0:
            held = draw_elements(has, round(self.test * rows.n), random)
        rest = np.flatnonzero(~held)
        if len(rest) == 0:
            raise GnnmatError(
                "Every crystal contains a held-out element; none is left to train on.",
                fix="Hold out an element that some crystals lack.",
            )
        parts = np.where(held, "test", "train").astype("<U5")
        n_val, _ = draw_counts(len(rest), self.val, 0.0)
        parts[random.permutation(rest)[:n_val]] = "val"
        return parts


Split = Annotated[
    RandomSplit | GroupSplit | ColumnSplit | FoldsSplit | BagSplit, Field(discriminator="kind")
]
