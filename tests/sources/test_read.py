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
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Molecule, Species, Structure
from pymatgen.io.cif import CifParser

from gnnmat.errors import GnnmatError
from gnnmat.sources.check import closest_pair
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.read import CifText, FilePart, check_crystal, crystal_format, read_crystal

CRYSTALS = Path(__file__).parents[1] / "crystals"
CELL = Lattice.cubic(4.12)
HEAD = """data_x
_cell_length_a 4.0
_cell_length_b 4.0
_cell_length_c 4.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
"""
SITES = """loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
ROCK_SALT = {11: 4, 17: 4}


def counts(crystal: Crystal) -> dict[int, int]:
    numbers, amounts = np.unique(crystal.numbers, return_counts=True)
    return dict(zip(numbers.tolist(), amounts.tolist(), strict=True))


def cif(*sites: str, head: str = HEAD) -> CifText:
    return CifText(head + SITES + "\n".join(sites) + "\n")


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
    arrays = (np.eye(3) * 4.12, [55, 17], [[0, 0, 0], [0.5] * 3])
    plain = json.loads(structure.to_json())
    for raw in (structure, atoms, arrays, as_crystal(*arrays), plain, CRYSTALS / "CsCl.extxyz"):
        crystal = read_crystal(raw)
        np.testing.assert_allclose(crystal.lattice, np.eye(3) * 4.12, atol=1e-12)
        np.testing.assert_allclose(crystal.frac, arrays[2], atol=1e-12)
        assert crystal.numbers.tolist() == [55, 17]


def test_charges_moments_and_deuterium_are_dropped() -> None:
    species = [Species("Fe", 3, spin=5), Species("O", -2), "D"]
    structure = Structure(CELL, species, [[0, 0, 0], [0.5] * 3, [0.3, 0, 0]])
    assert read_crystal(structure).numbers.tolist() == [26, 8, 1]


def test_one_element_may_share_a_site_with_itself() -> None:
    both = {Species("Fe", 2): 0.5, Species("Fe", 3): 0.5}
    assert read_crystal(Structure(CELL, [both], [[0, 0, 0]])).numbers.tolist() == [26]
    text = cif("Fe1 Fe 0 0 0 0.3333", "Fe2 Fe 0 0 0 0.6667", "O1 O 0.5 0.5 0.5 1.0")
    assert counts(read_crystal(text)) == {26: 1, 8: 1}


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
    assert "The cell has no volume" in reason(flat)


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CifText("data_empty\n_cell_length_a 4\n"), "holds no crystal structure"),
        (CifText("no cif at all"), "holds no crystal structure"),
        (cif("Na1 Na 0 ? 0 1"), "coordinates of some atoms unknown"),
        (cif("Na1 Na 0 . 0 1"), "coordinates of some atoms unknown"),
        (cif("Na1 Na 0 0 0 1", head="data_x\n"), "has no periodic cell"),
        (cif("Na1 Na 0 0 0 1", "K1 K 0 0 0 1"), "Occupancy 2.0 exceeded tolerance"),
        (
            cif("Na1 Na 0 0 0 1", head=HEAD + "_chemical_formula_sum 'Na2 Cl'\n"),
            "states the formula Na2 Cl, but its atoms are Na1",
        ),
        (
            cif("Na1 Na 0 0 0 1", head=HEAD + "_symmetry_space_group_name_H-M 'Q 9 z'\n"),
            "names space group 'Q 9 z', which is not understood",
        ),
        (
            cif("Na1 Na 0 0 0 1", head=HEAD + "_cell_modulation_dimension 1\n"),
            "modulated structure",
        ),
        (cif("Ow Wat 0 0 0 1"), "Hydrogens of the CIF are implicit"),
    ],
)
def test_a_cif_that_would_give_a_wrong_crystal_is_refused(text: CifText, words: str) -> None:
    assert words in reason(text)


def test_elements_guessed_from_labels_need_a_formula_that_agrees() -> None:
    sites = SITES.replace("_atom_site_type_symbol\n", "") + "HO1 0 0 0 1\n"
    assert "guessed from its label (HO1 parsed as Ho)" in reason(CifText(HEAD + sites))
    stated = CifText(HEAD + "_chemical_formula_sum 'Ho'\n" + sites)
    assert counts(read_crystal(stated)) == {67: 1}
    contradicted = CifText(HEAD + "_chemical_formula_sum 'H O'\n" + sites)
    assert "states the formula H O, but its atoms are Ho1" in reason(contradicted)


def test_a_cif_that_pymatgen_stumbles_over_is_read_by_ase() -> None:
    empty_loop = "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_distance\n"
    good = cif("Ar1 Ar 0 0 0 1").text + empty_loop
    with pytest.raises(ZeroDivisionError):
        CifParser.from_str(good)
    assert counts(read_crystal(CifText(good))) == {18: 1}
    partial = cif("Ar1 Ar 0 0 0 0.5").text + empty_loop
    assert "disordered: an occupancy is 0.5" in reason(CifText(partial))
    wrong = cif("Ar1 Ar 0 0 0 1", head=HEAD + "_chemical_formula_sum 'Ar Kr'\n").text + empty_loop
    assert "states the formula Ar Kr" in reason(CifText(wrong))


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


coordinate = st.floats(-3, 3, allow_nan=False)
entry = st.floats(-6, 6, allow_nan=False)


@st.composite
def crystals(draw: st.DrawFn, most: int = 5) -> Crystal:
    diagonal = np.diag(draw(st.lists(st.floats(2.0, 9.0), min_size=3, max_size=3)))
    shear = np.eye(3)
    shear[1, 0], shear[2, 0], shear[2, 1] = (draw(st.floats(-2, 2)) for _ in range(3))
    atoms = draw(st.integers(1, most))
    frac = draw(st.lists(coordinate, min_size=3 * atoms, max_size=3 * atoms))
    return as_crystal(shear @ diagonal, [14] * atoms, frac)


def brute_force(crystal: Crystal, cutoff: float) -> float:
    """The shortest distance between different atoms or images, or infinity."""
    images = np.array(list(product(range(-4, 5), repeat=3)), dtype=float)
    wrapped = crystal.frac % 1.0
    shortest = np.inf
    for first in range(len(wrapped)):
        for second in range(len(wrapped)):
            vectors = (wrapped[second] - wrapped[first] + images) @ crystal.lattice
            distance = np.linalg.norm(vectors, axis=1)
            if first == second:
                distance = distance[images.any(axis=1)]
            shortest = min(shortest, float(distance.min()))
    return shortest if shortest < cutoff else np.inf


@settings(max_examples=60, deadline=None)
@given(crystals(), st.sampled_from([0.1, 0.7, 1.5]))
def test_the_closest_pair_is_that_of_a_search_through_all_images(
    crystal: Crystal, cutoff: float
) -> None:
    found = closest_pair(crystal, cutoff)
    expected = brute_force(crystal, cutoff)
    assert (found[2] if found else np.inf) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(crystals(), st.data())
def test_an_overlap_is_found_wherever_the_atoms_are_wrapped(
    crystal: Crystal, data: st.DataObject
) -> None:
    shift = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=3, max_size=3)))
    nudge = np.array(data.draw(st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3)))
    doubled = crystal.frac[0] + shift + nudge @ np.linalg.inv(crystal.lattice)
    overlapping = as_crystal(
        crystal.lattice, [*crystal.numbers, 14], np.vstack([crystal.frac, doubled])
    )
    with pytest.raises(GnnmatError, match="Å apart"):
        check_crystal(overlapping)


@settings(max_examples=40, deadline=None)
@given(crystals(), st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_no_nan_or_infinity_passes(crystal: Crystal, bad: float, data: st.DataObject) -> None:
    lattice, frac = crystal.lattice.copy(), crystal.frac.copy()
    target = data.draw(st.sampled_from([lattice, frac]))
    target[data.draw(st.integers(0, len(target) - 1)), data.draw(st.integers(0, 2))] = bad
    with pytest.raises(GnnmatError, match="NaN or infinity"):
        check_crystal(Crystal(lattice, crystal.numbers, frac))


def test_a_large_cell_is_checked_by_a_tree_with_the_same_answer() -> None:
    grid = np.array(list(product(range(8), repeat=3))) / 8.0
    lattice = [[24, 0, 0], [9, 25, 0], [-5, 7, 26]]
    whole = as_crystal(lattice, [14] * 512, grid - 1e-17)
    assert check_crystal(whole) is whole
    grid[17] = grid[300] + [1.0, -2.0, 0.0001]
    with pytest.raises(GnnmatError, match="Atoms 18 and 301 are 0.003 Å apart"):
        check_crystal(as_crystal(lattice, [14] * 512, grid))


def test_a_very_skewed_cell_is_still_measured_exactly() -> None:
    # The same cubic crystal, its third vector carried 40 cells to the side.
    lattice = np.array([[4.0, 0, 0], [0, 4.0, 0], [160.0, 0, 4.0]])
    good = as_crystal(lattice, [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert check_crystal(good) is good
    close = np.array([3.98, 0.0, 0.0]) @ np.linalg.inv(lattice)
    with pytest.raises(GnnmatError, match="0.020 Å apart"):
        check_crystal(as_crystal(lattice, [11, 17], [[0, 0, 0], close]))
