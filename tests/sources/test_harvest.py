"""Pages that are kept: what breaks goes on where it stopped, and nothing old is lost too early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources import harvest as module
from gnnmat.sources import kept_pages
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.entries import Entry
from gnnmat.sources.harvest import Ask, Harvest, Page, harvest
from gnnmat.sources.json_service import Refused

CRYSTAL = Crystal(np.eye(3) * 3, np.array([84]), np.zeros((1, 3)))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path))
    return tmp_path / "queries"


class Database:
    """Pages of two results; it breaks where it is told to.

    Args:
        pages: how many there are.
        mark: of the names of its results, so that one can tell when they came.
    """

    def __init__(self, pages: int = 4, mark: str = "a") -> None:
        self.pages, self.mark = pages, mark
        self.asked: list[str] = []
        self.breaks_at: dict[str, Exception] = {}

    def page(self, place: str) -> Page:
        self.asked.append(place)
        if place in self.breaks_at:
            raise self.breaks_at[place]
        number = int(place or 0)
        entries = [Entry(f"{self.mark}{2 * number + one}", CRYSTAL) for one in range(2)]
        after = str(number + 1) if number + 1 < self.pages else None
        return Page(entries, after, 2 * self.pages)

    @contextmanager
    def open(self) -> Iterator[Ask]:
        yield self.page

    def harvested(self, **options: Any) -> Harvest:
        self.asked.clear()
        return harvest({"q": 1}, "it", self.open, **{"limit": None, **options})


def ids(found: Harvest) -> list[str]:
    return [str(name) for name in found.table.column("id").to_pylist()]


def age(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """From now on, it is some days later."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=days)

    monkeypatch.setattr(module, "datetime", Later)


ALL = [f"a{one}" for one in range(8)]


@pytest.mark.parametrize("error", [GnnmatError("the line broke"), KeyboardInterrupt()])
def test_a_broken_download_goes_on_at_the_page_where_it_stopped(error: Any) -> None:
    database = Database()
    database.breaks_at = {"2": error}
    with pytest.raises(type(error)):
        database.harvested()
    assert database.asked == ["", "1", "2"]
    database.breaks_at = {}
    assert ids(database.harvested()) == ALL
    assert database.asked == ["2", "3"]
    assert ids(database.harvested()) == ALL
    assert database.asked == []


def test_a_damaged_page_and_those_after_it_are_asked_for_again(cache: Path) -> None:
    database = Database()
    database.harvested()
    page = sorted(cache.glob("*/*.parquet"))[1]
    page.write_bytes(page.read_bytes()[:-50])
    assert ids(database.harvested()) == ALL
    assert database.asked == ["1", "2", "3"]


def test_a_link_that_is_no_longer_valid_begins_the_download_again() -> None:
    database = Database()
    database.breaks_at = {"2": GnnmatError("broken")}
    with pytest.raises(GnnmatError, match="broken"):
        database.harvested()
    gone = Refused("gone")
    database.breaks_at = {"2": gone}
    with pytest.raises(Refused):
        database.harvested()
    assert database.asked == ["2", "", "1", "2"]
    database.breaks_at = {}
    assert ids(database.harvested()) == ALL


def test_pages_of_a_database_that_changed_are_not_mixed() -> None:
    old = Database(mark="a")
    assert ids(old.harvested(limit=3)) == ["a0", "a1", "a2"]
    new = Database(pages=5, mark="b")
    assert ids(new.harvested()) == [f"b{one}" for one in range(10)]
    assert new.asked == ["2", "", "1", "2", "3", "4"]


def test_old_pages_are_read_but_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    Database().harvested(limit=4)
    age(monkeypatch, 8)
    new = Database(mark="b")
    assert ids(new.harvested(limit=4)) == ["a0", "a1", "a2", "a3"]
    assert new.asked == []
    new.breaks_at = {"1": GnnmatError("broken")}
    with pytest.raises(GnnmatError):
        new.harvested()
    assert ids(Database(mark="c").harvested(limit=4)) == ["a0", "a1", "a2", "a3"]
    new.breaks_at = {}
    age(monkeypatch, 0)
    assert ids(new.harvested(refresh=True)) == [f"b{one}" for one in range(8)]
    assert new.asked == ["1", "2", "3"]


def test_refreshing_keeps_the_old_results_until_the_new_ones_are_there(cache: Path) -> None:
    Database().harvested()
    new = Database(mark="b")
    new.breaks_at = {"3": GnnmatError("broken")}
    with pytest.raises(GnnmatError):
        new.harvested(refresh=True)
    assert ids(new.harvested()) == ALL
    new.breaks_at = {}
    assert ids(new.harvested(refresh=True))[0] == "b0"
    assert new.asked == ["3"]
    assert ids(new.harvested())[0] == "b0"
    assert [one.name for one in cache.iterdir() if "." in one.name and one.is_dir()] == []


def test_a_first_refresh_that_breaks_goes_on_too() -> None:
    database = Database()
    database.breaks_at = {"3": GnnmatError("broken")}
    with pytest.raises(GnnmatError):
        database.harvested(refresh=True)
    database.breaks_at = {}
    assert ids(database.harvested(refresh=True)) == ALL
    assert database.asked == ["3"]


def test_a_refresh_killed_while_folders_were_swapped_is_found_again(cache: Path) -> None:
    database = Database()
    database.harvested()
    (home,) = (one for one in cache.iterdir() if one.is_dir())
    home.rename(home.with_name(home.name + ".new"))
    assert ids(database.harvested()) == ALL
    assert database.asked == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9])
def test_the_limit_is_exact(limit: int) -> None:
    found = Database().harvested(limit=limit)
    assert ids(found) == ALL[:limit]
    assert found.distinct == min(limit, 8)
    assert found.total == 8


def test_another_query_is_another_folder(cache: Path) -> None:
    database = Database()
    for query in ({"q": 1}, {"q": 2}):
        harvest(query, "it", database.open, limit=1)
    assert len([one for one in cache.iterdir() if one.is_dir()]) == 2


def test_a_cache_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "file"))
    with pytest.raises(GnnmatError, match=r"cannot be kept in[\s\S]*GNNMAT_CACHE"):
        Database().harvested()


def test_a_page_is_written_whole_or_not_at_all(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gnnmat.atomic.os.fsync", full)
    with pytest.raises(GnnmatError, match="No space left"):
        Database().harvested()
    assert list(cache.rglob("*.parquet")) == []
    assert kept_pages.read_pages(next(one for one in cache.iterdir() if one.is_dir())) == []
