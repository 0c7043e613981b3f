"""Python objects in any mixture become records; a bad one does not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, molecule
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.objects import records_from_objects
from gnnmat.sources.read import read_crystal

CRYSTALS = Path(__file__).parents[1] / "crystals"


def test_paths_structures_atoms_and_crystals_mix() -> None:
    salt = CRYSTALS / "NaCl.cif"
    structure = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
    objects = [salt, str(CRYSTALS / "Si.vasp"), structure, bulk("Cu"), read_crystal(salt)]
    records = records_from_objects(objects)
    assert list(records.ids) == ["NaCl", "Si", "structure-3", "structure-4", "structure-5"]
    assert [len(records.read(raw).numbers) for raw in records.raws] == [8, 2, 2, 1, 8]
    assert records.refused == []
    assert records.table.shape == (5, 0)


def test_what_cannot_be_read_is_refused_with_its_reason() -> None:
    objects = [CRYSTALS / "absent.cif", molecule("H2O"), 3.0, bulk("Cu")]
    records = records_from_objects(objects)
    assert list(records.ids) == ["structure-4"]
    found = {refusal.id: refusal.reason for refusal in records.refused}
    assert "There is no file or folder" in found["absent"]
    assert found["structure-2"] == "The structure has no periodic cell (it is a molecule)."
    assert found["structure-3"].startswith("A float is not a crystal. Fix: give a path")
    assert [refusal.origin for refusal in records.refused][1] == "Atoms number 2"


def test_files_with_several_structures_are_opened_up() -> None:
    records = records_from_objects([CRYSTALS / "two.cif", bulk("Cu")], targets={"gap": [1, 2]})
    assert list(records.ids) == ["two#1", "two#2", "structure-2"]
    assert records.table["gap"].tolist() == [1, 1, 2]
    named = records_from_objects([CRYSTALS / "two.cif", bulk("Cu")], ids=["x", "y"])
    assert list(named.ids) == ["x#1", "x#2", "y"]


def test_a_folder_is_opened_up_too() -> None:
    records = records_from_objects([CRYSTALS])
    assert {"NaCl", "Si", "CsCl", "two#1"} <= set(records.ids)


def test_the_same_file_twice_gets_two_ids() -> None:
    assert list(records_from_objects([CRYSTALS / "NaCl.cif"] * 2).ids)[1].endswith("(2)")


def test_targets_follow_the_objects_that_were_read() -> None:
    targets = pd.DataFrame({"gap": [1.0, 2.0, 3.0]}, index=[7, 8, 9])
    records = records_from_objects([bulk("Cu"), molecule("H2O"), bulk("Al")], targets=targets)
    assert records.table["gap"].tolist() == [1.0, 3.0]


def test_wrong_lengths_and_doubled_ids_are_errors() -> None:
    copper = bulk("Cu")
    with pytest.raises(GnnmatError, match="There are 2 structures but 1 ids"):
        records_from_objects([copper, copper], ids=["a"])
    with pytest.raises(GnnmatError, match="There are 2 structures but 3 targets"):
        records_from_objects([copper, copper], targets={"gap": [1, 2, 3]})
    with pytest.raises(GnnmatError, match="'a' appears twice"):
        records_from_objects([copper, copper], ids=["a", "a"])
    for single in (copper, "NaCl.cif"):
        with pytest.raises(GnnmatError, match="Give a list of structures"):
            records_from_objects(single)


def test_the_fingerprint_follows_the_structures() -> None:
    first = records_from_objects([bulk("Cu")]).fingerprint
    assert records_from_objects([bulk("Cu")], ids=["other"]).fingerprint == first
    stretched = bulk("Cu", a=np.nextafter(3.61, 4))
    assert records_from_objects([stretched]).fingerprint != first
