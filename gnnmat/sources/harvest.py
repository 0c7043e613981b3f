"""What a database answered, page by page, kept in the cache folder.

A page is written down as soon as it is there, so a download that breaks goes on where it stopped,
and a whole one is opened without any network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.errors import GnnmatError
from gnnmat.progress import with_progress
from gnnmat.sources.download import cache_folder
from gnnmat.sources.entries import Entry, table_of
from gnnmat.sources.json_service import Refused
from gnnmat.sources.kept_pages import Kept, read_pages, write_page

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1  # change it when what is written down, or how entries are read, changes
STALE = timedelta(days=7)  # databases change: older pages are not continued, but begun again
MOST = 10_000_000  # results; no database has as many crystals, so it is one that never ends


@dataclass(frozen=True)
class Page:
    """One answer of a database.

    Args:
        entries: its results.
        next: what to ask for after it; None: it is the last one.
        total: how many results there are in all, if the database says so.
    """

    entries: Sequence[Entry]
    next: str | None
    total: int | None


Ask = Callable[[str], Page]  # what to ask for, empty at first -> the page
Open = Callable[[], AbstractContextManager[Ask]]


@dataclass(frozen=True)
class Harvest:
    """What is known of a query.

    Args:
        table: the entries, as `gnnmat.sources.entries.table_of` makes them.
        distinct: entries with a name, copies not counted.
        total: how many the database said there are.
        dates: when the first and the last page came, in UTC.
    """

    table: pa.Table
    distinct: int
    total: int | None
    dates: tuple[str, str]


class _BeginAgain(Exception):
    """What was kept does not fit what comes now."""


def harvest(
    query: Mapping[str, Any], name: str, open: Open, *, limit: int | None, refresh: bool = False
) -> Harvest:
    """The results of a query, from the cache folder as far as they are there.

    Args:
        query: all that says which results these are; plain values, nothing secret.
        name: of the database, for messages.
        open: connects to it; called only where something is missing.
        limit: results at most; None: all.
        refresh: ask for everything again; the old results stay until the new ones are there.

    Raises:
        GnnmatError: from ``open``; a database that sends the same page again or never ends; a
            cache folder that cannot be written.
    """
    text = json.dumps([FORMAT, dict(query)], sort_keys=True)
    home = cache_folder() / "queries" / hashlib.sha256(text.encode()).hexdigest()[:32]
    fresh = home.with_name(home.name + ".new")
    with _alone(home):
        if fresh.is_dir() and not home.is_dir() and not refresh:  # killed while they were swapped
            fresh.rename(home)
        pages = read_pages(home)
        if refresh or not _enough(pages, limit):
            continued = not refresh and not _is_stale(pages)
            asking = _Asking(dict(query), name, limit)
            with open() as ask:
                pages = _fetched(home if continued else fresh, fresh, asking, ask)
            _swap(fresh, home)
    return _joined(pages, limit)


@dataclass(frozen=True)
class _Asking:
    """What is asked, of whom, and how much of it."""

    query: Mapping[str, Any]
    name: str
    limit: int | None


def _fetched(folder: Path, fresh: Path, asking: _Asking, ask: Ask) -> list[Kept]:
    """All pages of a query; those that the folder lacks are asked for.

    What does not fit the pages of the folder is begun again, in the fresh one.
    """
    if folder == fresh and _is_stale(read_pages(fresh)):
        shutil.rmtree(fresh)
    try:
        return _go_on(folder, asking, ask)
    except _BeginAgain:
        shutil.rmtree(fresh, ignore_errors=True)
        return _go_on(fresh, asking, ask)


def _swap(fresh: Path, home: Path) -> None:
    """The fresh pages, if there are any, in place of the old ones."""
    if not fresh.is_dir():
        return
    old = home.with_name(home.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if home.is_dir():
        home.rename(old)
    fresh.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def _go_on(folder: Path, asking: _Asking, ask: Ask) -> list[Kept]:
    """The pages in a folder and those after them, until there are enough."""
    pages = read_pages(folder)
    new = _new_pages(folder, list(pages), asking, ask)
    first = next(new, None)
    if first is None:
        return pages
    pages.append(first)

    def results() -> Iterator[int]:
        for page in new:
            pages.append(page)
            yield from range(page.distinct)

    wanted = min(first.total or 0, MOST if asking.limit is None else asking.limit)
    expected = max(0, wanted - sum(page.distinct for page in pages))
    for _ in with_progress(results(), expected, f"Asking {asking.name}", quiet=False):
        pass
    return pages


def _new_pages(folder: Path, kept: Sequence[Kept], asking: _Asking, ask: Ask) -> Iterator[Kept]:
    """Page after page, each written down before it is handed on."""
    seen = {id for page in kept for id in page.ids}
    last = kept[-1] if kept else None
    count, number, limit = sum(page.distinct for page in kept), len(kept), asking.limit
    while not (last and last.next is None) and (limit is None or count < limit):
        if count >= MOST:
            raise GnnmatError(f"{asking.name} sends no end of results: {count:,} so far.")
        resumed = bool(kept) and number == len(kept)
        try:
            page = ask(last.next or "" if last else "")
        except Refused as error:
            if resumed:  # a link of another day, which is no longer valid
                raise _BeginAgain from error
            raise
        if resumed and last and page.total != last.total:
            raise _BeginAgain
        entries = _without_copies(page.entries, seen)
        distinct = sum(bool(entry.id) and entry.reason != COPY for entry in entries)
        if not distinct and page.next is not None:
            raise _nothing_new(asking.name, number + 1, count)
        about = {"query": dict(asking.query), "next": page.next, "total": page.total}
        last = write_page(folder, number, table_of(entries), {**about, "distinct": distinct})
        number, count = number + 1, count + distinct
        yield last


def _nothing_new(name: str, number: int, count: int) -> GnnmatError:
    return GnnmatError(
        f"{name} sends the same page again and again, after {count:,} results.",
        why=f"Page {number} brought nothing new and says that there are more.",
        fix=f"`limit: {count}` takes what came before." if count else "",
    )


COPY = "the database sent it twice; the first one is kept"


def _without_copies(entries: Sequence[Entry], seen: set[str]) -> list[Entry]:
    """The entries; one whose id came before is refused. Ids are added to those seen."""
    made = []
    for entry in entries:
        is_copy = bool(entry.id) and entry.id in seen
        made.append(replace(entry, crystal=None, reason=COPY, values={}) if is_copy else entry)
        seen.add(entry.id)
    return made


def _enough(pages: Sequence[Kept], limit: int | None) -> bool:
    if not pages:
        return False
    count = sum(page.distinct for page in pages)
    return pages[-1].next is None or (limit is not None and count >= limit)


def _is_stale(pages: Sequence[Kept]) -> bool:
    return bool(pages) and datetime.now(UTC) - datetime.fromisoformat(pages[0].date) > STALE


def _joined(pages: Sequence[Kept], limit: int | None) -> Harvest:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables([page.table for page in pages])
    # What has no name, and copies, do not count: the limit is reached where so many others came.
    counts = pc.and_(pc.not_equal(table["reason"], COPY), pc.not_equal(table["id"], ""))
    so_far = pc.cumulative_sum(pc.cast(counts, pa.int64()))
    reached = -1 if limit is None else pc.index(so_far, limit).as_py()
    distinct = so_far[reached].as_py() if table.num_rows else 0
    table = table if reached < 0 else table.slice(0, reached + 1)
    return Harvest(table, distinct, pages[-1].total, (pages[0].date, pages[-1].date))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """No other process asks the same; an error of the disk is one of the cache folder."""
    from filelock import FileLock

    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{home}.lock"):
            yield
    except OSError as error:
        raise GnnmatError(
            f"What the database sends cannot be kept in '{home.parent}'.",
            why=f"{error.strerror or error}.",
            fix="Free some space, or name another folder with GNNMAT_CACHE.",
        ) from error
