"""What a data set card may say, entry by entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gnnmat.sources.card_columns import Column
from gnnmat.sources.card_readers import READERS, Reader


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardFile(_Part):
    """One file of a data set: an address, or a path beside the card."""

    url: str | None = Field(None, description="http or https address")
    path: str | None = Field(None, description="file on this machine, relative to the card")
    name: str = Field("", description="name on disk; empty: the last part of url or path")
    sha256: str | None = Field(
        None, description="64 hex digits, read at a source and never guessed; null: unverified"
    )
    size: int | None = Field(None, ge=0, description="size in bytes, where known")

    @field_validator("sha256")
    @classmethod
    def _hexadecimal(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9a-f]{64}", value):
            raise ValueError("expected 64 hex digits in lower case, or null")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> CardFile:
        if (self.url is None) == (self.path is None):
            raise ValueError("a file has either `url` or `path`")
        # The name becomes part of a path, so it must stay inside the data set's folder.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", self.file_name):
            raise ValueError(f"'{self.file_name}' is no plain file name; give one with `name`")
        return self

    @property
    def file_name(self) -> str:
        """The name on disk."""
        if self.name:
            return self.name
        return (
            Path(self.path).name if self.path else PurePosixPath(urlsplit(self.url or "").path).name
        )


class KFold(_Part):
    """Folds as scikit-learn's ``KFold`` or ``StratifiedKFold`` makes them."""

    kind: Literal["kfold"] = "kfold"
    n_splits: int = Field(5, ge=2, description="number of folds")
    shuffle: bool = Field(True, description="shuffle the rows first")
    random_state: int | None = Field(None, description="seed of the shuffle")
    stratified: bool = Field(False, description="keep the share of each class in every fold")


class SplitColumn(_Part):
    """A column that says train, val or test for each row."""

    kind: Literal["column"] = "column"
    column: str = Field(description="name of the column")


Split = Annotated[KFold | SplitColumn, Field(discriminator="kind")]


class Card(_Part):
    """What a data set is, where it lies and how it is read."""

    name: str = Field(description="short name", pattern=r"^[a-z0-9][a-z0-9_]*$")
    title: str = Field(description="one line", min_length=1)
    description: str = Field(description="what the data are and how they were made", min_length=1)
    source: str = Field(description="web page or paper the data come from", min_length=1)
    licence: str = Field(description="terms of the data, as found", min_length=1)
    doi: str = Field("", description="DOI of the data or of the paper; empty where there is none")
    citation: str = Field(description="what to cite", min_length=1)
    provenance: str = Field("", description="where address, checksum, columns, split were read")
    rows: int | None = Field(None, description="number of rows, where known")
    files: tuple[CardFile, ...] = Field((), description="the files; none: see `access`")
    access: str = Field("", description="how to get the data where no file can be downloaded")
    reader: Reader | None = Field(None, description="format of the file")
    columns: dict[str, Column] = Field(description="columns besides the structure")
    target: str = Field(description="column that is learned unless another is named")
    split: Split | None = Field(None, description="official split, where there is one")

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.target not in self.columns:
            names = ", ".join(self.columns)
            raise ValueError(f"target '{self.target}' is not among the columns ({names})")
        if bool(self.files) != (self.reader is not None):
            raise ValueError("`files` and `reader` go together")
        if len(self.files) > 1:
            raise ValueError("a card has one file; the known formats hold everything in one")
        if not self.files and not self.access:
            raise ValueError("without `files`, `access` must say how to get the data")
        if isinstance(self.split, SplitColumn) and self.split.column not in self.columns:
            raise ValueError(f"split column '{self.split.column}' is not among the columns")
        return self

    @property
    def units(self) -> Mapping[str, str]:
        """Unit by column name."""
        return {name: column.unit for name, column in self.columns.items()}


def entries() -> list[str]:
    """The names of all entries that a card or a part of it may have."""
    parts = (Card, CardFile, Column, KFold, SplitColumn, *READERS)
    return sorted({name for part in parts for name in part.model_fields})
