"""Where the files that come with gnnmat lie: data set cards and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def shipped(room: Literal["datasets", "configs"]) -> Path:
    """The folder of shipped cards or recipes: inside the package, or beside it in a checkout."""
    inside = Path(__file__).parent / room
    return inside if inside.is_dir() else Path(__file__).parents[1] / room
