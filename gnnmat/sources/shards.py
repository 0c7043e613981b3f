"""Tables in several files: the parquet shards of a folder or a pattern, read as one."""

from __future__ import annotations

import glob
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from gnnmat.errors import GnnmatError
from gnnmat.sources.paths import existing_file, expand_path
from gnnmat.sources.rows import read_table, structure_columns

if TYPE_CHECKING:
    import pyarrow as pa


Origin = Callable[[int], tuple[Path, int]]  # row of the whole -> its file, its row from 1 there


def find_shards(text: str) -> tuple[Path, list[Path]]:
    """The path as the user means it, and the files of the table, sorted by name.

    Of a folder, all parquet files that lie in it count, but hidden ones and those whose names
    begin with an underscore, which others write beside their shards.

    Raises:
        GnnmatError: no such file, or no parquet file in a folder or for a pattern.
    """
    path = expand_path(text)
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
    elif not path.exists() and glob.has_magic(str(path)):
        files = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        strange = [file for file in files if file.suffix != ".parquet"]
        if strange:
            raise GnnmatError(f"'{text}' also fits '{strange[0]}', which is no parquet file.")
    else:
        return path, [existing_file(text, "The table")]
    files = [file for file in files if file.is_file() and not file.name.startswith((".", "_"))]
    if not files:
        what = "folder" if path.is_dir() else "pattern"
        raise GnnmatError(
            f"The {what} '{path}' holds no table.",
            why="Looked for parquet files with the columns lattice, numbers, frac, or cif.",
        )
    return path, files


def read_shards(files: Sequence[Path]) -> tuple[pa.Table, Origin]:
    """The rows of all files, one after the other, and where a row comes from.

    A column that only some files have is missing in the others.

    Raises:
        GnnmatError: a file that is no table or has no structures, or a column with types that do
            not fit together.
    """
    import pyarrow as pa

    tables = [read_table(file) for file in files]
    ends = list(accumulate(table.num_rows for table in tables))

    def origin(row: int) -> tuple[Path, int]:
        shard = bisect_right(ends, row)
        return files[shard], row - (ends[shard - 1] if shard else 0) + 1

    if len(tables) == 1:
        return tables[0], origin
    for file, table in zip(files, tables, strict=True):
        structure_columns(table.column_names, file)
    try:
        return pa.concat_tables(tables, promote_options="permissive"), origin
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise GnnmatError(
            f"The shards of '{files[0].parent}' are no single table.", why=f"{reason}."
        ) from error
