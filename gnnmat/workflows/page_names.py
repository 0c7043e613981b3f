"""Names of the pages of a folder of explanations."""

from __future__ import annotations

import re
from collections.abc import Sequence


def page_names(ids: Sequence[str]) -> dict[str, str]:
    """A file for each id, no two alike, also where capitals do not count."""
    pages: dict[str, str] = {}
    taken: set[str] = set()
    for one in ids:
        name, number = file_name(one), 1
        while name.lower() in taken:
            number += 1
            name = f"{file_name(one)}-{number}"
        taken.add(name.lower())
        pages[one] = f"{name}.html"
    return pages


def file_name(name: str) -> str:
    """A name fit for a file: letters, numbers, dots, dashes and underscores."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "crystal"
