"""Space groups and prototypes of many crystals, worked out once and kept in the cache folder."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.engine import Failure, iter_items
from gnnmat.sources.download import cache_folder
from gnnmat.sources.prototype_label import describe
from gnnmat.sources.records import Records
from gnnmat.sources.symmetry_labels import space_group, spglib_version

FORMAT = 2  # change it when what is written down, or how it is found, changes
SHARD = 5000  # crystals written down at a time: some thirty seconds of one core


HELD = ("number", "loose", "prototype", "reason")
Row = tuple[int, int, str, str]  # number, loose number, prototype, reason


@dataclass(frozen=True)
class SpaceGroups:
    """Space groups of many crystals.

    Args:
        number: (n,) at the tolerance, 0 where none was found.
        loose: (n,) at the looser one.
        prototype: (n,) label of the prototype at the tolerance, as `prototype_label.describe`.
        reason: (n,) why a crystal could not be read, else empty.
    """

    number: NDArray[np.int64]
    loose: NDArray[np.int64]
    prototype: NDArray[np.object_]
    reason: NDArray[np.object_]

    def rows(self) -> Iterator[tuple[int, int, str]]:
        """Number, loose number and reason, crystal by crystal."""
        for number, loose, reason in zip(self.number, self.loose, self.reason, strict=True):
            yield int(number), int(loose), str(reason)


def find_space_groups(
    records: Records,
    symprec: float,
    check: float | None,
    *,
    folder: Path | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> SpaceGroups:
    """The space group of every crystal at both tolerances, from the cache where it is known.

    Args:
        records: crystals.
        symprec: tolerance on positions, Å.
        check: looser tolerance, Å; None: the same.
        folder: where results are kept; default ``symmetry`` in the cache folder.
        workers: processes; None chooses by the amount of work.
        quiet: no progress bar.
    """
    home = (folder or cache_folder() / "symmetry") / _key(records, symprec, check)
    rows: dict[int, Row] = {}
    with _alone(home):
        for start in range(0, len(records), SHARD):
            rows.update(_read(home, start, min(SHARD, len(records) - start)))
        missing = [place for place in range(len(records)) if place not in rows]
        results = iter_items(
            _Finder(records.read, symprec, check),
            _Chosen(records.raws, missing),
            workers=workers,
            label="Finding space groups",
            quiet=quiet,
        )
        for place, result in zip(missing, results, strict=True):
            rows[place] = (
                (0, 0, "", result.reason) if isinstance(result, Failure) else (*result, "")
            )
            if (place + 1) % SHARD == 0 or place + 1 == len(records):
                _write(home, place // SHARD * SHARD, rows, place + 1)
    ordered = [rows[place] for place in range(len(records))]
    return SpaceGroups(
        np.array([row[0] for row in ordered], dtype=np.int64),
        np.array([row[1] for row in ordered], dtype=np.int64),
        np.array([row[2] for row in ordered], dtype=object),
        np.array([row[3] for row in ordered], dtype=object),
    )


@dataclass(frozen=True)
class _Finder:
    """Raw item -> both space groups and prototype; a class, so that it can travel to workers."""

    read: Any
    symprec: float
    check: float | None

    def __call__(self, raw: Any) -> tuple[int, int, str]:
        crystal = self.read(raw)
        found = describe(crystal, self.symprec)
        number = found.space_group
        loose = number if self.check is None else space_group(crystal, self.check)
        return number, loose, found.prototype


@dataclass(frozen=True)
class _Chosen(Sequence[Any]):
    """Some of many items, fetched when they are asked for."""

    items: Sequence[Any]
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        return self.items[self.places[place]]


def _key(records: Records, symprec: float, check: float | None) -> str:
    text = f"{FORMAT} {spglib_version()} {symprec!r} {check!r} {len(records)} {records.fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """No other process works on this set; without a folder to write to, nothing is kept."""
    from filelock import FileLock

    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{home}.lock")
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _read(home: Path, start: int, count: int) -> dict[int, Row]:
    """What a shard holds, by place; nothing where it is absent or damaged."""
    try:
        table = pd.read_parquet(home / f"{start:08d}.parquet", page_checksum_verification=True)
        columns: Iterable[Any] = zip(*(table[name].tolist() for name in HELD), strict=True)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(enumerate(columns, start)) if len(table) == count else {}


def _write(home: Path, start: int, rows: dict[int, Row], stop: int) -> None:
    part = [rows[place] for place in range(start, stop)]
    table = pd.DataFrame(part, columns=list(HELD))
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, write_page_checksum=True)
    try:
        write_atomically(home / f"{start:08d}.parquet", buffer.getvalue())
    except OSError:
        # What is kept only saves time; a folder that cannot be written must not stop a run.
        return
