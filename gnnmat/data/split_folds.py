"""Splits that are given: a column of the data, or the folds of a cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from gnnmat.data.split_groups import draw_groups
from gnnmat.data.split_table import Parts, SplitTable, draw_counts, need_rows
from gnnmat.errors import GnnmatError

Rows = NDArray[np.int64]

_WORDS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
    "": "", "unused": "", "none": "",
}  # fmt: skip


class ColumnSplit(BaseModel):
    """The split written in a column of the data.

    Words: train, val (valid, validation, dev), test, in any case; an empty cell is not used.
    Where the column has no val or no test rows that part stays empty (reports then judge by
    val and say so); ``val`` draws a fraction of train instead of a missing val.

    Numbers are folds: ``test_fold`` is required, ``val_fold`` optional, all others train.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["column"] = "column"
    column: str = Field("split", description="Column with train/val/test or fold numbers.")
    test_fold: int | None = Field(None, description="Fold number that judges.")
    val_fold: int | None = Field(None, description="Fold number that chooses the epoch.")
    val: float = Field(
        0.0, ge=0, lt=1, description="Fraction of train for val, if the column names no val row."
    )
    seed: int = Field(0, ge=0, description="For the val fraction.")

    @classmethod
    def example(cls) -> ColumnSplit:
        """A small instance for contract tests."""
        return cls(column="split")

    def assign(self, rows: SplitTable) -> Parts:
        """(n,) ``train``, ``val``, ``test`` or, where the column is empty, ``""``.

        Raises:
            GnnmatError: no such column, an unknown word, no such fold, or no train row.
        """
        need_rows(rows.n)
        column = rows.column(self.column)
        numbers = pd.to_numeric(column, errors="coerce")
        is_folds = bool(numbers.notna().any()) and bool((numbers.notna() | column.isna()).all())
        parts = self._from_folds(numbers) if is_folds else self._from_words(column)
        train = np.flatnonzero(parts == "train")
        if len(train) == 0:
            raise GnnmatError(f"Column '{self.column}' leaves no row to train on.")
        if not (parts == "val").any():
            n_val, _ = draw_counts(len(train), self.val, 0.0)
            parts[np.random.RandomState(self.seed).permutation(train)[:n_val]] = "val"
        return parts

    def _from_words(self, column: pd.Series) -> Parts:
        if self.test_fold is not None or self.val_fold is not None:
            raise GnnmatError(
                f"Column '{self.column}' holds words, so test_fold and val_fold have no meaning.",
                fix="Leave them out, or name a column with fold numbers.",
            )
        words = column.fillna("").astype(str).str.strip().str.lower()
        unknown = sorted(set(words) - set(_WORDS))
        if unknown:
            shown = ", ".join(f"'{word}'" for word in unknown[:5])
            raise GnnmatError(
                f"Column '{self.column}' holds {shown}, which names no part of a split.",
                why="Known: train, val, test, or an empty cell for rows that are not used.",
                fix="Rename the values, or name another column.",
            )
        return words.map(_WORDS).to_numpy(dtype="<U5")

    def _from_folds(self, numbers: pd.Series) -> Parts:
        folds = sorted(numbers.dropna().unique())
        listed = ", ".join(f"{fold:g}" for fold in folds[:20])
        if self.test_fold is None:
            raise GnnmatError(
                f"Column '{self.column}' holds fold numbers, but no fold is chosen for test.",
                why=f"Folds: {listed}.",
                fix=f"Set test_fold, for instance to {folds[0]:g}.",
            )
        if self.test_fold == self.val_fold:
            raise GnnmatError(f"test_fold and val_fold are both {self.test_fold}.")
        parts = np.where(numbers.isna(), "", "train").astype("<U5")
        for part, fold in (("test", self.test_fold), ("val", self.val_fold)):
            if fold is not None and fold not in folds:
                raise GnnmatError(
                    f"Column '{self.column}' has no fold {fold}.", why=f"Folds: {listed}."
                )
            if fold is not None:
                parts[(numbers == fold).to_numpy()] = part
        return parts


class FoldsSplit(BaseModel):
    """One of k folds is test; a fraction of the others, drawn by the seed, is val.

    The folds are scikit-learn's: KFold, StratifiedKFold with ``stratified``, GroupKFold with
    ``by``. The defaults are the official folds of Matbench for regression; its classification
    tasks are stratified.

    Source: Dunn et al., npj Comput. Mater. 6, 138 (2020), and the `matbench` package:
    ``KFold(5, shuffle=True, random_state=18012019)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folds"] = "folds"
    k: int = Field(5, ge=2, description="Number of folds.")
    index: int = Field(0, ge=0, description="The fold that is test, from 0.")
    shuffle: bool = Field(True, description="Shuffle rows (with by: groups) before cutting.")
    stratified: bool = Field(False, description="Keep the shares of the classes in each fold.")
    by: str | None = Field(
        None, description="Keep groups together: formula, prototype or the name of a column."
    )
    val: float = Field(0.1, ge=0, lt=1, description="Fraction of the other folds used as val.")
    seed: int = Field(18012019, ge=0, le=2**32 - 1, description="For shuffling and for val.")
    val_seed: int | None = Field(
        None,
        ge=0,
        description="With by: val is drawn by this seed before the folds are cut, so that it is "
        "the same for all folds and seeds, and no fold judges it.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> FoldsSplit:
        if self.index >= self.k:
            raise ValueError(f"index {self.index}: the {self.k} folds count from 0 to {self.k - 1}")
        if self.stratified and self.by is not None:
            raise ValueError("folds are either stratified or by group, not both")
        if self.val_seed is not None and self.by is None:
            raise ValueError("val_seed needs by: it draws groups")
        return self

    @classmethod
    def example(cls) -> FoldsSplit:
        """A small instance for contract tests."""
        return cls(k=3, index=1, val=0.2)

    def assign(self, rows: SplitTable) -> Parts:
        """(n,) ``train``, ``val`` or ``test`` for each row.

        Raises:
            GnnmatError: more folds than rows or groups, or classes asked for that are not there.
        """
        need_rows(rows.n)
        groups = None if self.by is None else rows.groups(self.by)
        if groups is not None and self.val_seed is not None:
            parts = draw_groups(groups, self.val, 0.0, self.val_seed, str(self.by))
            free = np.flatnonzero(parts == "train")
            parts[free[self._fold(rows, groups[free])[1]]] = "test"
            return parts
        rest, test = self._fold(rows, groups)
        parts = np.full(rows.n, "train", dtype="<U5")
        parts[test] = "test"
        if groups is None or len(set(groups[rest])) == 1:
            n_val, _ = draw_counts(len(rest), self.val, 0.0)
            parts[np.random.RandomState(self.seed).permutation(rest)[:n_val]] = "val"
        else:
            parts[rest] = draw_groups(groups[rest], self.val, 0.0, self.seed, str(self.by))
        return parts

    def _fold(self, rows: SplitTable, groups: NDArray[np.str_] | None) -> tuple[Rows, Rows]:
        state = self.seed if self.shuffle else None
        n = rows.n if groups is None else len(groups)
        available = n if groups is None else len(set(groups.tolist()))
        if self.k > available:
            what = "rows" if groups is None else f"groups by {self.by}"
            raise GnnmatError(
                f"{self.k} folds of {available} {what} cannot be made.",
                fix=f"Set k to {available} or less." if available > 1 else "",
            )
        labels: Sequence[object] | NDArray[np.generic] | None = None
        folds: KFold | StratifiedKFold | GroupKFold
        if groups is not None:
            folds = GroupKFold(self.k, shuffle=self.shuffle, random_state=state)
        elif self.stratified:
            folds = StratifiedKFold(self.k, shuffle=self.shuffle, random_state=state)
            labels = _classes(rows, self.k)
        else:
            folds = KFold(self.k, shuffle=self.shuffle, random_state=state)
        with warnings.catch_warnings():
            # A class with fewer members than folds is missing from some; that is unavoidable.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            pairs = list(folds.split(np.zeros(n), labels, groups))
        return pairs[self.index]


def _classes(rows: SplitTable, k: int) -> NDArray[np.str_]:
    if rows.stratify is None:
        raise GnnmatError(
            "Stratified folds need classes, and the target is a number.",
            fix="Set stratified to false.",
        )
    labels = np.asarray(rows.stratify).astype(str)
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if largest < k:
        raise GnnmatError(
            f"Stratified folds need a class with at least {k} members; the largest has {largest}.",
            fix="Set stratified to false, or use fewer folds.",
        )
    return labels
