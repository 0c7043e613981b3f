"""Symmetries are worked out once, read from the store afterwards, and never stop a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gnnmat.data import symmetry
from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.store import Store
from gnnmat.data.store_meta import is_sound
from gnnmat.data.symmetry import FILE, formulas, symmetries
from gnnmat.inputs.image import Image
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.prototype_label import Symmetry

from ..contracts import crystals
from .made_records import GRAPH, crystal_records, image_records

# Space groups of rock salt, cubic perovskite, fcc, bcc and hcp: any textbook.
GROUPS = [225, 221, 225, 229, 194]
SYSTEMS = ["cubic"] * 4 + ["hexagonal"]


@pytest.fixture
def dataset(tmp_path: Path) -> SampleDataset:
    made = [
        crystals.rock_salt(),
        crystals.perovskite(),
        crystals.copper(),
        crystals.iron(),
        crystals.magnesium(),
    ]
    return open_dataset(crystal_records(made), GRAPH, folder=tmp_path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of atoms of every crystal that was looked at."""
    seen: list[int] = []
    plain = symmetry.describe

    def counted(crystal: Crystal) -> Symmetry:
        seen.append(len(crystal.numbers))
        return plain(crystal)

    monkeypatch.setattr(symmetry, "describe", counted)
    return seen


def assert_right(found: dict[int, Symmetry]) -> None:
    assert list(found) == [0, 1, 2, 3, 4]
    assert [one.space_group for one in found.values()] == GROUPS
    assert [one.crystal_system for one in found.values()] == SYSTEMS


def test_formulas_are_reduced(dataset: SampleDataset, tmp_path: Path) -> None:
    assert formulas(dataset) == ["NaCl", "SrTiO3", "Cu", "Fe", "Mg"]
    images = open_dataset(image_records([np.ones((1, 2, 2))] * 2), Image(), folder=tmp_path)
    assert formulas(images) == ["", ""]


def test_symmetries_are_worked_out_once(dataset: SampleDataset, calls: list[int]) -> None:
    assert_right(symmetries(dataset))
    assert len(calls) == 5
    assert_right(symmetries(dataset))
    assert len(calls) == 5


def test_only_rows_that_are_missing_are_worked_out(
    dataset: SampleDataset, calls: list[int]
) -> None:
    assert list(symmetries(dataset, [4, 0])) == [4, 0]
    assert calls == [2, 8]
    assert_right(symmetries(dataset))
    assert sorted(calls) == [1, 1, 2, 5, 8]


def test_symmetries_are_read_by_whoever_opens_the_store(
    dataset: SampleDataset, calls: list[int]
) -> None:
    symmetries(dataset)
    other = SampleDataset(Store(dataset.store.folder), dataset.labels, dataset.ids, dataset.table)
    assert_right(symmetries(other))
    assert len(calls) == 5


def test_keeping_symmetries_leaves_the_store_sound(dataset: SampleDataset) -> None:
    symmetries(dataset)
    assert is_sound(dataset.store.folder)


def test_folder_that_cannot_be_written_does_not_stop(
    dataset: SampleDataset, calls: list[int]
) -> None:
    (dataset.store.folder / FILE).mkdir()  # refuses root too
    for _ in range(2):
        assert_right(symmetries(dataset))
    assert len(calls) == 10


def test_full_disk_does_not_stop(dataset: SampleDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(symmetry, "write_atomically", full)
    assert_right(symmetries(dataset))
    assert not (dataset.store.folder / FILE).exists()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"PAR1 garbage PAR1")


def other_columns(path: Path) -> None:
    pd.DataFrame({"row": [0]}).to_parquet(path)


def flipped_value(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"hexagonal")] ^= 0x20
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage", [cut_short, emptied, garbage, other_columns, flipped_value], ids=lambda f: f.__name__
)
def test_damaged_table_is_worked_out_again(
    dataset: SampleDataset, calls: list[int], damage: Callable[[Path], None]
) -> None:
    symmetries(dataset)
    damage(dataset.store.folder / FILE)
    assert_right(symmetries(dataset))
    assert len(calls) == 10
    assert_right(symmetries(dataset))
    assert len(calls) == 10


def test_crystal_without_symmetry_is_called_by_its_formula(
    dataset: SampleDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(crystal: Crystal) -> Symmetry:
        raise RuntimeError("no symmetry found")

    monkeypatch.setattr(symmetry, "describe", broken)
    assert symmetries(dataset, [1]) == {1: Symmetry(0, "unknown", "SrTiO3", 5, 5)}
