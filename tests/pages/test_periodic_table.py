from __future__ import annotations

import re

import pytest

from gnnmat.pages.periodic_table import POSITIONS, VIRIDIS, colour, elements_of, ink, periodic_table

F_BLOCK_ROWS = {9: 6, 10: 7}


@pytest.mark.filterwarnings("ignore::UserWarning")  # pymatgen lacks some values of rare elements
def test_every_element_stands_in_the_row_and_group_pymatgen_gives() -> None:
    from pymatgen.core import Element

    assert set(POSITIONS) == {Element.from_Z(z).symbol for z in range(1, 119)}
    for symbol, (row, column) in POSITIONS.items():
        element = Element(symbol)
        if row in F_BLOCK_ROWS:
            assert element.is_lanthanoid or element.is_actinoid
            assert element.row == F_BLOCK_ROWS[row]
            assert column == element.Z - (57 if element.is_lanthanoid else 89) + 3
        else:
            assert (element.row, element.group) == (row, column)


def test_no_two_elements_share_a_place() -> None:
    assert len(set(POSITIONS.values())) == 118


@pytest.mark.parametrize(
    "formula", ["NaCl", "Ce2(SO4)3", "Li0.5CoO2", "UO2", "NO", "No", "Co", "CO", "HfNbTa3O"]
)
def test_elements_of_a_formula_are_those_pymatgen_finds(formula: str) -> None:
    from pymatgen.core import Composition

    assert sorted(elements_of(formula)) == sorted(e.symbol for e in Composition(formula))


def test_deuterium_counts_as_hydrogen_and_nonsense_as_nothing() -> None:
    assert elements_of("D2O") == ("H", "O")
    assert elements_of("Xx3 <script>") == ()


def test_colours_run_along_viridis() -> None:
    assert colour(0.0) == VIRIDIS[0].lower()
    assert colour(1.0) == VIRIDIS[-1].lower()
    assert colour(-3.0) == colour(0.0)
    assert colour(2 / (len(VIRIDIS) - 1)) == VIRIDIS[2].lower()


def test_ink_is_white_on_dark_and_black_on_light() -> None:
    assert (ink("#440154"), ink("#fde725")) == ("#ffffff", "#000000")


def test_absent_elements_are_grey_and_present_ones_tell_value_and_count() -> None:
    page = periodic_table({"O": 0.25, "Na": 0.5}, {"O": 3, "Na": 1}, "mean absolute error", "eV")
    assert page.count('class="absent"') == 116
    assert 'title="O: 0.250 eV over 3 crystals"' in page
    assert 'title="Na: 0.500 eV over 1 crystal"' in page
    backgrounds = re.findall(r"background:(#\w+)", page)
    assert sorted(backgrounds) == sorted([colour(0.5), colour(1.0)])


def test_a_table_without_any_error_is_one_colour() -> None:
    page = periodic_table({"O": 0.0, "Na": 0.0}, {"O": 3, "Na": 1}, "share of wrong classes")
    assert set(re.findall(r"background:(#\w+)", page)) == {colour(0.0)}
