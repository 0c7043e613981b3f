"""The candidates of a screen as a page carries them: packed numbers, flags and strings."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError

# Bits of a flag; the script of the page reads the same.
IN_DOMAIN, LEARNED, OUT_OF_FOLD, FRONT, SHORTLISTED = 1, 2, 4, 8, 16
LEARNED_WORDS = {"learned": LEARNED, "out of fold": OUT_OF_FOLD}

KEPT_BITS = 14  # of the 23 of a mantissa: off by 1 part in 30,000 at most, half the size packed


@dataclass(frozen=True)
class Quantity:
    """A column of numbers and what it is called.

    Args:
        column: in the table; an interval, where there is one, lies in ``<column>_low`` and
            ``<column>_high``.
        label: shown to readers; default: the column.
        unit: shown behind a stroke; none for pure numbers.
    """

    column: str
    label: str = ""
    unit: str = ""

    @property
    def name(self) -> str:
        """Label and unit."""
        label = self.label or self.column
        return f"{label} / {self.written_unit}" if self.unit else label

    @property
    def written_unit(self) -> str:
        """The unit as it is printed: a square root has its sign."""
        return self.unit.replace("m^0.5", "√m")


def packed(values: NDArray[Any]) -> str:
    """Bytes of an array, deflated, as base64."""
    return _text(np.ascontiguousarray(values).tobytes())


def packed_numbers(values: ArrayLike) -> str:
    """Little-endian float32 with `KEPT_BITS` of mantissa; what is no number stays none."""
    bits = np.asarray(values, dtype="<f4").view("<u4").astype(np.uint64)
    dropped = 23 - KEPT_BITS
    # Half of the last kept place is added before the rest is cut; it may carry into the exponent.
    rounded = ((bits + (1 << (dropped - 1))) >> dropped) << dropped
    is_finite = (bits & 0x7F800000) != 0x7F800000
    return packed(np.where(is_finite, rounded, bits).astype("<u4"))


def packed_strings(values: Iterable[object]) -> str:
    """A JSON list of texts, deflated, as base64."""
    return _text(json.dumps([str(value) for value in values], ensure_ascii=False).encode())


def _text(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 6)).decode()


def flags(table: pd.DataFrame) -> NDArray[np.uint8]:
    """(rows,) bits of every candidate.

    In the domain is who is in the domain of every model (columns ``in_domain`` or
    ``<model>_in_domain``); learned, who was a training row of any model that has seen it.
    """
    found = np.zeros(len(table), dtype=np.uint8)
    domains = columns_of(table, "in_domain")
    is_inside = np.ones(len(table), dtype=bool)
    for name in domains:
        is_inside &= _bools(table[name])
    found[is_inside] |= IN_DOMAIN
    for name in columns_of(table, "learned"):
        for word, bit in LEARNED_WORDS.items():
            found[(table[name] == word).to_numpy(dtype=bool)] |= bit
    for name, bit in (("front", FRONT), ("shortlisted", SHORTLISTED)):
        if name in table:
            found[_bools(table[name])] |= bit
    return found


def columns_of(table: pd.DataFrame, ending: str) -> list[str]:
    """Columns called ``ending``, or with it behind the name of a model."""
    names = [str(name) for name in table.columns]
    return [name for name in names if name == ending or name.endswith(f"_{ending}")]


def _bools(column: pd.Series) -> NDArray[np.bool_]:
    # A missing flag is none: neither inside nor on the front.
    return np.asarray([value is not pd.NA and value == True for value in column], bool)  # noqa: E712


def checked(table: pd.DataFrame, quantities: Sequence[Quantity]) -> pd.DataFrame:
    """The table with its rows counted from 0.

    Raises:
        GnnmatError: a column is missing, or two candidates have one id.
    """
    wanted = ["id", "formula", *(one.column for one in quantities)]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise GnnmatError(
            f"The table of candidates has no column '{missing[0]}'.",
            why=f"Columns: {', '.join(map(str, table.columns))}.",
            fix="Name columns that a stage of the screen gives.",
        )
    twice = table["id"].astype(str).duplicated()
    if twice.any():
        raise GnnmatError(
            f"Two candidates are called {table['id'][twice].iloc[0]!r}.",
            why="The page finds crystals by id.",
            fix="Give every candidate an id of its own.",
        )
    return table.reset_index(drop=True)


def packed_table(
    table: pd.DataFrame, quantities: Sequence[Quantity], marks: NDArray[np.uint8]
) -> dict[str, Any]:
    """What the script of the page reads: see ``screen_data.js``.

    Args:
        table: checked.
        quantities: x and y of the diagram first, then other columns to show.
        marks: (rows,) see `flags`.
    """
    return {
        "rows": len(table),
        "ids": packed_strings(table["id"]),
        "formulas": packed_strings(table["formula"]),
        "flags": packed(marks),
        "columns": [_packed_quantity(table, one) for one in quantities],
    }


def _packed_quantity(table: pd.DataFrame, one: Quantity) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": one.name,
        "label": one.label or one.column,
        "unit": one.written_unit,
    }
    given["values"] = packed_numbers(numeric(table[one.column]))
    for end in ("low", "high"):
        if f"{one.column}_{end}" in table:
            given[end] = packed_numbers(numeric(table[f"{one.column}_{end}"]))
    return given


def numeric(column: pd.Series) -> NDArray[np.float64]:
    """(rows,) numbers; NaN for what is none."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def csv_lines(shortlist: pd.DataFrame) -> list[str]:
    """The head, then a line a row, of the plain columns of a shortlist; all digits are kept."""
    plain = [name for name in shortlist.columns if _is_plain(shortlist[name])]
    texts = [
        shortlist[plain].iloc[:0],
        *(shortlist[plain].iloc[[i]] for i in range(len(shortlist))),
    ]
    return [
        text.to_csv(index=False, header=i == 0, lineterminator="\r\n")
        for i, text in enumerate(texts)
    ]


def _is_plain(column: pd.Series) -> bool:
    return not any(isinstance(value, list | tuple | dict | np.ndarray) for value in column)
