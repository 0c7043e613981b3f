"""A few dozen small crystals, and recipes that need no data."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.records import Records
from gnnmat.workflows.screening.config import ScreenConfig, parse_screen

ELEMENTS = (4, 12, 13, 14, 22, 26, 28, 29, 40, 74)


def rock_salt(first: int, second: int, length: float) -> Crystal:
    """The primitive cell of rock salt; ``length`` is that of the cubic cell in Å."""
    half = length / 2
    lattice = half * (np.ones((3, 3)) - np.eye(3))
    return as_crystal(lattice, [first, second], [[0, 0, 0], [0.5, 0.5, 0.5]])


def some_crystals(count: int = 30) -> dict[str, Crystal]:
    """Crystals by id, all with another volume."""
    found = {}
    for number in range(count):
        first = ELEMENTS[number % len(ELEMENTS)]
        second = (6, 7, 8)[number % 3]
        found[f"c-{number:03d}"] = rock_salt(first, second, 3.9 + 0.03 * number)
    return found


def some_records(count: int = 30) -> Records:
    """The same as records."""
    crystals = some_crystals(count)
    return records_from_objects(list(crystals.values()), list(crystals))


def recipe(*stages: dict[str, Any], **options: Any) -> ScreenConfig:
    """A recipe with these stages, seven candidates a shard."""
    source = {"kind": "files", "structures": []}
    return parse_screen({"name": "t", "source": source, "shard": 7, "stages": stages, **options})
