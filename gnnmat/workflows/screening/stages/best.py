"""The best candidates by one column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.stages.filter import column_of

SMALL_IS_GOOD = ("e_above_hull", "e_form", "energy", "price")


class Best(Stage):
    """Put candidates in order and keep the first; the shortlist is what is left, in this order."""

    whole: ClassVar[bool] = True
    kind: Literal["best"] = "best"
    by: str = Field(description="Column that is looked at, such as hardness.")
    largest: bool | None = Field(
        None,
        description="Whether the largest value is the best; default: it is, but for energies, "
        "e_above_hull and price.",
    )
    keep: int | None = Field(100, gt=0, description="Candidates that stay; null: all of them.")
    cautious: bool = Field(
        False,
        description="By the worse end of the interval in place of the value, if there is one.",
    )

    @classmethod
    def example(cls) -> Best:
        """A small instance for contract tests."""
        return cls(by="volume", largest=False, keep=2)

    @property
    def up(self) -> bool:
        """Whether larger is better."""
        return self.by not in SMALL_IS_GOOD if self.largest is None else self.largest

    @property
    def title(self) -> str:
        return self.name or f"best by {self.by}, {'largest' if self.up else 'smallest'} first"

    def needs(self) -> Sequence[str]:
        return [self.by]

    def gives(self) -> Sequence[str]:
        return ()

    def open(self, folder: Path) -> Opened:
        return _Ranked(self)


class _Ranked:
    def __init__(self, stage: Best) -> None:
        self.stage = stage

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage, name = self.stage, self.stage.by
        column_of(table, name)
        if stage.cautious:
            end = f"{name}_low" if stage.up else f"{name}_high"
            name = end if end in table else name
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(values)
        # Ties are broken by the id, so that the order never depends on how work was spread.
        ids = table["id"].astype(str).to_numpy(dtype=str)
        order = np.lexsort((ids, -values if stage.up else values))
        order = order[known[order]]
        first = order if stage.keep is None else order[: stage.keep]
        reasons = np.full(len(table), f"not among the best {stage.keep} by {stage.by}", object)
        reasons[~known] = f"{stage.by} is not known"
        reasons[first] = KEPT
        return Judged.of(table, reasons=reasons, order=[int(one) for one in first])
