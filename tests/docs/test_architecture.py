"""docs/architecture.md: its table is the contract, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gnnmat.data.store import DISK
from gnnmat.sample import FIELDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def fields_table() -> list[str]:
    """The rows of the table as FIELDS has them."""
    rows = []
    for name, field in FIELDS.items():
        kind = str(field.dtype).removeprefix("torch.")
        cells = (f"`{name}`", f"`{field.shape}`", kind, field.level, field.unit, field.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def test_the_table_of_fields_is_the_contract() -> None:
    shown = TEXT.split("<!-- fields: begin -->")[1].split("<!-- fields: end -->")[0]
    assert shown.strip().splitlines()[2:] == fields_table()


def test_every_file_of_the_store_is_named() -> None:
    for name in DISK:
        assert f"`{name}.bin`" in TEXT


PATHS = re.findall(r"`((?:gnnmat|tests|configs|datasets|cli|docs|\.ci)/[\w./-]*)`", TEXT)


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"gnnmat/models/my_model.py"}))
def test_paths_that_are_named_exist(path: str) -> None:
    assert (ROOT / path).exists()


ROOMS = sorted(
    path.name for path in (ROOT / "gnnmat").iterdir() if (path / "__init__.py").is_file()
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_row(room: str) -> None:
    assert f"| `gnnmat/{room}/` |" in TEXT
