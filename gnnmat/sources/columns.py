"""Columns of values by id, from CSV and parquet files, with numbers that are numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.paths import existing_file

MISSING = {"", "n/a", "na", "nan", "none", "null", "-", "--", "?"}


def read_columns(path: str | Path, id_column: str | None = None) -> pd.DataFrame:
    """Columns of a CSV or parquet file, indexed by id (text).

    In a CSV, a column in which all values are numbers is a column of numbers; empty fields and
    words such as "n/a" are NaN there. Comma, semicolon and tab separate.

    Args:
        path: the file.
        id_column: the column of ids; None: ``id`` in a parquet file, the first one in a CSV.

    Raises:
        GnnmatError: no such file or column, an id that is empty or appears twice.
    """
    file = existing_file(path, "The table of values")
    if file.suffix == ".parquet":
        frame = read_parquet_frame(file)
        names = [str(name) for name in frame.columns]
        key = id_column or ("id" if "id" in names else names[0])
    else:
        frame = read_csv(file)
        key = id_column or str(frame.columns[0])
    if key not in frame.columns:
        raise GnnmatError(
            f"'{file}' has no column '{key}'.",
            why=f"Columns: {', '.join(map(str, frame.columns))}.",
            fix=did_you_mean(key, frame.columns),
        )
    ids = frame[key].astype(str).str.strip()
    check_ids(ids.tolist(), str(file))
    values = frame.drop(columns=[key])
    if file.suffix != ".parquet":
        for name in values.columns:
            values[name] = numbers_or_text(values[name])
    return values.set_index(pd.Index(ids, name="id"))


def read_parquet_frame(file: Path) -> pd.DataFrame:
    """A parquet file as a data frame, index columns of its writer left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise GnnmatError(f"'{file}' is not a readable parquet file: {error}.") from error
    kept = [name for name in table.column_names if not name.startswith("__index_level_")]
    return table.select(kept).to_pandas(ignore_metadata=True)


def read_csv(file: Path) -> pd.DataFrame:
    """A CSV file with every field as text; spaces around names are dropped.

    Raises:
        GnnmatError: the file is empty, two columns share a name, or a row has more fields than the
            header.
    """
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as stream:
            header = stream.readline()
        # The header is read as a row: told that it is one, pandas renames doubled columns and
        # drops surplus fields.
        rows = pd.read_csv(
            file,
            sep=max(",;\t", key=header.count),
            header=None,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            encoding_errors="replace",
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split())
        raise GnnmatError(f"'{file}' is not a readable CSV file: {reason}.") from error
    frame = rows.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index([str(name).strip() for name in rows.iloc[0]])
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise GnnmatError(f"'{file}' has two columns called '{doubled[0]}'.")
    return frame.fillna("")  # a row that ends early has no values there


def check_ids(ids: list[str], place: str) -> None:
    """Refuse ids that are empty or not unique.

    Raises:
        GnnmatError: naming the id and its rows, counted from 1 below the header.
    """
    seen: dict[str, int] = {}
    for row, name in enumerate(ids, start=1):
        if not name or name.lower() in {"nan", "none"}:
            raise GnnmatError(f"'{place}', row {row}: the id is empty.")
        if name in seen:
            raise GnnmatError(
                f"'{place}': the id '{name}' appears twice, in rows {seen[name]} and {row}.",
                why="Rows are counted from 1 below the header.",
                fix="keep one of the two rows.",
            )
        seen[name] = row


def numbers_or_text(column: pd.Series) -> pd.Series:
    """A text column as numbers if all of its values are numbers, else as it is (None: missing).

    A value such as "1.2 eV" among numbers leaves the column text; whoever needs its numbers, to
    learn them, says which value is none.
    """
    text = column.astype(str).str.strip()
    missing = text.str.lower().isin(MISSING)
    values = pd.to_numeric(text.where(~missing), errors="coerce")
    if bool((values.isna() & ~missing).any()):
        return text.astype(object).where(~missing, None)
    return values


def check_units(units: dict[str, str], columns: pd.Index, place: str) -> dict[str, str]:
    """The units, if every one belongs to a column.

    Raises:
        GnnmatError: a unit for a column that is not there.
    """
    for name in units:
        if name not in columns:
            raise GnnmatError(
                f"units: '{place}' has no column '{name}'.", fix=did_you_mean(name, columns)
            )
    return dict(units)
