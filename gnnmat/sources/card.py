"""Data sets by their cards: YAML files that say what a data set is and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.shipped import shipped
from gnnmat.sources.card_schema import Card, CardFile, entries
from gnnmat.sources.download import cache_folder, check_remembered, download, sha256
from gnnmat.sources.records import Records

__all__ = ["Card", "CardSource", "Fetched", "card_file", "load_card", "shipped_cards"]


@dataclass(frozen=True)
class Fetched:
    """One file on disk: where, its checksum, and whether that was compared with the card's."""

    path: Path
    sha256: str
    verified: bool


class CardSource(BaseModel):
    """A data set by its card: shipped with gnnmat, or a card file of your own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["card"] = "card"
    name: str = Field(
        default="known_crystals", description="name of a shipped card, or path of a card (.yaml)"
    )
    folder: Path | None = Field(
        default=None,
        description="where downloads live; default: GNNMAT_CACHE, or the platform's cache folder",
    )

    @property
    def card(self) -> Card:
        """The card itself.

        Raises:
            GnnmatError: no such card, or a mistake in it.
        """
        return load_card(self.name)

    def open(self) -> Records:
        """The records of the data set, downloaded first where they are absent.

        Raises:
            GnnmatError: a download that fails, a file that does not match the card.
        """
        card = self.card
        if card.reader is None:
            raise GnnmatError(f"Data set '{card.name}' has no file to open.", why=card.access)
        absent = not all(path.is_file() for path in self.paths())
        (file,) = self.fetch()
        if absent and not file.verified:
            _say_unverified(file)
        return card.reader.open(file.path, card.columns, card.name, self.work)

    @property
    def work(self) -> Path:
        """Folder of this data set's downloads and of tables made from them."""
        folder = self.folder.expanduser() if self.folder else cache_folder() / "datasets"
        return folder / self.card.name

    def paths(self) -> list[Path]:
        """Where the files lie, or would lie after `fetch`."""
        beside = card_file(self.name).parent
        return [
            beside / file.path if file.path else self.work / file.file_name
            for file in self.card.files
        ]

    def fetch(self, quiet: bool = False) -> list[Fetched]:
        """The files of the data set, downloaded where absent and compared with the card.

        Args:
            quiet: no progress bar.

        Raises:
            GnnmatError: nothing to download, a download that fails, a wrong checksum.
        """
        card = self.card
        if not card.files:
            raise GnnmatError(f"Data set '{card.name}' has no file to download.", why=card.access)
        for file, path in zip(card.files, self.paths(), strict=True):
            if file.url:
                download(file.url, path, known_sha256=file.sha256, size=file.size, quiet=quiet)
        return self.verify()

    def verify(self) -> list[Fetched]:
        """The files on disk, compared with the card; nothing is downloaded.

        Raises:
            GnnmatError: a file is absent or differs from its checksum.
        """
        card = self.card
        return [
            _verified(file, path, card.name)
            for file, path in zip(card.files, self.paths(), strict=True)
        ]


def _say_unverified(file: Fetched) -> None:
    from rich.console import Console

    Console(stderr=True).print(
        f"{file.path.name}: unverified, the card holds no checksum; sha256 {file.sha256}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _verified(file: CardFile, path: Path, name: str) -> Fetched:
    if not path.is_file():
        raise GnnmatError(
            f"Data set '{name}' is not on disk.",
            why=f"Looked for '{path}'.",
            fix=f"gnnmat datasets fetch {name}"
            if file.url
            else "put the file there; `path` counts from the folder of the card.",
        )
    found = sha256(path)
    if file.sha256 and found != file.sha256:
        raise GnnmatError(
            f"'{path}' differs from its card.",
            why=f"Expected sha256 {file.sha256}, got {found}.",
            fix="gnnmat datasets fetch fetches it again."
            if file.url
            else "put the original file back, or write the new checksum into the card.",
        )
    if file.url:
        check_remembered(path)
    return Fetched(path=path, sha256=found, verified=file.sha256 is not None)


def shipped_cards() -> dict[str, Path]:
    """Shipped cards: file by name, sorted."""
    return {
        path.stem: path
        for path in sorted(shipped("datasets").glob("*.yaml"))
        if not path.stem.endswith("_sources")
    }


def card_file(name: str) -> Path:
    """The YAML file of a card: a shipped one by name, any other by path.

    Raises:
        GnnmatError: neither, with the nearest name.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise GnnmatError(f"There is no card '{name}'.", why=f"Looked for {path.resolve()}.")
    known = shipped_cards()
    if name not in known:
        raise GnnmatError(
            f"There is no data set '{name}'.",
            why="`gnnmat datasets list` shows them all; a card of your own is named by its path.",
            fix=did_you_mean(name, known),
        )
    return known[name]


def load_card(name: str) -> Card:
    """The card of a shipped data set, or of a card file of your own.

    Args:
        name: name of a shipped card, or path of a ``.yaml`` file.

    Raises:
        GnnmatError: no such card, no YAML, an unknown or a wrong entry.
    """
    path = card_file(name)
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GnnmatError(f"Card '{path}' is not YAML.", why=" ".join(str(error).split())) from None
    if not isinstance(plain, dict):
        raise GnnmatError(f"Card '{path}' is not a list of entries `name: value`.")
    try:
        return Card.model_validate(plain)
    except ValidationError as error:
        raise _mistake(path, error) from None


def _mistake(path: Path, error: ValidationError) -> GnnmatError:
    first: Any = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return GnnmatError(
            f"Card '{path}': {place}: unknown entry.", fix=did_you_mean(name, entries())
        )
    what = first["msg"].removeprefix("Value error, ")
    where = f"{place}: " if place else ""
    return GnnmatError(f"Card '{path}': {where}{what}.", fix="docs/datasets.md shows a card.")
