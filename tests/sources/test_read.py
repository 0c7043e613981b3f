"""Every kind of input becomes the same checked crystal, or is refused in one plain sentence."""

from __future__ import annotations

import gzip
import json
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule
from ase.io import write
from pymatgen.core import Lattice, Molecule, Species, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.crystal_file import FilePart, crystal_format
from gnnmat.sources.read import read_crystal

CRYSTALS = Path(__file__).parents[1] / "crystals"
CELL = Lattice.cubic(4.12)
ROCK_SALT = {11: 4, 17: 4}


def counts(crystal: Crystal) -> dict[int, int]:
    numbers, amounts = np.unique(crystal.numbers, return_counts=True)
    return dict(zip(numbers.tolist(), amounts.tolist(), strict=True))


def reason(raw: object) -> str:
    with pytest.raises(GnnmatError) as caught:
        read_crystal(raw)
    sentence = caught.value.sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("name", "expected", "volume"),
    [
        ("NaCl.cif", ROCK_SALT, 5.64**3),
        ("Si.vasp", {14: 2}, 5.431**3 / 4),
        ("CsCl.extxyz", {55: 1, 17: 1}, 4.12**3),
        ("antiferromagnet.mcif", {25: 2, 8: 2}, 3.0 * 3.0 * 8.4),
        ("graphene_slab.vasp", {6: 2}, 2.46 * 2.130422493 * 20.0),
    ],
)
def test_files_give_the_crystal_counted_by_hand(
    name: str, expected: dict[int, int], volume: float
) -> None:
    crystal = read_crystal(CRYSTALS / name)
    assert counts(crystal) == expected
    assert crystal.volume == pytest.approx(volume, rel=1e-8)
    assert crystal.lattice.dtype == crystal.frac.dtype == np.float64
    assert crystal.numbers.dtype == np.int64


def test_rock_salt_has_six_neighbours_at_half_the_lattice_constant() -> None:
    crystal = read_crystal(str(CRYSTALS / "NaCl.cif"))
    images = np.array(list(product((-1, 0, 1), repeat=3)))
    difference = crystal.frac[None, :, None] - crystal.frac[0] + images
    distance = np.linalg.norm(difference @ crystal.lattice, axis=-1)
    shell = np.isclose(distance, 5.64 / 2)
    assert shell.sum() == 6
    assert set(crystal.numbers[shell.any(axis=-1)[0]]) == {17}


def test_all_objects_give_the_same_crystal() -> None:
    structure = Structure(CELL, ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    atoms = Atoms("CsCl", cell=[4.12] * 3, scaled_positions=[[0, 0, 0], [0.5] * 3], pbc=True)
    places = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    arrays = (np.eye(3) * 4.12, [55, 17], places)
    plain = json.loads(structure.to_json())
    for raw in (structure, atoms, arrays, as_crystal(*arrays), plain, CRYSTALS / "CsCl.extxyz"):
        crystal = read_crystal(raw)
        np.testing.assert_allclose(crystal.lattice, np.eye(3) * 4.12, atol=1e-12)
        np.testing.assert_allclose(crystal.frac, places, atol=1e-12)
        assert crystal.numbers.tolist() == [55, 17]


def test_charges_moments_and_deuterium_are_dropped() -> None:
    species = [Species("Fe", 3, spin=5), Species("O", -2), "D"]
    structure = Structure(CELL, species, [[0, 0, 0], [0.5] * 3, [0.3, 0, 0]])
    assert read_crystal(structure).numbers.tolist() == [26, 8, 1]


def test_one_element_may_share_a_site_with_itself() -> None:
    both = {Species("Fe", 2): 0.5, Species("Fe", 3): 0.5}
    assert read_crystal(Structure(CELL, [both], [[0, 0, 0]])).numbers.tolist() == [26]


@pytest.mark.parametrize("suffix", ["json", "xsf", "gen", "traj", "db", "cif.gz", "vasp"])
def test_written_files_are_read_back(tmp_path: Path, suffix: str) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    path = tmp_path / f"salt.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if suffix == "json":
            path.write_text(
                Structure(atoms.cell, atoms.numbers, atoms.get_scaled_positions()).to_json()
            )
        elif suffix == "cif.gz":
            path.write_bytes(gzip.compress((CRYSTALS / "NaCl.cif").read_bytes()))
        else:
            write(path, atoms)
    crystal = read_crystal(path)
    assert counts(crystal) == ROCK_SALT
    assert crystal.volume == pytest.approx(5.64**3, rel=1e-6)


def test_the_kind_of_a_file_is_known_by_its_name() -> None:
    kinds = {"POSCAR": "poscar", "CONTCAR.relaxed": "poscar", "a.CIF": "cif", "a.cif.gz": "cif"}
    assert {name: crystal_format(name) for name in kinds} == kinds
    assert crystal_format("notes.docx") is None


def test_parts_of_a_file_are_read_by_number() -> None:
    assert counts(read_crystal(FilePart(str(CRYSTALS / "two.cif"), 0))) == {55: 1, 17: 1}
    assert counts(read_crystal(FilePart(str(CRYSTALS / "two.cif"), 1))) == {84: 1}
    lengths = [
        read_crystal(FilePart(str(CRYSTALS / "strained.extxyz"), index)).lattice[0, 0]
        for index in range(3)
    ]
    assert lengths == [4.12, 4.2, 4.3]


def test_a_slab_without_third_period_is_read_with_its_vacuum() -> None:
    slab = graphene(vacuum=8.0)
    assert not slab.pbc.all()
    assert counts(read_crystal(slab)) == {6: 2}
    flat = graphene()
    crystal = read_crystal(flat)  # a sheet without any cell along z gets room there
    assert counts(crystal) == {6: 2}
    assert crystal.lattice[2, 2] == pytest.approx(21.0)
    thin = graphene()
    thin.set_cell([*thin.cell[:2], [0.0, 0.0, 2.0]])
    assert read_crystal(thin).lattice[2, 2] == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (CRYSTALS / "alloy.cif", "alloy.cif: The crystal is disordered: site 2"),
        (CRYSTALS / "alloy.cif", "partial occupancy (Cu 0.6, Zn 0.4)"),
        (CRYSTALS / "two.cif", "The CIF holds 2 structures, where one was expected"),
        (CRYSTALS / "strained.extxyz", "The file holds 3 structures"),
        (FilePart(str(CRYSTALS / "two.cif"), 5), "two.cif#6: The CIF holds 2 structures"),
        (CRYSTALS / "water.xyz", "has no periodic cell"),
        (molecule("H2O"), "has no periodic cell"),
        (Molecule(["O", "H"], [[0, 0, 0], [0, 0, 1]]), "has no periodic cell"),
        ("nowhere.cif", "There is no file 'nowhere.cif'"),
        (__file__, "The file is not of a known kind"),
        (3.5, "A float is not a crystal"),
        ({"a": 1}, "not a pymatgen structure (it holds: a)"),
        (Structure(CELL, ["X"], [[0, 0, 0]]), "which is not an element"),
        (Structure(CELL, [{"Cu": 0.9}], [[0, 0, 0]]), "partial occupancy (Cu 0.9)"),
        (Atoms("X", cell=[4, 4, 4], pbc=True), "Atomic number 0 is outside 1 to 118"),
        (Atoms(cell=[4, 4, 4], pbc=True), "The crystal has no atoms"),
        ((np.eye(3) * 4, [], []), "The crystal has no atoms"),
        ((np.eye(3) * 4, [1.5], [0, 0, 0]), "atomic numbers are not whole numbers"),
        ((np.eye(3) * 4, [1, 2], [0, 0, 0]), "2 atomic numbers but 3 coordinates, expected 6"),
        ((np.eye(2), [1], [0, 0, 0]), "The lattice has 4 numbers, expected 9"),
        ((np.eye(3) * 4, ["Na"], [0, 0, 0]), "must be plain numbers"),
        ((np.eye(3) * 4, [200], [0, 0, 0]), "Atomic number 200 is outside"),
        ((np.ones((3, 3)), [1], [0, 0, 0]), "The cell has no volume"),
        ((np.zeros((3, 3)), [1], [0, 0, 0]), "The cell has no volume"),
        ((np.eye(3) * 4, [1, 1], [0, 0, 0, 1, 0, 0]), "Atoms 1 and 2 are 0.000 Å apart"),
        ((np.eye(3) * 4, [1, 1], [0, 0, 0.01, 0, 0, 0.99]), "Atoms 1 and 2 are 0.080 Å apart"),
        ((np.diag([9, 9, 0.05]), [1], [0, 0, 0]), "0.050 Å from its own periodic image"),
    ],
)
def test_what_is_no_crystal_is_refused_in_a_plain_sentence(raw: object, words: str) -> None:
    assert words in reason(raw)


def test_a_poscar_without_elements_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    path.write_text((CRYSTALS / "Si.vasp").read_text().replace("Si\n2", "2"))
    assert "does not name its elements" in reason(path)


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "a.xyz", "a.json", "a.db", "a.traj", "a.gen"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe rubbish", b"5\n"])
def test_rubbish_is_refused_whatever_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert reason(path).startswith(name)


def test_no_warning_reaches_the_user_and_none_is_silenced_for_good() -> None:
    before = list(warnings.filters)
    read_crystal(CRYSTALS / "NaCl.cif")
    assert warnings.filters == before


def test_properties_in_a_json_are_never_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('code of the file was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    evil = {"@module": "evil_module", "@class": "Evil"}
    site = {"species": [{"element": "Si", "occu": 1}], "abc": [0, 0, 0], "properties": {"x": evil}}
    plain = {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": [[3, 0, 0], [0, 3, 0], [0, 0, 3]]},
        "sites": [site],
        "properties": {"y": evil},
    }
    path = tmp_path / "si.json"
    path.write_text(json.dumps(plain))
    assert counts(read_crystal(path)) == {14: 1}
