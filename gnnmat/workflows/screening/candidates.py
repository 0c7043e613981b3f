"""Candidates from any source, read once and written down in shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gnnmat.engine import Failure, iter_items
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records
from gnnmat.workflows.screening.config import ScreenConfig
from gnnmat.workflows.screening.folder import (
    REASON,
    StageFiles,
    read_about,
    read_table,
    write_table,
)
from gnnmat.workflows.screening.stage import Stage
from gnnmat.workflows.screening.stages.predict import Predict
from gnnmat.workflows.screening.table import ARRAYS, FACTS, rows_of

LONGEST = 80  # characters of a word that goes along


def kept_columns(
    records: Records, wanted: Sequence[str] | None, stages: Sequence[Stage] = ()
) -> dict[str, str]:
    """Columns of the source that go along, and what they are called in the screen.

    They are those wanted, or all that hold one value a crystal. A column of the name that a stage
    gives to an answer of its own is called ``given_<name>``.

    Raises:
        GnnmatError: no such column.
    """
    own = {"id", *FACTS, *ARRAYS}
    if wanted is not None:
        for name in wanted:
            records.column(name)
        names = list(wanted)
    else:
        table = records.table
        names = [str(one) for one in table.columns if str(one) not in own and _is_plain(table[one])]
    taken = own | {one for stage in stages for one in stage.gives() or ()}
    return {name: f"given_{name}" if name in taken else name for name in names}


def _is_plain(column: pd.Series) -> bool:
    """Whether a column holds numbers, or words and nothing else."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    return all(isinstance(one, str) and len(one) <= LONGEST for one in column.dropna())


def digest_of(records: Records, columns: Mapping[str, str]) -> str:
    """Digest of the candidates: structures, ids, and the columns that go along."""
    sha = hashlib.sha256(records.fingerprint.encode())
    sha.update(json.dumps([list(map(str, records.ids)), dict(columns)]).encode())
    for name in columns:
        texts = records.table[name].astype(str)
        sha.update(pd.util.hash_pandas_object(texts, index=False).to_numpy().tobytes())
    return sha.hexdigest()


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
    columns: Mapping[str, str],
    *,
    workers: int | None = None,
    quiet: bool = False,
) -> int:
    """Write what is missing of the candidates; the number of shards.

    Args:
        records: what to read.
        files: of the candidates.
        shard: rows of a shard; a crystal that cannot be read is missing in its shard.
        columns: of the source that go along, see `kept_columns`.
        workers: processes.
        quiet: no progress bar.

    Raises:
        GnnmatError: not one candidate can be read.
    """
    count = -(-len(records) // shard)
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
        _write_shard(records, files, one, one * shard, read, columns)
    if not any(len(read_table(files.part(one), arrays=False)) for one in range(count)):
        first = read_about(files.part(0)).get("refused", [{}])[0]
        raise GnnmatError(
            "Not one candidate can be read.", why=f"{first.get('id')}: {first.get(REASON)}"
        )
    return count


def _write_shard(
    records: Records,
    files: StageFiles,
    number: int,
    start: int,
    read: Sequence[Crystal | Failure],
    columns: Mapping[str, str],
) -> None:
    fine = [place for place, one in enumerate(read) if not isinstance(one, Failure)]
    crystals = [one for one in read if not isinstance(one, Failure)]
    table = rows_of([str(records.ids[start + place]) for place in fine], crystals)
    for name, called in columns.items():
        table[called] = records.table[name].iloc[[start + place for place in fine]].to_numpy()
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


def check_columns(config: ScreenConfig, columns: Sequence[str]) -> None:
    """Refuse a screen one of whose stages, or whose page, needs a column that nothing gives.

    Args:
        config: of the screen; after a stage that cannot say what it gives nothing is checked.
        columns: of the source.

    Raises:
        GnnmatError: a column that is not there, with the nearest name; two models of one name.
    """
    there, models = [*FACTS, *columns], set()
    for stage in config.stages:
        _need(f"Stage '{stage.title}'", stage.needs(), there)
        if isinstance(stage, Predict):
            if stage.called in models:
                raise GnnmatError(
                    f"Two stages ask a model that is called '{stage.called}' in columns.",
                    fix="Give one of them another name: model=...",
                )
            models.add(stage.called)
        given = stage.gives()
        if given is None:
            return
        there += given
    axes = [one for one in (config.page.x, config.page.y) if one is not None]
    _need("The page", axes, there)


def _need(who: str, names: Sequence[str], there: Sequence[str]) -> None:
    missing = [one for one in names if one not in there]
    if missing:
        shown = [one for one in there if not one.endswith(("_low", "_high", "_members"))]
        raise GnnmatError(
            f"{who} needs a column '{missing[0]}', which nothing before it gives.",
            why=f"There are {', '.join(shown)}.",
            fix=did_you_mean(missing[0], there),
        )
