"""Paths as users write them: with ~ and environment variables."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gnnmat.errors import GnnmatError


def expand_path(text: str | Path) -> Path:
    """The path with ``~`` and ``$VARIABLES`` filled in.

    Raises:
        GnnmatError: a variable is not set.
    """
    expanded = os.path.expanduser(os.path.expandvars(str(text)))
    unset = re.search(r"\$(\w+|\{\w+\})", expanded)
    if unset and not Path(expanded).exists():
        name = unset.group(1).strip("{}")
        raise GnnmatError(
            f"The path '{text}' needs the environment variable {name}, which is not set.",
            fix=f"export {name}=/the/folder, or write the path in full.",
        )
    return Path(expanded)


def existing_file(text: str | Path, what: str) -> Path:
    """The expanded path of a file that is there.

    Args:
        text: as the user wrote it.
        what: what the file is for, to begin the message with ("The table").

    Raises:
        GnnmatError: it is missing, or a folder.
    """
    path = expand_path(text)
    if path.is_dir():
        raise GnnmatError(f"{what} '{path}' is a folder, expected a file.")
    if not path.is_file():
        raise GnnmatError(f"{what} '{path}' does not exist.")
    return path
