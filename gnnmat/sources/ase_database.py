"""Crystals of an ASE database: one file with structures, values and data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.columns import check_ids, check_units
from gnnmat.sources.entries import Entry, records_of, table_of
from gnnmat.sources.paths import existing_file
from gnnmat.sources.read import read_crystal
from gnnmat.sources.records import Records

SUFFIXES = {".db": "db", ".json": "json"}
ENERGY = "energy"  # what ASE calls the energy of the calculator, eV


class AseDbSource(BaseModel):
    """An ASE database: ``.db`` (SQLite) or ``.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ase_db"] = "ase_db"
    path: str = Field(description="the database, .db or .json; $VARIABLES are filled in")
    select: str = Field(
        default="", description="which rows, in ASE's words: Na,natoms<20; empty: all"
    )
    id_key: str | None = Field(
        default=None, description="key whose values are the ids; null: the numbers of the rows"
    )
    units: dict[str, str] = Field(default={}, description="unit by column")

    def open(self) -> Records:
        """All selected rows; key-value pairs, ``data`` and the energy are columns.

        Structures without a periodic cell and what is no crystal are refused one by one.

        Raises:
            GnnmatError: no such file, no database, a bad selection or id, no crystal at all.
        """
        path = existing_file(self.path, "The database")
        entries = [self._entry(row) for row in _rows(path, self.select)]
        check_ids([entry.id for entry in entries], str(path))
        records = records_of(table_of(entries), path.name, None, {})
        if not len(records):
            first = f" The first: {records.refused[0].reason}" if records.refused else ""
            raise GnnmatError(
                f"'{path}' holds no crystal"
                + (f" that fits '{self.select}'." if self.select else "."),
                why=f"{len(records.refused)} rows were refused.{first}",
            )
        energy = {ENERGY: "eV"} if ENERGY in records.table.columns else {}
        given = check_units(self.units, records.table.columns, str(path))
        return replace(records, units={**energy, **given})

    def _entry(self, row: Any) -> Entry:
        pairs = dict(row.key_value_pairs)
        name = str(row.id) if self.id_key is None else str(pairs.pop(self.id_key, "")).strip()
        values = {}
        try:
            values = {**_energy(row), **_plain(row.data), **_plain(pairs)}
            return Entry(name, read_crystal(_atoms(row)), "", values)
        except GnnmatError as error:
            return Entry(name, None, error.sentence, values)
        except Exception as error:  # a row may hold whatever its writer put there
            reason = " ".join(str(error).split())[:200]
            return Entry(name, None, f"the row cannot be read: {reason}", values)


def _rows(path: Path, select: str) -> Iterator[Any]:
    """The selected rows, in the order of their numbers."""
    from ase.db import connect

    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise GnnmatError(f"'{path}' is no ASE database.", fix="give a .db or .json file.")
    try:
        yield from connect(str(path), type=kind, use_lock_file=False).select(select, sort="id")
    except GnnmatError:
        raise
    except Exception as error:  # sqlite, json and ASE's parser each have their own
        reason = " ".join(str(error).split()) or type(error).__name__
        where = f" or '{select}' is no selection" if select else ""
        raise GnnmatError(
            f"'{path}' is not a readable ASE database{where}.", why=f"{reason}."
        ) from error


def _atoms(row: Any) -> Any:
    """The bare structure; constraints, momenta and calculators are not asked for."""
    from ase import Atoms

    return Atoms(
        numbers=row.numbers,
        positions=row.positions,
        cell=row.cell,
        pbc=row.pbc,
        info=dict(row.data) if "occupancy" in row.data else None,
    )


def _energy(row: Any) -> dict[str, float]:
    return {ENERGY: float(row.energy)} if ENERGY in row else {}


def _plain(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a column can hold: what JSON can, and arrays as lists."""
    made = {}
    for name, value in dict(pairs).items():
        try:
            made[str(name)] = json.loads(json.dumps(value, default=_listed))
        except (TypeError, ValueError):
            continue
    return made


def _listed(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no column")
