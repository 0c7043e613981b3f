"""Names of models on the hub, and where in the cache their copies lie."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from gnnmat.errors import GnnmatError
from gnnmat.sources.download import cache_folder
from gnnmat.zoo.card import CARD

PREFIX = "hf://"
PINNED = "revision"  # file with the commit that answers

_NAME = re.compile(r"(?:hf://)?([\w][\w.-]*/[\w][\w.-]*?)(?:@([\w][\w./-]*))?/?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A model on the hub.

    Args:
        repo: ``owner/name``.
        revision: commit, branch or tag; empty is the newest.
    """

    repo: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")

    @property
    def shelf(self) -> Path:
        """Folder of the copies of this model, a commit each."""
        return hub_folder() / self.repo.replace("/", "--")

    @property
    def note(self) -> Path:
        """The file that says to which commit this was resolved."""
        if not self.revision:
            return self.shelf / PINNED
        digest = hashlib.sha256(self.revision.encode()).hexdigest()[:12]
        return self.shelf / f"{PINNED}-{digest}"

    def copy(self) -> Path | None:
        """The folder of the copy in the cache; None where there is none."""
        commit = self.revision
        if not is_commit(commit):
            commit = self.note.read_text().strip() if self.note.is_file() else ""
        place = self.shelf / commit
        return place if is_commit(commit) and (place / CARD).is_file() else None


def hub_folder() -> Path:
    """Where fetched models live, in the cache."""
    return cache_folder() / "models"


def is_commit(text: str) -> bool:
    """Whether this is the full hash of a commit, which never moves."""
    return _COMMIT.fullmatch(text) is not None


def is_hub_name(name: str | Path) -> bool:
    """Whether this names a model on the hub, ``hf://...``."""
    return str(name).startswith((PREFIX, "hf:/"))  # a Path has lost one stroke


def hub_name(name: str | Path) -> HubName:
    """``hf://owner/name``, ``owner/name`` or either with ``@revision``, taken apart.

    Raises:
        GnnmatError: it is none of them.
    """
    text = str(name)
    if text.startswith("hf:/") and not text.startswith(PREFIX):
        text = PREFIX + text.removeprefix("hf:/")
    found = _NAME.fullmatch(text)
    if found is None or ".." in text:
        raise GnnmatError(
            f"'{name}' is no name of a model on the hub.",
            fix="Write hf://owner/name, or hf://owner/name@revision.",
        )
    return HubName(found[1], found[2] or "")
