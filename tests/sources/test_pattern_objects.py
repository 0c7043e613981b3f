"""Measured patterns given one by one: objects, files and folders, with reasons for what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.pattern_objects import is_pattern, records_from_patterns
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern

ANGLES = np.linspace(10, 80, 50)


def pattern(name: str = "film") -> PowderPattern:
    return powder_pattern(name, ANGLES, np.full(50, 7.0), wavelength=1.5406)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.xy", "two.xy"):
        np.savetxt(tmp_path / name, np.stack([ANGLES, ANGLES], axis=1))
    return tmp_path


def test_patterns_files_and_folders_are_told_from_crystals(folder: Path) -> None:
    assert is_pattern(pattern())
    assert is_pattern(folder / "one.xy")
    assert is_pattern(str(folder))
    assert not is_pattern("crystal.cif")
    assert not is_pattern(np.zeros(3))


def test_records_hold_all_of_them_by_name(folder: Path) -> None:
    records = records_from_patterns([pattern(), folder, folder / "one.xy"])
    assert list(records.ids) == ["film", "one", "two", "one (2)"]
    found = [records.read(raw) for raw in records.raws]
    assert [one.wavelength for one in found] == [1.5406, None, None, None]
    assert list(records_from_patterns([pattern()], ["mine"]).ids) == ["mine"]


def test_the_fingerprint_knows_what_was_measured() -> None:
    other = powder_pattern("film", ANGLES, np.full(50, 8.0), wavelength=1.5406)
    prints = {records_from_patterns([one]).fingerprint for one in (pattern(), other)}
    assert len(prints) == 2


def test_what_is_no_pattern_is_refused_and_stops_nothing(folder: Path) -> None:
    records = records_from_patterns([folder / "gone.xy", 3, pattern()])
    assert list(records.ids) == ["film"]
    assert [one.id for one in records.refused] == ["gone", "2"]
    assert "is no powder pattern" in records.refused[1].reason


def test_ids_fit() -> None:
    with pytest.raises(GnnmatError, match="1 patterns but 2 ids"):
        records_from_patterns([pattern()], ["a", "b"])
