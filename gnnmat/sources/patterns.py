"""Measured powder patterns as records: a folder or an archive, classes by folder or by table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.columns import check_units, read_columns
from gnnmat.sources.files import match_rows
from gnnmat.sources.listing import Item, unique_names
from gnnmat.sources.pattern_listing import PatternFile, digest, list_patterns
from gnnmat.sources.powder_files import FORMAT, parse_powder
from gnnmat.sources.powder_pattern import LONGEST, SHORTEST, PowderPattern
from gnnmat.sources.records import Records, Refusal


class PatternsSource(BaseModel):
    """Files of measured powder patterns, in a folder or a .zip archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["patterns"] = "patterns"
    path: str = Field(
        description="folder (searched with its sub-folders), .zip archive, or file; .xy, .xye, "
        ".txt, .dat, .csv, .xrdml, .ras, .brml; $VARIABLES are filled in"
    )
    label: Literal["folder"] | None = Field(
        default=None, description="'folder': the class of a pattern is the name of its folder"
    )
    column: str = Field(
        default="label", min_length=1, description="column of the classes, for label and rename"
    )
    labels: str | None = Field(
        default=None,
        description="CSV or parquet with a row a pattern; its ids are the files' stems, names or "
        "paths, and its columns replace columns of the same name",
    )
    id_column: str | None = Field(
        default=None, description="column of the ids in labels; none: the first one"
    )
    rename: dict[str, str] = Field(
        default={}, description="other names for classes: {P61mmc: P6_3/mmc}"
    )
    series: str | dict[str, str] | None = Field(
        default=None,
        description="regular expression searched in the file's name without its ending: what its "
        "groups match, or all that it matches, is the column 'series'; or several by the name of "
        "the series, of which the first that is found counts. A file without any is a series of "
        "its own",
    )
    wavelength: float | str | None = Field(
        default=None,
        description="of files that do not say it: K-alpha 1 in Å, or CuKa, CuKa1, MoKa, ...; a "
        "file that says another one is refused",
    )
    units: dict[str, str] = Field(default={}, description="unit by column of labels")

    @field_validator("series", mode="after")
    @classmethod
    def _is_expression(cls, series: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for expression in series.values() if isinstance(series, dict) else [series or ""]:
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"'{expression}' is no regular expression: {error}") from None
        return series

    def open(self) -> Records:
        """All patterns with their classes and series; nothing is parsed yet.

        Files that are no patterns are refused, each with its reason. With ``labels``, a pattern
        without a row and a row without a pattern are refused as well.

        Raises:
            GnnmatError: nothing found, a bad table, a wavelength that is none, a class to rename
                that is not there.
        """
        first, second = _lines_of(self.wavelength)
        files, refused = list_patterns(self.path, self.labels)
        if self.label == "folder":
            files, more = _in_folders(files)
            refused += more
        ids = unique_names([one.relative for one in files])
        table = pd.DataFrame(index=range(len(files)))
        if self.label == "folder":
            table[self.column] = np.array([one.folder for one in files], dtype=object)
        if self.labels is not None:
            values = read_columns(self.labels, self.id_column)
            pairs, unmatched = match_rows(_items(files, ids), list(values.index), self.labels)
            refused += unmatched
            files, ids = [files[n] for n, _ in pairs], [ids[n] for n, _ in pairs]
            own = [name for name in table.columns if name not in values.columns]
            rows = values.iloc[[row for _, row in pairs]].reset_index(drop=True)
            kept = table.iloc[[n for n, _ in pairs]][own].reset_index(drop=True)
            table = pd.concat([kept, rows], axis=1)
        if self.rename:
            table[self.column] = self._renamed(table)
        if self.series is not None:
            names = [series_of(PurePosixPath(one.relative).stem, self.series) for one in files]
            table["series"] = np.array(names, dtype=object)
        key = f"{FORMAT} {digest(files)} {first} {second}"
        return Records(
            ids=ids,
            raws=files,
            read=PatternReader(first, second),
            fingerprint=hashlib.sha256(key.encode()).hexdigest(),
            table=table,
            units=check_units(self.units, table.columns, str(self.labels or self.path)),
            origins=[one.origin for one in files],
            refused=refused,
        )

    def _renamed(self, table: pd.DataFrame) -> pd.Series:
        """The column of classes with the names of ``rename``."""
        if self.column not in table.columns:
            raise GnnmatError(
                f"rename: there is no column '{self.column}' to rename classes in.",
                why=f"Columns: {', '.join(map(str, table.columns)) or 'none'}.",
                fix="Set label: folder, or name a column of labels in `column`.",
            )
        classes = table[self.column]
        if not classes.isin(list(self.rename)).any():
            raise GnnmatError(
                f"rename: no pattern is of the class '{next(iter(self.rename))}'.",
                fix=did_you_mean(next(iter(self.rename)), set(classes.dropna().astype(str))),
            )
        return classes.replace(self.rename)


@dataclass(frozen=True)
class PatternReader:
    """A file -> `PowderPattern`.

    Args:
        wavelength: of files that do not say it, K-alpha 1 in Å.
        second: K-alpha 2 of these, Å.
    """

    wavelength: float | None = None
    second: float | None = None

    def __call__(self, raw: PatternFile) -> PowderPattern:
        pattern = parse_powder(raw.relative, raw.read(), wavelength=self.wavelength)
        if pattern.wavelength is None:
            raise GnnmatError(
                f"'{raw.relative}' does not say with which wavelength it was measured.",
                fix="Give data.source.wavelength, for example CuKa.",
            )
        if pattern.wavelength == self.wavelength and pattern.second is None:
            return replace(pattern, second=self.second)
        return pattern


def series_of(stem: str, series: str | Mapping[str, str]) -> str:
    """The series that a file belongs to; the file's own name where nothing matches.

    Args:
        stem: name of the file without its ending.
        series: a regular expression, whose groups are joined, or several by name.
    """
    if isinstance(series, str):
        found = re.search(series, stem)
        groups = "" if found is None else "".join(one or "" for one in found.groups())
        return groups or (found.group() if found else "") or stem
    return next((name for name, one in series.items() if re.search(one, stem)), stem)


def _lines_of(given: float | str | None) -> tuple[float | None, float | None]:
    """K-alpha 1 and 2 in Å; a name without a number stands for both lines of the metal."""
    if given is None:
        return None, None
    from gnnmat.simulation.diffraction.angles import emission

    lines = [length for length, _ in emission(given)]
    found = lines[0]
    if not SHORTEST <= found <= LONGEST:
        raise GnnmatError(
            f"A wavelength of {found:g} Å is out of range.", fix="Give it in Å: copper has 1.5406."
        )
    return found, lines[1] if len(lines) > 1 else None


def _in_folders(files: list[PatternFile]) -> tuple[list[PatternFile], list[Refusal]]:
    """The files that lie in a folder that can name their class, and the others.

    Raises:
        GnnmatError: none does.
    """
    inside = [one for one in files if one.folder]
    if not inside:
        raise GnnmatError(
            f"label: folder: '{files[0].relative}' and {len(files) - 1} more lie in no folder.",
            fix="Sort the files into a folder a class, or name a table with `labels`.",
        )
    reason = "lies in no folder that could name its class"
    return inside, [Refusal(one.relative, one.origin, reason) for one in files if not one.folder]


def _items(files: list[PatternFile], ids: list[str]) -> list[Item]:
    """The files as `match_rows` knows them, each with the names that a table may give it."""
    items = []
    for one, name in zip(files, ids, strict=True):
        path = PurePosixPath(one.relative)
        names = (path.stem, path.name, one.relative, path.with_suffix("").as_posix())
        items.append(Item(name, tuple(dict.fromkeys(names)), one.origin, one, {}, b""))
    return items
