"""Crystals from files: a folder, a file or a pattern, with a CSV of values beside them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.columns import check_units, read_columns
from gnnmat.sources.listing import Item, find_files, list_items
from gnnmat.sources.read import read_crystal
from gnnmat.sources.records import Records, Refusal


class FilesSource(BaseModel):
    """Crystal files and, if there is one, the CSV with their values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    structures: str | tuple[str, ...] = Field(
        description="folder (searched with its sub-folders), file, pattern such as "
        "runs/*/CONTCAR, or a list of these; $VARIABLES are filled in",
    )
    targets: str | None = Field(
        default=None,
        description="CSV with one row a structure; its ids are the files' stems, names or paths",
    )
    id_column: str | None = Field(
        default=None, description="column of the ids; none: the first one"
    )
    units: dict[str, str] = Field(default={}, description="unit by column")

    def open(self) -> Records:
        """All structures with their values; nothing is parsed yet.

        The id is the file's stem, ``stem#1``, ``stem#2`` for files with several structures, and
        the path below the folder where two files share a stem. With a CSV, a structure without a
        row and a row without a structure are refused. Numbers and words that the files carry
        (``info`` of extended XYZ, key-value pairs of an ASE database) are columns as well.

        Raises:
            GnnmatError: nothing found, a bad CSV, or no row that fits any file.
        """
        files, refused = find_files(self.structures)
        items, unread = list_items(files)
        refused += unread
        if not items:
            given = self.structures
            places = given if isinstance(given, str) else ", ".join(given)
            raise GnnmatError(
                f"No crystal file in {places}.",
                why="Looked for CIF, POSCAR, CONTCAR, extended XYZ, JSON, ASE db and traj.",
                fix="Name the folder, a file, or a pattern such as 'cifs/*.cif'.",
            )
        table = info_table(items)
        if self.targets is not None:
            values = read_columns(self.targets, self.id_column)
            matched, unmatched = match_rows(items, list(values.index), self.targets)
            refused += unmatched
            items = [items[place] for place, _ in matched]
            values = values.iloc[[row for _, row in matched]].reset_index(drop=True)
            table = table.iloc[[place for place, _ in matched]].reset_index(drop=True)
            own = [name for name in table.columns if name not in values.columns]
            table = pd.concat([table[own], values], axis=1)
        return Records(
            ids=[item.id for item in items],
            raws=[item.raw for item in items],
            read=read_crystal,
            fingerprint=fingerprint(items),
            table=table,
            units=check_units(self.units, table.columns, str(self.targets or self.structures)),
            origins=[item.origin for item in items],
            refused=refused,
        )


def info_table(items: Sequence[Item]) -> pd.DataFrame:
    """What the files themselves say of each structure; a row an item, missing where unsaid."""
    return pd.DataFrame([item.info for item in items], index=range(len(items)))


def fingerprint(items: Sequence[Item]) -> str:
    """Hex digest of what the files hold, in order; names and values do not enter."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(item.digest)
    return sha.hexdigest()


def match_rows(
    items: Sequence[Item], rows: Sequence[str], place: str
) -> tuple[list[tuple[int, int]], list[Refusal]]:
    """Pairs of item and row, in the order of the items, and what stays without a partner.

    A row may give the id, or any other name of the item (stem, file name, path) that no second
    item shares; a name that several items share is never guessed.

    Raises:
        GnnmatError: not one row fits.
    """
    owners: dict[str, set[int]] = {}
    for number, item in enumerate(items):
        for name in item.names:
            owners.setdefault(name, set()).add(number)
    for number, item in enumerate(items):
        owners[item.id] = {number}
    parts = Counter(item.id.rpartition("#")[0] for item in items if "#" in item.id)
    found: dict[int, int] = {}
    refused: list[Refusal] = []
    for row, name in enumerate(rows):
        owner = owners.get(name, set())
        reason = ""
        if len(owner) > 1:
            options = ", ".join(items[number].id for number in sorted(owner))
            reason = f"the row fits several structures: {options}; name one of them"
        elif not owner and name in parts:
            reason = f"the file holds {parts[name]} structures; name them {name}#1, {name}#2, ..."
        elif not owner:
            reason = "the row has no structure file"
        elif (number := next(iter(owner))) in found:
            reason = f"an earlier row ('{rows[found[number]]}') names the same structure"
        else:
            found[number] = row
        if reason:
            refused.append(Refusal(name, f"{place}, row {row + 1}", reason))
    if not len(rows):
        raise GnnmatError(f"'{place}' has no rows.", fix="One row a structure, below the header.")
    if not found:
        raise GnnmatError(
            f"No row of '{place}' fits any of the {len(items)} structures.",
            why=f"Its ids begin with {_few(rows)}; the files are {_few([i.id for i in items])}.",
            fix="The id column must hold the files' stems; choose it with data.source.id_column.",
        )
    missing = [
        Refusal(item.id, item.origin, f"no row in '{place}'")
        for number, item in enumerate(items)
        if number not in found
    ]
    return [(number, found[number]) for number in sorted(found)], refused + missing


def _few(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
