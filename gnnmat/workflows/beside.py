"""Files that are written beside a page, under its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gnnmat.errors import GnnmatError

ENDINGS = (".csv", ".png")


def check_beside(page: str | Path, read: Sequence[Any]) -> None:
    """Refuse a page whose table or picture would take the place of something.

    Args:
        page: the file that is to be written; a table (.csv) and a picture (.png) come beside it.
        read: paths that are read, of which none may be written over; other objects are passed over.

    Raises:
        GnnmatError: one of the files is read as well, or is a folder.
    """
    known = {Path(one).resolve() for one in read if isinstance(one, (str, Path))}
    for path in (Path(page), *(Path(page).with_suffix(ending) for ending in ENDINGS)):
        if path.resolve() in known:
            raise GnnmatError(
                f"'{path}' would be written over: it is what is read.",
                why=f"The page {Path(page).name} comes with a table and a picture of its name.",
                fix="Give the page another name: -o result.html",
            )
        if path.is_dir():
            raise GnnmatError(f"'{path}' is a folder, and is to become a file.")
