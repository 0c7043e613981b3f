"""Every stage of a screen, and twins that each break one promise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from gnnmat.train.unions import members
from gnnmat.workflows.screening.stage import Judged, Opened, Stage
from gnnmat.workflows.screening.stages.union import AnyStage

from . import stage_checks
from .stage_checks import CHECKS, Check

STAGES: dict[str, Any] = members(AnyStage)


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", STAGES)
def test_stage(kind: str, check: Check, tmp_path: Path) -> None:
    check(STAGES[kind].example(), tmp_path)


class _Sound(Stage):
    """Nothing is wrong with it."""

    kind: str = "sound"

    def open(self, folder: Path) -> Opened:
        return self.look

    def look(self, table: pd.DataFrame) -> Judged:
        return Judged.of(table)


class _Short(_Sound):
    """Says nothing of the last."""

    def look(self, table: pd.DataFrame) -> Judged:
        judged = Judged.of(table)
        return Judged(judged.columns, judged.reasons[:-1])


class _Writer(_Sound):
    """Changes the table."""

    def look(self, table: pd.DataFrame) -> Judged:
        table["volume"] = 0.0
        return Judged.of(table)


class _Secret(_Sound):
    """Gives what it does not name."""

    def gives(self) -> Sequence[str]:
        return ()

    def look(self, table: pd.DataFrame) -> Judged:
        return Judged.of(table, secret=1.0)


class _Unordered(_Sound):
    """Leaves one out of its order."""

    whole: ClassVar[bool] = True

    def look(self, table: pd.DataFrame) -> Judged:
        return Judged.of(table, order=list(range(len(table) - 1)))


class _Company(_Sound):
    """Judges by the others."""

    def look(self, table: pd.DataFrame) -> Judged:
        return Judged.of(table, share=np.full(len(table), table["volume"].mean()))


class _Alone(_Sound):
    """Cannot look at one candidate."""

    def look(self, table: pd.DataFrame) -> Judged:
        return Judged.of(table, gap=np.full(len(table), np.diff(table["volume"])[0]))


class _Silent(_Sound):
    """Has an option without a word about it."""

    depth: int = Field(3)


TWINS = {
    _Short: stage_checks.says_one_thing_of_every_candidate,
    _Writer: stage_checks.says_one_thing_of_every_candidate,
    _Secret: stage_checks.gives_what_it_promises,
    _Unordered: stage_checks.orders_what_it_keeps,
    _Company: stage_checks.does_not_depend_on_the_others,
    _Alone: stage_checks.takes_an_empty_table_or_one_row,
    _Silent: stage_checks.explains_every_option,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.__name__)
def test_the_sound_one_passes(check: Check, tmp_path: Path) -> None:
    check(_Sound(), tmp_path)


@pytest.mark.parametrize("twin", TWINS, ids=lambda one: one.__name__)
def test_a_broken_twin_fails(twin: type[Stage], tmp_path: Path) -> None:
    with pytest.raises((AssertionError, IndexError)):
        TWINS[twin](twin(), tmp_path)


def test_every_stage_can_be_had_in_python() -> None:
    from gnnmat import stages

    offered = {getattr(stages, name) for name in stages.__all__}
    assert set(STAGES.values()) <= offered
