"""A screen from candidates to shortlist, interrupted and not."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening import folder as folder_module
from gnnmat.workflows.screening import work as work_module
from gnnmat.workflows.screening.run import screen
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.filter import Filter

from .small import recipe, some_crystals, some_records

SMALL = {"kind": "filter", "keep": "volume < 17"}
HEAVY = {"kind": "filter", "name": "heavy", "keep": "mass > 15"}
BEST = {"kind": "best", "by": "volume", "keep": 9}


def by_hand() -> list[str]:
    """What SMALL, HEAVY and BEST leave of the candidates, counted without the engine."""
    from ase.data import atomic_masses

    rows = []
    for name, one in some_crystals().items():
        volume = one.volume / 2
        if volume < 17 and atomic_masses[one.numbers].mean() > 15:
            rows.append((-volume, name))
    return [name for _, name in sorted(rows)[:9]]


def test_what_is_left_is_what_a_hand_count_leaves(tmp_path: Path) -> None:
    found = screen(recipe(SMALL, HEAVY, BEST), tmp_path, records=some_records(), workers=1)
    assert list(found.shortlist["id"]) == by_hand()
    assert 0 < len(by_hand()) < 30


def test_every_candidate_is_counted_once_in_the_funnel(tmp_path: Path) -> None:
    found = screen(recipe(SMALL, HEAVY, BEST), tmp_path, records=some_records(), workers=1)
    into = 30
    for one in found.summary["stages"]:
        assert one["into"] == into
        assert one["into"] == one["out"] + sum(one["dropped"].values())
        into = one["out"]
    table = found.candidates
    assert sorted(table["id"]) == sorted(some_crystals())
    assert (table["dropped_by"] == "").sum() == into
    assert set(table.loc[table["dropped_by"] == "heavy", "dropped_because"]) == {"not mass > 15"}


def test_crystals_of_the_shortlist_are_files_that_read_back(tmp_path: Path) -> None:
    from pymatgen.core import Structure

    found = screen(recipe(SMALL, BEST), tmp_path, records=some_records(), workers=1)
    files = sorted((tmp_path / "shortlist").glob("*.cif"))
    assert len(files) == len(found.shortlist) == 9
    first = found.shortlist["id"][0]
    assert files[0].name == f"001-{first}.cif"
    assert np.isclose(Structure.from_file(files[0]).volume, some_crystals()[first].volume, 1e-4)


def test_a_stage_after_the_order_keeps_it(tmp_path: Path) -> None:
    found = screen(recipe(BEST, SMALL, HEAVY), tmp_path, records=some_records(60), workers=1)
    volumes = found.shortlist["volume"].to_numpy()
    assert (np.diff(volumes) <= 0).all()


class Killed(BaseException):
    """As abrupt as a signal: nothing catches it."""


def killed_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so many files be written, and none after them."""
    left = [writes]
    write = folder_module.write_atomically

    def counted(path: Path, content: Any) -> Path:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return write(path, content)

    monkeypatch.setattr(folder_module, "write_atomically", counted)


def test_killed_anywhere_and_resumed_it_is_the_same_byte_by_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(SMALL, BEST, HEAVY)
    screen(config, tmp_path / "whole", records=some_records(), workers=1)
    kills = 0
    for _ in range(60):
        with monkeypatch.context() as patch:
            killed_after(1, patch)
            try:
                screen(config, tmp_path / "cut", records=some_records(), workers=1)
            except Killed:
                kills += 1
                continue
        break
    assert kills > 10
    for name in ("shortlist.csv", "candidates.parquet"):
        whole, cut = (tmp_path / one / name for one in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()


def test_what_was_answered_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    judge = work_module.judge

    def counted(opened: Any, table: pd.DataFrame) -> Judged:
        asked.append(len(table))
        return judge(opened, table)

    monkeypatch.setattr(work_module, "judge", counted)
    screen(recipe(SMALL, HEAVY), tmp_path, records=some_records(), workers=1)
    first = len(asked)
    screen(recipe(SMALL, HEAVY), tmp_path, records=some_records(), workers=1)
    assert len(asked) == first > 0
    # Another last stage: the first one's answers are kept, the last one's made anew.
    other = {"kind": "filter", "keep": "mass > 20"}
    screen(recipe(SMALL, other), tmp_path, records=some_records(), workers=1)
    assert len(asked) == first + 5  # shards
    # Another first stage: nothing is true any more.
    screen(recipe(other, HEAVY), tmp_path, records=some_records(), workers=1)
    assert len(asked) == first + 5 + 10


def test_other_candidates_are_not_taken_for_the_same(tmp_path: Path) -> None:
    screen(recipe(SMALL), tmp_path, records=some_records(30), workers=1)
    again = screen(recipe(SMALL), tmp_path, records=some_records(40), workers=1)
    assert again.summary["candidates"] == 40


@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path: Path) -> None:
    config = recipe(SMALL, HEAVY, BEST)
    screen(config, tmp_path / "one", records=some_records(), workers=1)
    screen(config, tmp_path / "two", records=some_records(), workers=2)
    one, two = (tmp_path / name / "shortlist.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_stage_that_breaks_on_one_crystal_loses_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(table: pd.DataFrame) -> Judged:
        if "c-011" in set(table["id"]):
            raise ZeroDivisionError("a cell of no size")
        return Judged.of(table)

    monkeypatch.setattr(Filter, "open", lambda self, folder: breaks)
    work_module._opened.cache_clear()
    found = screen(recipe(SMALL), tmp_path, records=some_records(), workers=1)
    work_module._opened.cache_clear()
    assert found.summary["stages"][0]["dropped"] == {
        "failed: ZeroDivisionError: a cell of no size": 1
    }
    assert len(found.shortlist) == 29


def test_a_crystal_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    from gnnmat.sources.files import FilesSource

    crystals = Path(__file__).parents[2] / "crystals"
    source = FilesSource(structures=str(crystals))
    found = screen(recipe({"kind": "filter", "keep": "atoms > 0"}), tmp_path, records=source.open())
    assert found.summary["unread"] == sum(found.summary["unread_because"].values()) >= 2
    assert any("disordered" in one for one in found.summary["unread_because"])


def test_a_full_disk_is_said_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: Any) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    config = recipe(SMALL, BEST)
    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_atomically", full)
        with pytest.raises(GnnmatError, match="No space left"):
            screen(config, tmp_path, records=some_records(), workers=1)
    assert len(screen(config, tmp_path, records=some_records(), workers=1).shortlist) == 9


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    screen(recipe(SMALL, HEAVY), tmp_path, records=some_records(), workers=1)
    part = next((tmp_path / "stages").glob("01-filter-*/part-00000.parquet"))
    part.write_bytes(b"half")
    with pytest.raises(GnnmatError, match="part-00000.parquet is damaged"):
        screen(recipe(SMALL, BEST), tmp_path, records=some_records(), workers=1)


def test_no_candidate_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="no candidate"):
        screen(recipe(SMALL), tmp_path, records=some_records().take([]), workers=1)


def test_nothing_left_is_an_answer(tmp_path: Path) -> None:
    none = {"kind": "filter", "keep": "volume < 0"}
    found = screen(recipe(none, HEAVY, BEST, SMALL), tmp_path, records=some_records(), workers=1)
    assert len(found.shortlist) == 0
    assert [one["into"] for one in found.summary["stages"]] == [30, 0, 0, 0]


def test_a_missing_column_is_said_before_anything_is_written(tmp_path: Path) -> None:
    wrong = {"kind": "filter", "keep": "hardness > 3"}
    with pytest.raises(GnnmatError, match="needs a column 'hardness'"):
        screen(recipe(SMALL, wrong), tmp_path, records=some_records(), workers=1)
    assert not list(tmp_path.rglob("part-*"))


def test_sodium_nitride_has_a_formula(tmp_path: Path) -> None:
    from gnnmat.sources.objects import records_from_objects

    from .small import rock_salt

    records = records_from_objects([rock_salt(11, 7, 5.0)], ["salt"])
    found = screen(recipe({"kind": "filter", "keep": "atoms > 0"}), tmp_path, records=records)
    assert list(found.shortlist["formula"]) == ["NaN"]


def test_slow_stages_get_few_candidates_at_a_time_behind_an_order(tmp_path: Path) -> None:
    from gnnmat.workflows.screening.legs import shard_sizes

    relax = {"kind": "relax", "calculator": "lj", "steps": 0}
    stages = recipe(relax, BEST, SMALL, relax, BEST, HEAVY).stages
    assert shard_sizes(stages, 7) == [7, 7, 4, 4, 7, 7]
    ends = ({"kind": "filter", "keep": "volume > 0"},)
    short = screen(recipe(BEST, *ends), tmp_path, records=some_records(), workers=1)
    parts = len(list((tmp_path / "stages").glob("02-filter-*/part-*")))
    # One stage more, and the shards before it are others: nothing is taken for what it is not.
    longer = recipe(BEST, *ends, {**relax, "calculator_options": {"sigma": 1.0}})
    found = screen(longer, tmp_path, records=some_records(), workers=1)
    assert parts == 2
    assert found.summary["stages"][2]["into"] == len(short.shortlist) == 9
    assert len(list((tmp_path / "stages").glob("02-filter-*/part-*"))) == 2 + 3
