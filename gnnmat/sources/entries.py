"""Results of a database one by one: a crystal with its values, or the reason why there is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.read import read_crystal
from gnnmat.sources.records import Records, Refusal
from gnnmat.sources.rows import ArrayRows, structure_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Entry:
    """One result of a database.

    Args:
        id: its name there; empty where it has none.
        crystal: a checked crystal; None: refused.
        reason: why it is refused, in a plain sentence.
        values: anything JSON can hold, by column.
    """

    id: str
    crystal: Crystal | None
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """The entries as a table: id, lattice, numbers, frac, reason, and the values as JSON."""
    import pyarrow as pa

    crystals = [entry.crystal for entry in entries]
    floats, whole = pa.list_(pa.float64()), pa.list_(pa.int64())
    return pa.table(
        {
            "id": pa.array([entry.id for entry in entries], pa.string()),
            "lattice": pa.array([[] if c is None else c.lattice.ravel() for c in crystals], floats),
            "numbers": pa.array([[] if c is None else c.numbers for c in crystals], whole),
            "frac": pa.array([[] if c is None else c.frac.ravel() for c in crystals], floats),
            "reason": pa.array([entry.reason for entry in entries], pa.string()),
            "values": pa.array([json.dumps(dict(one.values)) for one in entries], pa.string()),
        }
    )


def records_of(
    table: pa.Table, place: str, columns: Sequence[str] | None, units: Mapping[str, str]
) -> Records:
    """The records of a table of entries; those with a reason are refused.

    Args:
        table: as `table_of` makes it.
        place: where the entries come from, for messages.
        columns: the columns of values in order; None: all that any entry has.
        units: unit by column; those of other columns are left out.
    """
    import pyarrow as pa

    ids, reasons = table.column("id").to_pylist(), table.column("reason").to_pylist()
    kept = [row for row, reason in enumerate(reasons) if not reason]
    refused = [
        Refusal(ids[row] or f"result {row + 1}", _origin(place, ids[row], row), reason)
        for row, reason in enumerate(reasons)
        if reason
    ]
    chosen = table.take(pa.array(kept, pa.int64()))
    rows = structure_rows(chosen, Path(place))
    assert isinstance(rows, ArrayRows)
    values = [json.loads(text) for text in chosen.column("values").to_pylist()]
    names = list(dict.fromkeys(name for one in values for name in one))
    wanted = names if columns is None else list(columns)
    frame = pd.DataFrame(
        {name: uniform([one.get(name) for one in values]) for name in wanted},
        index=range(len(kept)),
    )
    return Records(
        ids=[ids[row] for row in kept],
        raws=rows,
        read=read_crystal,
        fingerprint=rows.fingerprint(),
        table=frame,
        units={name: unit for name, unit in units.items() if name in frame.columns},
        origins=[_origin(place, ids[row], row) for row in kept],
        refused=refused,
    )


def _origin(place: str, name: str, row: int) -> str:
    return f"{place}, {name}" if name else f"{place}, result {row + 1}"


def uniform(values: Sequence[Any]) -> pd.Series:
    """Values of one column with one type: numbers, truth values or lists of them, else text.

    A number beyond float64 is missing.
    """
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        return pd.Series(list(values), dtype=bool if len(present) == len(values) else object)
    if present and all(_is_number(value) for value in present):
        return pd.Series([_float(value) for value in values], dtype="float64")
    if present and all(isinstance(value, list) and _is_numeric(value) for value in present):
        return pd.Series(list(values), dtype=object)
    return pd.Series([_text(value) for value in values], dtype=object)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_numeric(one) for one in value)
    return value is None or _is_number(value)


def _float(value: Any) -> float:
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
