"""The file formats that a data set card can name; a new data set in one of them is one card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.card_columns import Column, card_values
from gnnmat.sources.card_json import read_jarvis, read_matminer
from gnnmat.sources.columns import check_ids, read_csv
from gnnmat.sources.converted import Reading, converted, read_row
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records
from gnnmat.sources.table import TableSource

Columns = Mapping[str, Column]
Prototyped = tuple[str, str, float | None, float | None, float | None]


class _Reader(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrototypesReader(_Reader):
    """A CSV of named prototypes and lattice parameters: ``prototype, formula, a, c, u``."""

    kind: Literal["prototypes"] = "prototypes"
    id: str = Field("id", description="column of the ids")

    def open(self, file: Path, columns: Columns, origin: str, work: Path) -> Records:
        """The records of one file; see `CardSource.open`."""
        from gnnmat.sources.prototypes import PROTOTYPES

        frame = read_csv(file)
        missing = [name for name in ("prototype", "formula", "a") if name not in frame.columns]
        if missing:
            raise GnnmatError(
                f"'{file}' has no column '{missing[0]}'.",
                why=f"Columns: {', '.join(map(str, frame.columns))}.",
            )
        raws = [
            (row["prototype"], row["formula"], *(_length(row.get(name)) for name in "acu"))
            for row in frame.to_dict("records")
        ]
        numbered = [str(row + 1) for row in range(len(raws))]
        # A prototype that is mended makes other crystals of the same rows.
        sha = hashlib.sha256(repr((raws, PROTOTYPES)).encode()).hexdigest()
        ids = _ids(frame, self.id, numbered, file)
        return _records(ids, raws, frame, columns, origin, file, read_prototype, sha)


class MatminerJsonReader(_Reader):
    """A matminer file: a pandas table in "split" JSON with pymatgen structures, gzip or plain."""

    kind: Literal["matminer_json"] = "matminer_json"
    structure: str = Field("structure", description="column with the structures")
    id_prefix: str = Field(
        "", description="rows are called prefix-0001, prefix-0002, ...; empty: by their number"
    )

    def open(self, file: Path, columns: Columns, origin: str, work: Path) -> Records:
        """The records of one file; see `CardSource.open`."""

        def parse(path: Path) -> tuple[list[Reading], pd.DataFrame]:
            return read_matminer(path, self.structure)

        rows, frame = converted(file, work, parse)
        # As matbench counts them (matbench/data_ops.py, `load`), so that predictions can be
        # compared with the ones recorded there.
        digits = len(str(len(rows)))
        prefix = f"{self.id_prefix}-" if self.id_prefix else ""
        ids = [f"{prefix}{row + 1:0{digits}d}" for row in range(len(rows))]
        return _records(ids, rows, frame, columns, origin, file, read_row, rows.fingerprint())


class JarvisJsonReader(_Reader):
    """A JARVIS file: a JSON list of dictionaries with ``atoms``, zipped or plain."""

    kind: Literal["jarvis_json"] = "jarvis_json"
    id: str = Field("jid", description="key of the ids")

    def open(self, file: Path, columns: Columns, origin: str, work: Path) -> Records:
        """The records of one file; see `CardSource.open`."""
        rows, frame = converted(file, work, read_jarvis)
        ids = _ids(frame, self.id, [str(row + 1) for row in range(len(rows))], file)
        return _records(ids, rows, frame, columns, origin, file, read_row, rows.fingerprint())


class TableReader(_Reader):
    """A parquet, jsonl or csv table with ``lattice``, ``numbers``, ``frac``, or with ``cif``."""

    kind: Literal["table"] = "table"
    id: str | None = Field(None, description="column of the ids; none: 'id', or the row's number")

    def open(self, file: Path, columns: Columns, origin: str, work: Path) -> Records:
        """The records of one file; see `CardSource.open`."""
        records = TableSource(path=str(file), id_column=self.id).open()
        values = card_values(records.table, columns, origin)
        return replace(records, table=values, units=_units(columns))


Reader = Annotated[
    PrototypesReader | MatminerJsonReader | JarvisJsonReader | TableReader,
    Field(discriminator="kind"),
]
READERS = get_args(get_args(Reader)[0])


def read_prototype(raw: Prototyped) -> Crystal:
    """The crystal of a prototype, a formula and lattice parameters in Å.

    Raises:
        GnnmatError: an unknown prototype, or a lattice parameter that is missing.
    """
    from gnnmat.sources.prototypes import build_prototype

    prototype, formula, a, c, u = raw
    if a is None:
        raise GnnmatError("The lattice parameter a is missing.")
    return build_prototype(prototype, formula, a, c, u)


def _length(text: str | None) -> float | None:
    value = pd.to_numeric(text, errors="coerce")
    return None if value is None or pd.isna(value) else float(value)


def _ids(frame: pd.DataFrame, column: str, otherwise: list[str], file: Path) -> list[str]:
    if column not in frame.columns:
        return otherwise
    ids = [str(value).strip() for value in frame[column]]
    check_ids(ids, str(file))
    return ids


def _units(columns: Columns) -> dict[str, str]:
    return {name: column.unit for name, column in columns.items()}


def _records(
    ids: list[str],
    raws: Sequence[Any],
    frame: pd.DataFrame,
    columns: Columns,
    origin: str,
    file: Path,
    read: Callable[[Any], Crystal],
    fingerprint: str,
) -> Records:
    return Records(
        ids=ids,
        raws=raws,
        read=read,
        fingerprint=fingerprint,
        table=card_values(frame, columns, origin),
        units=_units(columns),
        origins=[f"{file.name}, row {row + 1}" for row in range(len(ids))],
    )
