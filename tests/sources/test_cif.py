"""A CIF is read as what it says, and refused where reading it would need a guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.io.cif import CifParser

from gnnmat.errors import GnnmatError
from gnnmat.sources.cif import cif_blocks
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.read import CifText, read_crystal

CRYSTALS = Path(__file__).parents[1] / "crystals"
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


def counts(crystal: Crystal) -> dict[int, int]:
    numbers, amounts = np.unique(crystal.numbers, return_counts=True)
    return dict(zip(numbers.tolist(), amounts.tolist(), strict=True))


def cif(*sites: str, head: str = HEAD) -> CifText:
    return CifText(head + SITES + "\n".join(sites) + "\n")


def reason(raw: CifText) -> str:
    with pytest.raises(GnnmatError) as caught:
        read_crystal(raw)
    sentence = caught.value.sentence
    assert "\n" not in sentence
    return sentence


def test_blocks_without_atoms_and_words_in_text_fields_are_no_structures() -> None:
    blocks = cif_blocks((CRYSTALS / "two.cif").read_text())
    assert [block.split()[0] for block in blocks] == ["data_CsCl", "data_Po"]


def test_words_in_a_text_field_do_not_cut_the_structure_in_two() -> None:
    note = "_publ_section_comment\n;\ndata_ were taken at 300 K\n;\n"
    assert counts(read_crystal(cif("Na1 Na 0 0 0 1", head=HEAD + note))) == {11: 1}


def test_blocks_of_the_same_name_are_two_structures() -> None:
    twice = cif("Na1 Na 0 0 0 1").text + cif("K1 K 0 0 0 1").text
    assert len(cif_blocks(twice)) == 2
    assert "holds 2 structures" in reason(CifText(twice))


def test_one_element_may_be_listed_twice_on_a_site_that_it_fills() -> None:
    text = cif("Fe1 Fe 0 0 0 0.3333", "Fe2 Fe 0 0 0 0.6667", "O1 O 0.5 0.5 0.5 1.0")
    assert counts(read_crystal(text)) == {26: 1, 8: 1}


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
