"""Formulas against pymatgen; prototype labels against hand-made settings and space groups."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from gnnmat.sources import prototype_label as prototype
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.prototype_label import (
    BY_ELECTRONEGATIVITY,
    SYMBOLS,
    anonymous_formula,
    crystal_system,
    describe,
    formula,
)


def crystal_of(structure: Structure) -> Crystal:
    numbers = [site.specie.Z for site in structure]
    return as_crystal(structure.lattice.matrix, numbers, structure.frac_coords)


def rock_salt(first: str, second: str, a: float, shift: float = 0.0) -> Structure:
    frac = [[shift, shift, shift], [0.5 + shift, 0.5 + shift, 0.5 + shift]]
    return Structure.from_spacegroup(225, Lattice.cubic(a), [first, second], frac)


def perovskite(a_site: str, b_site: str, a: float, swapped: bool) -> Structure:
    """Cubic ABO3 with A in the corner and B in the centre, or the other way round."""
    oxygen = [0.5, 0, 0] if swapped else [0.5, 0.5, 0]
    corner, centre = (b_site, a_site) if swapped else (a_site, b_site)
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], oxygen]
    return Structure.from_spacegroup(221, Lattice.cubic(a), [corner, centre, "O"], sites)


# pymatgen warns of every noble gas; ours have a place in the order without one.
@pytest.mark.filterwarnings("ignore:No Pauling electronegativity:UserWarning")
@given(st.lists(st.integers(1, 118), min_size=1, max_size=26))
@settings(max_examples=200, deadline=None)
def test_formula_counts_and_order_are_those_of_pymatgen(numbers: list[int]) -> None:
    counts = {SYMBOLS[number - 1]: numbers.count(number) for number in numbers}
    theirs = Composition(counts) / int(np.gcd.reduce(list(counts.values())))
    spelled = "".join(theirs.formula.split())  # every amount is written, also 1
    ours = formula(np.array(numbers))
    assert ours == re.sub(r"(?<=[A-Za-z])1(?!\d)", "", spelled)
    assert anonymous_formula(np.array(numbers)) == theirs.anonymized_formula


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([17, 11], "NaCl"),
        ([8, 8, 8, 13, 13], "Al2O3"),
        ([22, 8, 8, 8, 20], "CaTiO3"),
        ([8, 8], "O"),
        ([6, 6, 14, 14], "SiC"),
        ([1] * 4 + [6], "H4C"),
    ],
)
def test_formula_reads_as_chemists_write_it(numbers: list[int], expected: str) -> None:
    assert formula(np.array(numbers)) == expected


def test_every_element_has_one_place_in_the_order() -> None:
    from pymatgen.core import Element

    assert [Element.from_Z(z).symbol for z in range(1, 119)] == list(SYMBOLS)
    assert sorted(SYMBOLS) == sorted(BY_ELECTRONEGATIVITY)
    assert len(set(BY_ELECTRONEGATIVITY)) == 118


def test_rock_salt_has_one_label_whatever_the_elements_cell_and_origin() -> None:
    salt = rock_salt("Na", "Cl", 5.64)
    same = [
        salt,
        rock_salt("Mg", "O", 4.21),
        rock_salt("Cl", "Na", 5.64),
        rock_salt("Na", "Cl", 5.64, shift=0.5),
        salt.get_primitive_structure(),
        salt * (2, 1, 1),
    ]
    labels = {describe(crystal_of(structure)).prototype for structure in same}
    assert labels == {"AB_225_a_b"}


def test_perovskite_has_one_label_for_both_choices_of_origin() -> None:
    one = describe(crystal_of(perovskite("Sr", "Ti", 3.905, swapped=False)))
    other = describe(crystal_of(perovskite("Ca", "Ti", 3.9, swapped=True)))
    assert one.prototype == other.prototype == "ABC3_221_a_b_c"


def test_prototypes_with_one_formula_differ() -> None:
    cscl = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    zinc_blende = Structure.from_spacegroup(
        216, Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    found = [describe(crystal_of(each)) for each in (cscl, zinc_blende)]
    assert [each.space_group for each in found] == [221, 216]
    assert [each.prototype for each in found] == ["AB_221_a_b", "AB_216_a_c"]


def test_label_is_unchanged_by_atom_order_and_translation() -> None:
    rutile = Structure.from_spacegroup(
        136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    crystal = crystal_of(rutile)
    order = np.random.default_rng(0).permutation(len(crystal.numbers))
    moved = as_crystal(crystal.lattice, crystal.numbers[order], crystal.frac[order] + 0.137)
    assert describe(crystal) == describe(moved)
    assert describe(crystal).prototype == "AB2_136_a_f"


@pytest.mark.parametrize(
    ("space_group", "system"),
    [(1, "triclinic"), (15, "monoclinic"), (62, "orthorhombic"), (136, "tetragonal"),
     (166, "trigonal"), (194, "hexagonal"), (227, "cubic"), (0, "unknown"), (231, "unknown")],
)  # fmt: skip
def test_crystal_system_follows_the_space_group(space_group: int, system: str) -> None:
    assert crystal_system(space_group) == system


@pytest.mark.parametrize("edge", [4.0, 0.0])
def test_no_symmetry_found_falls_back_to_the_formula(edge: float) -> None:
    overlapping = as_crystal(edge * np.eye(3), [11, 17, 11, 17], np.zeros((4, 3)))
    found = describe(overlapping)
    assert (found.space_group, found.crystal_system, found.prototype) == (0, "unknown", "AB")


def test_settings_are_those_of_pymatgen() -> None:
    from pymatgen.analysis.prototypes import WYCKOFF_POSITION_RELAB_DICT

    letters = "abcdefghijklmnopqrstuvwxyzA"
    path = Path(prototype.__file__).with_name("wyckoff_settings.json")
    ours = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(map(int, ours)) == list(range(1, 231))
    for space_group, settings_ in ours.items():
        theirs = WYCKOFF_POSITION_RELAB_DICT[space_group]
        assert [{ord(a): b for a, b in zip(letters, each, strict=False)} for each in settings_] == [
            dict(each) for each in theirs
        ]


# spglib announces with every call that failures will raise one day; pymatgen lets it through.
@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
# pymatgen still calls a function that monty gives up.
@pytest.mark.filterwarnings("ignore:gcd is deprecated:FutureWarning")
def test_real_crystals_share_a_label_where_they_share_pymatgens(shared_data: Path) -> None:
    """Pymatgen's label names elements in alphabetical order, so it is finer than ours."""
    import pandas as pd
    from pymatgen.analysis.prototypes import get_protostructure_label_from_spglib

    table = pd.read_parquet(shared_data / "matbench_phonons.parquet").iloc[::6]
    ours: dict[str, set[str]] = {}
    pearson: dict[str, set[str]] = {}
    for row in table.itertuples():
        crystal = as_crystal(row.lattice, row.numbers, row.frac)
        structure = Structure(crystal.lattice, crystal.numbers.tolist(), crystal.frac)
        label = get_protostructure_label_from_spglib(structure, init_symprec=0.01)
        theirs = label.split(":")[0]
        found = describe(crystal).prototype
        ours.setdefault(theirs, set()).add(found)
        pearson.setdefault(found, set()).add(theirs.split("_")[1])
        assert theirs.split("_")[2] == found.split("_")[1]
        assert len(theirs.split("_")) == len(found.split("_")) + 1  # and the Pearson symbol
    assert max(len(labels) for labels in ours.values()) == 1
    assert max(len(symbols) for symbols in pearson.values()) == 1
    assert len(pearson) < len(ours) < len(table)


def test_sites_and_orbits_do_not_depend_on_the_cell() -> None:
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
    )
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0] * 3, [0.305, 0.305, 0]]
    )
    for structure, sites, orbits_ in ((salt, 2, 2), (rutile, 6, 2)):
        for cell in (structure, structure.get_primitive_structure(), structure * (1, 1, 2)):
            found = describe(crystal_of(cell))
            assert (found.sites, found.orbits) == (sites, orbits_)
