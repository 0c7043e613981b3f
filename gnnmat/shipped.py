"""Where the files that come with gnnmat lie: data set cards and recipes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal


def shipped(room: Literal["datasets", "configs"]) -> Path:
    """The folder of shipped cards or recipes: inside the package, or beside it in a checkout."""
    inside = Path(__file__).parent / room
    return inside if inside.is_dir() else Path(__file__).parents[1] / room


@cache
def recipes(kind: Literal["training", "simulation", "pu", "screening"]) -> dict[str, Path]:
    """The shipped recipes of one kind by name; a section of their own tells the others apart."""
    import yaml

    files = sorted(shipped("configs").glob("*.yaml"))
    plain = {file: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    mark = {"simulation": "hypotheses", "pu": "pu", "screening": "stages"}
    kinds = {
        file: next((one for one, section in mark.items() if section in tree), "training")
        for file, tree in plain.items()
    }
    return {file.stem: file for file, found in kinds.items() if found == kind}
