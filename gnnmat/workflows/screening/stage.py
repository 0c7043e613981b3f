"""What a stage of a screen is: it looks at candidates, adds columns, and says why some must go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

KEPT = ""  # the reason of a candidate that stays

Reasons = NDArray[np.object_]


@dataclass(frozen=True)
class Judged:
    """What a stage says of the candidates it was given.

    Args:
        columns: one row a candidate, in the order and with the index of the table given; columns
            that are new, or that replace those of the table. Of a number ``x`` the ends of its
            interval are ``x_low`` and ``x_high``, and what each member of an ensemble says is
            ``x_members``.
        reasons: (rows,) why a candidate is dropped, in a plain phrase; empty: it stays. Reasons
            are counted, so they hold no numbers that differ from row to row.
        units: unit by name of a new column; none for pure numbers.
        order: (kept rows,) positions of the kept rows, best first, where the stage ranks.
        notes: what a reader of the screen should know, in sentences.
        seconds: that parts of the work took, such as ``model``.
    """

    columns: pd.DataFrame
    reasons: Reasons
    units: Mapping[str, str] = field(default_factory=dict)
    order: Sequence[int] | None = None
    notes: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        *,
        reasons: Sequence[str] | Reasons | None = None,
        units: Mapping[str, str] | None = None,
        order: Sequence[int] | None = None,
        notes: Sequence[str] = (),
        **columns: Any,
    ) -> Judged:
        """With columns by name; without reasons everything stays."""
        given = [KEPT] * len(table) if reasons is None else list(reasons)
        told = np.array(given, dtype=object)
        return cls(
            pd.DataFrame(columns, index=table.index), told, dict(units or {}), order, tuple(notes)
        )


class Opened(Protocol):
    """A stage at work: its models are loaded, its tables read."""

    def __call__(self, table: pd.DataFrame) -> Judged:
        """Look at these candidates: columns of `gnnmat.workflows.screening.table`, and more."""


class Stage(BaseModel):
    """A stage as it is written in a recipe.

    A stage that looks at every crystal alone gets the candidates in shards, in any process; one
    with ``whole`` gets all that are left at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    whole: ClassVar[bool] = False
    # Candidates at a time where each takes seconds or more, so that all processes have some and a
    # kill costs few. It counts behind a stage with ``whole``, as such stages should stand.
    # Whether its name matters to what it says or writes, and not to readers alone.
    named: ClassVar[bool] = False
    few: ClassVar[int | None] = None
    kind: str
    name: str = Field("", description="In the funnel of the report; default: the kind.")

    @property
    def title(self) -> str:
        """What it is called in the funnel."""
        return self.name or self.kind

    def needs(self) -> Sequence[str]:
        """Columns that must be there before it."""
        return ()

    def gives(self) -> Sequence[str] | None:
        """Columns that it adds; None where that is not known before it is at work."""
        return None

    def fingerprint(self) -> str:
        """Digest of what the stage reads beside the candidates, such as the weights of a model."""
        return ""

    def open(self, folder: Path) -> Opened:
        """Ready to work; called once a process.

        Args:
            folder: of the screen, for stages that write files; each stage in a folder of its own.

        Raises:
            GnnmatError: what it names does not exist, before any candidate is looked at.
        """
        raise NotImplementedError
