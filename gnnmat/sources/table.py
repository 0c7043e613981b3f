"""Crystals from one table: parquet (also in shards), JSON lines or CSV, a row a crystal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.columns import check_ids, check_units, numbers_or_text, read_columns
from gnnmat.sources.elastic import with_elastic
from gnnmat.sources.read import read_crystal
from gnnmat.sources.records import Records, Refusal
from gnnmat.sources.rows import release_table, structure_columns, structure_rows
from gnnmat.sources.shards import find_shards, read_shards

if TYPE_CHECKING:
    import pyarrow as pa


class TableSource(BaseModel):
    """A table with the columns lattice, numbers and frac, or with a column of CIF text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["table"] = "table"
    path: str = Field(
        description="parquet, .jsonl or .csv; columns lattice (9 numbers, Å), numbers, frac "
        "(3 a site), or cif (text); all other columns are values; also a folder of parquet files, "
        "or a pattern such as shards/*.parquet, read as one table; $VARIABLES are filled in",
    )
    id_column: str | None = Field(
        default=None,
        description="column of the ids; none: 'id' if there is one, else the row's number",
    )
    labels: str | None = Field(
        default=None,
        description="second table (parquet or CSV) whose columns are joined by id; "
        "its columns replace columns of the same name",
    )
    ids: str | None = Field(
        default=None,
        description="third table (parquet or CSV): only its ids are kept, its columns are joined "
        "and replace columns of the same name",
    )
    elastic: str | None = Field(
        default=None,
        description="column of elastic tensors (36 numbers or 6 x 6, GPa): adds K_voigt, G_voigt, "
        "K_reuss, G_reuss, K_vrh, G_vrh, anisotropy, poisson; refuses unstable tensors",
    )
    units: dict[str, str] = Field(default={}, description="unit by column")

    def open(self) -> Records:
        """All rows that hold a structure, in the order of the table; nothing is parsed yet.

        A row without a structure, and an id of ``labels`` or ``ids`` without a row, are refused.
        A structure without a label stays, with NaN.

        Raises:
            GnnmatError: a missing file, column or id, an id that appears twice, a wrong type.
        """
        path, shards = find_shards(self.path)
        table, origin = read_shards(shards)
        every_id = row_ids(table, self.id_column, path)
        chosen = read_columns(self.ids) if self.ids is not None else None
        refused: list[Refusal] = []
        if chosen is not None:
            refused += _absent(chosen, every_id, str(self.ids), path)
            places = np.flatnonzero(pd.Index(every_id).isin(chosen.index))
        else:
            places = np.arange(len(every_id))
        reasons = structure_rows(table, path).reasons()
        refused += [
            Refusal(every_id[place], "{}, row {}".format(*origin(int(place))), str(reasons[place]))
            for place in places
            if reasons[place]
        ]
        places = places[~reasons[places].astype(bool)]
        if not len(places):
            raise GnnmatError(f"'{path}' has no row with a structure.", why=_first(refused))
        ids = [every_id[place] for place in places]
        table = table if len(places) == table.num_rows else table.take(places)
        rows = structure_rows(table, path)
        values = _values(table, self.id_column or "id", path)
        if self.labels is not None:
            labels = read_columns(self.labels)
            if chosen is None:
                refused += _absent(labels, every_id, self.labels, path)
            values = _joined(values, labels, ids)
        if chosen is not None:
            values = _joined(values, chosen, ids)
        del table
        release_table()
        records = Records(
            ids=ids,
            raws=rows,
            read=read_crystal,
            fingerprint=rows.fingerprint(),
            table=values,
            units=check_units(self.units, values.columns, str(path)),
            origins=[f"{file.name}, row {row}" for file, row in map(origin, places.tolist())],
            refused=refused,
        )
        return records if self.elastic is None else with_elastic(records, self.elastic)


def row_ids(table: pa.Table, id_column: str | None, path: Path) -> list[str]:
    """The id of every row; its number, counted from 1, if the table names none.

    Raises:
        GnnmatError: no such column, an empty id, or one that appears twice.
    """
    name = id_column or "id"
    if name in table.column_names:
        ids = [str(value).strip() for value in table.column(name).to_pylist()]
        check_ids(ids, str(path))
        return ids
    if id_column is not None:
        raise GnnmatError(
            f"'{path}' has no column '{id_column}'.", fix=did_you_mean(name, table.column_names)
        )
    return [str(row + 1) for row in range(table.num_rows)]


def _values(table: pa.Table, id_column: str, path: Path) -> pd.DataFrame:
    """All columns but the structures and the ids."""
    others = [*structure_columns(table.column_names, path), id_column]
    kept = [name for name in table.column_names if name not in others]
    values = table.select(kept).to_pandas(ignore_metadata=True)
    if path.suffix in {".csv", ".tsv"}:
        for name in values.columns:
            values[name] = numbers_or_text(values[name])
    return values.reset_index(drop=True) if kept else pd.DataFrame(index=range(table.num_rows))


def _joined(values: pd.DataFrame, more: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    own = [name for name in values.columns if name not in more.columns]
    return pd.concat([values[own], more.reindex(ids).reset_index(drop=True)], axis=1)


def _absent(more: pd.DataFrame, ids: list[str], place: str, path: Path) -> list[Refusal]:
    """A refusal for every id of a joined table that the structures lack."""
    missing = more.index[~more.index.isin(ids)]
    if len(missing) == len(more):
        raise GnnmatError(
            f"No id of '{place}' is in '{path}'.",
            why=f"They begin with '{missing[0]}'; those of the structures with '{ids[0]}'."
            if len(missing) and ids
            else "One of the two is empty.",
        )
    return [Refusal(str(name), place, f"no structure with this id in '{path}'") for name in missing]


def _first(refused: list[Refusal]) -> str:
    return f"The first of {len(refused)}: {refused[0].id}: {refused[0].reason}." if refused else ""
