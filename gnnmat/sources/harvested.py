"""Records of what a database answered, with what is missing said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gnnmat.errors import GnnmatError
from gnnmat.sources.entries import records_of
from gnnmat.sources.harvest import Harvest
from gnnmat.sources.records import Records


def harvested_records(
    found: Harvest,
    name: str,
    columns: Sequence[str],
    *,
    units: Mapping[str, str],
    limit: int | None,
    asked: str,
    listed: str,
) -> Records:
    """The records of a harvest; on standard error, how much of the database they are not.

    Args:
        found: what was answered.
        name: of the database.
        columns: values to keep.
        units: unit by column.
        limit: results at most; None: all were asked for.
        asked: what was asked, in words.
        listed: where the names of the values are listed.

    Raises:
        GnnmatError: not one crystal, or a column that no result has.
    """
    records = records_of(found.table, name, columns, units)
    if not len(records):
        first = f" The first: {records.refused[0].reason}" if records.refused else ""
        raise GnnmatError(
            f"{name} has not one crystal that fits.",
            why=f"Asked was {asked}; {len(records.refused):,} results were refused.{first}",
        )
    for column in columns:
        if records.table[column].isna().all():
            raise GnnmatError(
                f"{name} gives no '{column}' for any of {len(records):,} crystals.",
                fix=f"Its properties are listed at {listed}",
            )
    _say_missing(found, limit, name)
    return records


def _say_missing(found: Harvest, limit: int | None, name: str) -> None:
    """One line on standard error if there is more than what was taken."""
    from rich.console import Console

    taken = found.distinct
    if found.total is None or taken >= found.total:
        return
    if limit is not None and taken >= limit:
        line = f"{name}: {taken:,} of {found.total:,} results are taken; `limit: null` takes all."
    else:
        line = f"{name}: {found.total:,} results were announced and only {taken:,} came."
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
