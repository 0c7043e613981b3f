"""Candidates from any source, read once and written down in shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gnnmat.engine import Failure, iter_items
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records
from gnnmat.workflows.screening.folder import REASON, StageFiles, write_table
from gnnmat.workflows.screening.stage import Stage
from gnnmat.workflows.screening.table import ARRAYS, FACTS, rows_of

REFUSED = "refused.parquet"


def kept_columns(records: Records, wanted: Sequence[str] | None) -> list[str]:
    """Columns of the source that go along: those wanted, or all that hold one value a crystal.

    Raises:
        GnnmatError: no such column.
    """
    if wanted is not None:
        for name in wanted:
            records.column(name)
        return list(wanted)
    own = {*FACTS, *ARRAYS}
    return [
        str(name)
        for name in records.table.columns
        if str(name) not in own and _is_plain(records.table[name])
    ]


def _is_plain(column: pd.Series) -> bool:
    """Whether a column holds numbers or short words."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    some = column.dropna().head(20)
    return bool(len(some)) and all(isinstance(one, str) and len(one) <= 80 for one in some)


@dataclass(frozen=True)
class _Missing(Sequence[Any]):
    """The raws of the shards that are still to be written."""

    raws: Sequence[Any]
    rows: list[int]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.raws[self.rows[place]]


def write_candidates(
    records: Records,
    files: StageFiles,
    shard: int,
    columns: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    quiet: bool = False,
) -> int:
    """Write what is missing of the candidates; the number of shards.

    Args:
        records: what to read.
        files: of the candidates.
        shard: rows of a shard; a crystal that cannot be read is missing in its shard.
        columns: of the source that go along; None: all plain ones.
        workers: processes.
        quiet: no progress bar.

    Raises:
        GnnmatError: not one candidate can be read.
    """
    count = -(-len(records) // shard)
    names = kept_columns(records, columns)
    missing = [one for one in range(count) if not files.part(one).is_file()]
    rows = [
        row for one in missing for row in range(one * shard, min(len(records), (one + 1) * shard))
    ]
    stream = iter_items(
        records.read,
        _Missing(records.raws, rows),
        workers=workers,
        label="reading candidates",
        quiet=quiet,
    )
    for one in missing:
        size = min(len(records), (one + 1) * shard) - one * shard
        read = [next(stream) for _ in range(size)]
        _write_shard(records, files, one, one * shard, read, names)
    return count


def _write_shard(
    records: Records,
    files: StageFiles,
    number: int,
    start: int,
    read: Sequence[Crystal | Failure],
    names: Sequence[str],
) -> None:
    fine = [place for place, one in enumerate(read) if not isinstance(one, Failure)]
    crystals = [one for one in read if not isinstance(one, Failure)]
    table = rows_of([str(records.ids[start + place]) for place in fine], crystals)
    for name in names:
        table[name] = records.table[name].iloc[[start + place for place in fine]].to_numpy()
    bad = [
        {"id": str(records.ids[start + place]), REASON: one.reason}
        for place, one in enumerate(read)
        if isinstance(one, Failure)
    ]
    write_table(files.part(number), table, {"refused": bad})


def refused_of(records: Records) -> pd.DataFrame:
    """What the source itself left out."""
    return pd.DataFrame(
        [{"id": one.id, REASON: one.reason} for one in records.refused], columns=["id", REASON]
    )


def check_some(records: Records) -> None:
    """Refuse a source without candidates.

    Raises:
        GnnmatError: it has none.
    """
    if not len(records):
        first = records.refused[0] if records.refused else None
        raise GnnmatError(
            "There is no candidate.", why=f"{first.id}: {first.reason}" if first else ""
        )


def check_columns(stages: Sequence[Stage], columns: Sequence[str]) -> None:
    """Refuse a screen one of whose stages needs a column that nothing gives.

    Args:
        stages: in order; after one that cannot say what it gives nothing is checked.
        columns: of the source.

    Raises:
        GnnmatError: a column that is not there, with the nearest name.
    """
    there = [*FACTS, *columns]
    for stage in stages:
        missing = [one for one in stage.needs() if one not in there]
        if missing:
            raise GnnmatError(
                f"Stage '{stage.title}' needs a column '{missing[0]}', which nothing before it "
                "gives.",
                why=f"There are {', '.join(there)}.",
                fix=did_you_mean(missing[0], there),
            )
        given = stage.gives()
        if given is None:
            return
        there += given
