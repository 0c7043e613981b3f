"""One bag of positive-unlabelled learning: all positives, and as many unlabelled rows, drawn."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.data.split_groups import draw_groups
from gnnmat.data.split_table import Parts, SplitTable, need_rows
from gnnmat.errors import GnnmatError


class BagSplit(BaseModel):
    """One bag: the positive rows and a draw of unlabelled ones train, the others are scored.

    Val and the held-out groups are those of a `GroupSplit` of the same fractions and seed, the
    same for every bag. Of the others every bag leaves out a share, drawn anew. Test is what no
    bag learns from, what this bag leaves out, positives too, and the unlabelled rows it did not
    draw. A row in a group of which something is learned is never scored. The positive class is the
    second of the two.

    Source: Mordelet & Vert, Pattern Recognition Letters 37, 201 (2014); Jang et al., J. Am. Chem.
    Soc. 142, 18836 (2020), who draw rows one by one and hold out a tenth of the positives.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bag"] = "bag"
    index: int = Field(0, ge=0, description="Number of the bag, from 0.")
    ratio: float = Field(1.0, gt=0, description="Unlabelled rows drawn for each positive one.")
    held_out: float = Field(
        0.1, ge=0, lt=1, description="Share of the rows, by group, that no bag learns from."
    )
    left_out: float = Field(
        0.2, ge=0, lt=1, description="Share of the rows, by group, that this bag leaves out."
    )
    by: str = Field("formula", description="Groups: formula, prototype or the name of a column.")
    val: float = Field(0.05, ge=0, lt=1, description="Share of the rows that choose the epoch.")
    seed: int = Field(0, ge=0, description="Held-out groups by seed, bags by seed and number.")

    @classmethod
    def example(cls) -> BagSplit:
        """A small instance for contract tests."""
        return cls(ratio=0.5, held_out=0.2, val=0.1)

    def assign(self, rows: SplitTable) -> Parts:
        """(n,) ``train``, ``val``, ``test``, or ``""`` for rows that this bag does not use.

        Raises:
            GnnmatError: no classes, or too few unlabelled rows for one bag.
        """
        need_rows(rows.n)
        if rows.stratify is None:
            raise GnnmatError("A bag needs rows that are positive or unlabelled: task.kind=pu")
        names = rows.groups(self.by)
        parts = draw_groups(names, self.val, self.held_out, self.seed, self.by)
        positive = np.asarray(rows.stratify, dtype=float) > 0
        groups = np.unique(names, return_inverse=True)[1]
        bag = np.flatnonzero(parts == "train")
        bag = bag[self._kept(groups[bag])]
        learned = bag[positive[bag]]
        drawn = self._draw(groups, bag[~positive[bag]], int(round(self.ratio * len(learned))))
        both = np.concatenate([learned, drawn])
        rest = parts == "train"
        parts[rest] = np.where(np.isin(groups[rest], groups[both]), "", "test")
        parts[both] = "train"
        return parts

    def _kept(self, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether the group of a row is not left out by this bag."""
        names = np.unique(groups)
        order = np.random.default_rng([self.seed, self.index, 1]).permutation(len(names))
        place = np.argsort(order)[np.searchsorted(names, groups)]
        counts = np.bincount(place, minlength=len(names))
        left = np.cumsum(counts) <= self.left_out * len(groups)
        return np.asarray(~left[place])

    def _draw(
        self, groups: NDArray[np.int64], where: NDArray[np.int64], wanted: int
    ) -> NDArray[np.int64]:
        """Some of these rows, group by group, until there are enough."""
        if wanted >= len(where):
            raise GnnmatError(
                f"A bag of {wanted:,} unlabelled rows leaves none of {len(where):,} to score.",
                why="It draws as many unlabelled rows as there are positive ones.",
                fix="Draw fewer (pu.ratio=0.5), or use pu.method=folds.",
            )
        order = np.random.default_rng([self.seed, self.index]).permutation(groups.max() + 1)
        place = np.argsort(order)[groups[where]]
        return where[np.argsort(place, kind="stable")[:wanted]]
