"""Records: what a source hands on, item by item, before anything is a graph or an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gnnmat.errors import GnnmatError, did_you_mean


@dataclass(frozen=True)
class Refusal:
    """One input that was left out, and why, in a plain sentence."""

    id: str
    origin: str
    reason: str


@dataclass(frozen=True)
class Record:
    """One item of a source.

    Args:
        id: unique name.
        raw: what the source holds: a path, CIF text, plain arrays, a Python object.
        targets: value by column name; a number, a class name, or an array (one value an atom).
    """

    id: str
    raw: object
    targets: Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """All items of a source, in its order; nothing is parsed yet.

    Args:
        ids: unique names, one an item.
        raws: what to read, one an item; small and picklable.
        read: picklable function, raw -> `Crystal` or image array; raises `GnnmatError` on a
            bad item.
        fingerprint: hex digest of the structures and of nothing else, so that a change of a
            target leaves the graph cache valid.
        table: one row an item (default index): targets and every other column of the source.
        units: unit by column name.
        origins: where each item came from, for messages (file, table row).
        refused: what was left out already when the source was listed.
        layout: axes that all spectra share, from `SliceLayout.to_dict`; empty for others.
    """

    ids: Sequence[str]
    raws: Sequence[object]
    read: Callable[[Any], Any]
    fingerprint: str
    table: pd.DataFrame
    units: Mapping[str, str] = field(default_factory=dict)
    origins: Sequence[str] = ()
    refused: Sequence[Refusal] = ()
    layout: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.raws) == len(self.table):
            raise ValueError("ids, raws and table differ in length")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, item: int) -> Record:
        targets = {str(name): self.table[name].iloc[item] for name in self.table.columns}
        return Record(self.ids[item], self.raws[item], targets)

    def origin(self, item: int) -> str:
        """Where the item came from."""
        return self.origins[item] if self.origins else self.ids[item]

    def column(self, name: str) -> pd.Series:
        """One column of the table.

        Raises:
            GnnmatError: no such column, with the nearest name.
        """
        if name not in self.table.columns:
            raise GnnmatError(
                f"No column '{name}' in this data set.",
                why=f"Columns: {', '.join(map(str, self.table.columns)) or 'none'}.",
                fix=did_you_mean(name, self.table.columns),
            )
        return self.table[name]

    def take(self, items: Sequence[int]) -> Records:
        """The records at these positions, for a subset such as the first thousand rows."""
        import hashlib

        chosen = [int(item) for item in items]
        sha = hashlib.sha256(self.fingerprint.encode())
        sha.update(repr(chosen).encode())
        return Records(
            ids=[self.ids[item] for item in chosen],
            raws=[self.raws[item] for item in chosen],
            read=self.read,
            fingerprint=sha.hexdigest(),
            table=self.table.iloc[chosen].reset_index(drop=True),
            units=self.units,
            origins=[self.origin(item) for item in chosen],
            refused=self.refused,
            layout=self.layout,
        )
