"""Measured patterns given one by one: objects, files and folders, with reasons for what is none."""

from __future__ import annotations

import zipfile
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


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.cif", "README.txt"], False),
        (["a.cif", "id_prop.csv"], False),
        (["a.cif", "notes.txt"], False),
        (["deep/POSCAR", "deep/energies.dat"], False),
        (["a.cif.gz", "b.xy"], False),
        (["a.cif", ".x.txt"], False),
        (["README.txt", ".x.txt", ".git/one.xy"], False),
        (["__MACOSX/one.xy"], False),
        ([], False),
        (["one.xy", "README.txt"], True),
        (["deep/one.txt", "notes.md"], True),
        (["one.xy", ".old/a.cif"], True),
    ],
)
def test_a_folder_is_of_patterns_if_it_holds_some_and_no_crystal(
    names: list[str], expected: bool, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert is_pattern(tmp_path) is expected
    assert is_pattern(str(tmp_path)) is expected


def test_single_paths_are_told_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_pattern("films.zip")
    assert is_pattern("scan.TXT")
    assert not is_pattern("POSCAR.txt")
    assert not is_pattern("a.cif.gz")
    monkeypatch.setenv("FILMS", str(tmp_path))
    (tmp_path / "one.xy").write_text("x")
    assert is_pattern("$FILMS")
    assert not is_pattern("$NOT_SET_ANYWHERE/films")


def test_an_archive_is_opened_like_a_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("one.xy", "two.xy"):
            archive.write(folder / name, f"top/{name}")
    records = records_from_patterns([path])
    assert list(records.ids) == ["one", "two"]
    assert all(len(records.read(raw)) == 50 for raw in records.raws)


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
