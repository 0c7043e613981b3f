"""Pages of results as parquet files of one folder, numbered from 0."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnmat.atomic import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

ABOUT = b"gnnmat"  # what a file says of its query, date and successor, in its schema's metadata


@dataclass(frozen=True)
class Kept:
    """One page that is written down.

    Args:
        table: its entries.
        date: when it came, ISO 8601 in UTC.
        next: what to ask for after it; None: it is the last one.
        total: how many results there are in all, if that was said.
        distinct: its entries that no earlier page had.
    """

    table: pa.Table
    date: str
    next: str | None
    total: int | None
    distinct: int

    @property
    def ids(self) -> list[str]:
        """Names of the entries."""
        return [str(name) for name in self.table.column("id").to_pylist()]


def write_page(folder: Path, number: int, table: pa.Table, about: Mapping[str, Any]) -> Kept:
    """The page, written whole or not at all.

    Args:
        folder: of the query.
        number: of the page.
        table: its entries.
        about: query, next, total and distinct; the date is added.
    """
    import pyarrow.parquet

    said = {**about, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({ABOUT: json.dumps(said).encode()}),
        buffer,
        write_page_checksum=True,
    )
    write_atomically(_file(folder, number), buffer.getvalue())
    return _kept(table, said)


def read_pages(folder: Path) -> list[Kept]:
    """The pages of a folder, in order, up to the first that is missing or damaged."""
    pages: list[Kept] = []
    while (page := _read(_file(folder, len(pages)))) is not None:
        pages.append(page)
    return pages


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.parquet"


def _read(file: Path) -> Kept | None:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file, page_checksum_verification=True)
        return _kept(table.replace_schema_metadata(), json.loads(table.schema.metadata[ABOUT]))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def _kept(table: pa.Table, said: Mapping[str, Any]) -> Kept:
    return Kept(table, said["date"], said["next"], said["total"], said["distinct"])
