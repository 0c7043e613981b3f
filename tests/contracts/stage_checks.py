"""What every stage of a screen must do, each as a check with a name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage
from gnnmat.workflows.screening.table import ARRAYS, FACTS, rows_of

from . import crystals

Check = Callable[[Stage, Path], None]
UNKNOWN = "columns that are not in the table"


def candidates(copies: int = 1) -> pd.DataFrame:
    """Small crystals, with the columns that the examples of stages ask for."""
    several = [
        crystals.rock_salt_primitive(),
        crystals.perovskite(),
        crystals.magnesium(),
        crystals.diamond(),
    ] * copies
    table = rows_of([f"c{place}" for place in range(len(several))], several)
    places = np.arange(len(table))
    return table.assign(
        K_vrh=100.0 + places, G_vrh=60.0 + places, e_form=-0.5 + 0.1 * places, hardness=9.0 - places
    )


def opened(stage: Stage, folder: Path) -> Opened:
    """The stage at work; a table lacks nothing that it needs."""
    table = candidates()
    missing = [one for one in stage.needs() if one not in table]
    assert not missing, f"{UNKNOWN}: {missing}"
    return stage.open(folder)


def says_one_thing_of_every_candidate(stage: Stage, folder: Path) -> None:
    """As many reasons and rows as candidates, with their index; the table itself is left alone."""
    table = candidates()
    table.index = pd.Index([7, 3, 11, 5])
    before = table.copy(deep=True)
    judged = opened(stage, folder)(table)
    assert isinstance(judged, Judged)
    assert len(judged.reasons) == len(judged.columns) == len(table)
    assert list(judged.columns.index) == list(table.index)
    assert all(isinstance(one, str) for one in judged.reasons)
    for name in table:
        same = [np.array_equal(a, b) for a, b in zip(before[name], table[name], strict=True)]
        assert all(same), f"the table's {name} was changed"


def gives_what_it_promises(stage: Stage, folder: Path) -> None:
    """Columns that ``gives`` names; units of columns that are there."""
    judged = opened(stage, folder)(candidates())
    given = stage.gives()
    if given is not None:
        own = [one for one in judged.columns if one not in (*FACTS, *ARRAYS)]
        strangers = [one for one in own if one not in given]
        assert not strangers, f"gives() does not name {strangers}"
    assert set(judged.units) <= set(judged.columns)


def orders_what_it_keeps(stage: Stage, folder: Path) -> None:
    """An order names every kept row once, and no other."""
    judged = opened(stage, folder)(candidates())
    if judged.order is not None:
        kept = np.flatnonzero(judged.reasons == KEPT)
        assert sorted(judged.order) == kept.tolist()


def takes_an_empty_table_or_one_row(stage: Stage, folder: Path) -> None:
    """One candidate alone is an answer."""
    judged = opened(stage, folder)(candidates().iloc[[0]])
    assert len(judged.reasons) == 1


def does_not_depend_on_the_others(stage: Stage, folder: Path) -> None:
    """A stage without ``whole`` says the same of a candidate in any company and order."""
    if stage.whole:
        return
    table = candidates()
    whole = opened(stage, folder / "a")(table)
    part = opened(stage, folder / "b")(table.iloc[[2, 0]])
    assert list(part.reasons) == list(whole.reasons[[2, 0]])
    for name in part.columns:
        pair = zip(part.columns[name], whole.columns[name].iloc[[2, 0]], strict=True)
        for mine, other in pair:
            assert _alike(mine, other), f"{name}: {mine} in one company, {other} in another"


def is_written_and_read_back(stage: Stage, folder: Path) -> None:
    """As plain options, in the files of a screen, and to another process."""
    from gnnmat.workflows.screening.folder import read_answer, write_answer

    plain = stage.model_dump(mode="json")
    assert type(stage).model_validate(plain) == stage
    assert pickle.loads(pickle.dumps(stage)) == stage
    table = candidates()
    judged = opened(stage, folder)(table)
    write_answer(folder / "part.parquet", table, judged, 1.0)
    read = read_answer(folder / "part.parquet")
    assert list(read.table["id"]) == list(table["id"])
    assert dict(read.units) == dict(judged.units)


def explains_every_option(stage: Stage, folder: Path) -> None:
    """A docstring, and a description of each option: they are the help."""
    assert (type(stage).__doc__ or "").strip()
    for name, field in type(stage).model_fields.items():
        assert name == "kind" or field.description, f"{name} has no description"


CHECKS: tuple[Check, ...] = (
    says_one_thing_of_every_candidate,
    gives_what_it_promises,
    orders_what_it_keeps,
    takes_an_empty_table_or_one_row,
    does_not_depend_on_the_others,
    is_written_and_read_back,
    explains_every_option,
)


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, (list, tuple, np.ndarray)):
        return bool(np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-5))
    if isinstance(one, (float, np.floating)):
        return bool(np.isclose(one, other, rtol=1e-5, equal_nan=True))
    return bool(one == other)
