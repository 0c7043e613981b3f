"""ASE databases: values and data become columns, bad rows are refused one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.db import connect

from gnnmat.errors import GnnmatError
from gnnmat.sources.ase_database import AseDbSource


def written(folder: Path, name: str = "set.db") -> str:
    """Copper with an energy, nickel, a molecule, and two atoms at one place."""
    copper = bulk("Cu", "fcc", 3.6)
    copper.calc = EMT()
    copper.get_potential_energy()
    path = folder / name
    with connect(str(path), use_lock_file=False) as database:
        database.write(copper, label="cu", gap=0.0, data={"dos": np.array([1.0, 2.0]), "n": 3})
        database.write(bulk("Ni", "fcc", 3.5), label="ni", gap=0.5)
        database.write(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), label="h2")
        database.write(Atoms("H2", [[0, 0, 0]] * 2, cell=[3, 3, 3], pbc=True), label="twice")
    return str(path)


@pytest.mark.parametrize("name", ["set.db", "set.json"])
def test_pairs_data_and_energy_are_columns(tmp_path: Path, name: str) -> None:
    records = AseDbSource(path=written(tmp_path, name), units={"gap": "eV"}).open()
    assert records.ids == ["1", "2"]
    copper = records.read(records.raws[0])
    assert copper.numbers.tolist() == [29]
    np.testing.assert_allclose(copper.lattice, bulk("Cu", "fcc", 3.6).cell.array)
    assert records.table["label"].tolist() == ["cu", "ni"]
    assert records.table["gap"].tolist() == [0.0, 0.5]
    assert records.table["dos"].tolist() == [[1.0, 2.0], None]
    # EMT's energy of fcc copper at 3.6 Å, asked of ASE itself.
    reference = bulk("Cu", "fcc", 3.6)
    reference.calc = EMT()
    assert records.table["energy"][0] == pytest.approx(reference.get_potential_energy())
    assert np.isnan(records.table["energy"][1])
    assert records.units == {"energy": "eV", "gap": "eV"}
    assert [one.id for one in records.refused] == ["3", "4"]
    assert "no periodic cell" in records.refused[0].reason
    assert "one atom listed twice" in records.refused[1].reason
    assert records.origin(1) == f"{name}, 2"


def test_rows_are_selected_and_named_by_a_key(tmp_path: Path) -> None:
    source = AseDbSource(path=written(tmp_path), select="gap>0.1", id_key="label")
    records = source.open()
    assert records.ids == ["ni"]
    assert "label" not in records.table.columns


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"select": "label=h2"}, r"no crystal that fits 'label=h2'[\s\S]*1 rows were refused"),
        ({"select": "gap>>>"}, "is no selection"),
        ({"id_key": "name"}, "the id is empty"),
        ({"id_key": "gap"}, "the id is empty"),
        ({"units": {"gpa": "eV"}}, "has no column 'gpa'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        AseDbSource(path=written(tmp_path), **options).open()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.db", None, "does not exist"),
        ("text.db", b"this is no database, however long it is" * 50, "not a readable ASE database"),
        ("cut.json", b'{"ids": [1', "not a readable ASE database"),
        ("other.json", b'{"a": 1}', "not a readable ASE database"),
        ("set.xyz", b"1", "is no ASE database"),
    ],
)
def test_a_file_that_is_no_database_is_named(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GnnmatError, match=words):
        AseDbSource(path=str(path)).open()
    assert path.exists() == (content is not None)
