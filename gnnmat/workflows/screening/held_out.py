"""Answers beside truths on rows a model had not learned from, to calibrate what is derived."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.intervals import COVERAGE, Interval, absolute_errors, fit_interval
from gnnmat.train.learned import read_beside

if TYPE_CHECKING:
    from gnnmat.properties.derived import Derived

HELD_OUT = "held_out.parquet"
FACTS = ("formula", "volume", "mass", "atoms")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """Rows whose truth is known and that no member has learned from.

    Args:
        table: ``formula``, ``volume``, ``mass``, ``atoms``, and by target ``<target>`` (the
            truth), ``<target>_said`` and ``<target>_members`` (lists).
    """

    table: pd.DataFrame

    def interval(self, one: Derived, coverage: float = COVERAGE) -> Interval:
        """The intervals of a derived property, from its errors on these rows.

        The spread of a row is the standard deviation of the property over the members. Where all
        values are positive, it is all about their logarithms: errors grow with the value.

        Raises:
            GnnmatError: the rows do not know what the property needs, or are too few.
        """
        known = [need for need in one.needs if need in self.table]
        if len(known) < len(one.needs):
            missing = next(need for need in one.needs if need not in known)
            raise GnnmatError(
                f"The held-out rows do not know {missing}, which {one.name} needs.",
                fix="Calibrate with the model that predicts it.",
            )
        truth = {need: self.table[need].to_numpy(dtype=float) for need in one.needs}
        said = {
            need: self.table.get(f"{need}_said", self.table[need]).to_numpy(dtype=float)
            for need in one.needs
        }
        voices = {need: self._voices(need) for need in one.needs}
        members = {
            need: one_voice if one_voice is not None else said[need]
            for need, one_voice in voices.items()
        }
        true, answer = (np.asarray(one.function(**given), float) for given in (truth, said))
        fine = np.isfinite(true) & np.isfinite(answer)
        logarithm = bool((true[fine] > 0).all() and (answer[fine] > 0).all())
        spread = np.zeros(len(self.table))
        if any(one_voice is not None for one_voice in voices.values()):
            spread = member_spread(np.asarray(one.function(**members), float), logarithm)
        fine &= np.isfinite(spread)
        return fit_interval(
            absolute_errors(true, answer, logarithm)[fine],
            spread[fine],
            self.table["formula"].to_numpy()[fine],
            target=one.name,
            unit=one.unit,
            coverage=coverage,
            logarithm=logarithm,
        )

    def _voices(self, need: str) -> Floats | None:
        name = f"{need}_members"
        return None if name not in self.table else np.stack(list(self.table[name])).T


def member_spread(members: Floats, logarithm: bool = False) -> Floats:
    """(rows,) standard deviation over (members, rows); NaN where one has no physical value."""
    if logarithm:
        members = np.log(np.where(members > 0, members, np.nan))
    spread: Floats = np.asarray(members.std(axis=0), dtype=float)
    return spread


def save_held_out(folder: Path, table: pd.DataFrame) -> Path:
    """Write held-out rows, as of `HeldOut`, beside a model."""
    buffer = BytesIO()
    table.to_parquet(buffer, compression="zstd", index=False)
    return write_atomically(folder / HELD_OUT, buffer.getvalue())


def load_held_out(folder: Path) -> HeldOut | None:
    """What `save_held_out` wrote; None if nobody did.

    Raises:
        GnnmatError: it is damaged.
    """
    table = read_beside(folder, HELD_OUT, FACTS)
    return None if table is None else HeldOut(table)
