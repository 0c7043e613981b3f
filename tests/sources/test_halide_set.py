"""Parents of halide films: their symmetry, their sites, and what decides a draw."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.halide_parents import HALOGENS, PARENTS, DrawnParent, build_parent
from gnnmat.sources.halide_set import HalidesSource
from gnnmat.sources.records import Records
from gnnmat.sources.symmetry_labels import space_group

# Atoms of a primitive cell: ABX3; the same four times, and I-centred; A2BB'X6, F-centred; A3B2X9;
# the last twice, as its octahedra are stacked the other way round in the next layer.
ATOMS = {"Pm-3m": 5, "I4/mcm": 10, "Fm-3m": 10, "P-3m1": 14, "P6_3/mmc": 28}
# Lattice and free coordinates of one crystal each, fractional, to three decimals.
# Source: Materials Project, mp-1014168, mp-27544 and mp-624214 (v2025.02.12); Cs2AgBiBr6:
# McClure et al., Chem. Mater. 28, 1348 (2016), with bromine at 0.25.
KNOWN = {
    "I4/mcm": (
        DrawnParent("I4/mcm", (55, 82, 35), 8.198, 12.086, (0.184,)),
        Lattice.tetragonal(8.198, 12.086),
        {"Cs": [(0.5, 0, 0.25)], "Pb": [(0, 0, 0.5)],
         "Br": [(0.5, 0.5, 0.25), (0.184, 0.684, 0.5)]},
    ),
    "Fm-3m": (
        DrawnParent("Fm-3m", (55, 47, 83, 35), 11.27, 11.27, (0.25,)),
        Lattice.cubic(11.27),
        {"Cs": [(0.25, 0.25, 0.25)], "Ag": [(0.5, 0, 0)], "Bi": [(0, 0, 0)], "Br": [(0.25, 0, 0)]},
    ),
    "P-3m1": (
        DrawnParent("P-3m1", (55, 83, 35), 8.014, 9.945, (0.337, 0.811, 0.167, 0.662)),
        Lattice.hexagonal(8.014, 9.945),
        {"Cs": [(1 / 3, 2 / 3, 0.337), (0, 0, 0)], "Bi": [(1 / 3, 2 / 3, 0.811)],
         "Br": [(0.167, 0.334, 0.662), (0.5, 0.5, 0)]},
    ),
    "P6_3/mmc": (
        DrawnParent("P6_3/mmc", (55, 83, 53), 8.539, 21.632, (0.425, 0.844, 0.164, 0.582, 0.496)),
        Lattice.hexagonal(8.539, 21.632),
        {"Cs": [(1 / 3, 2 / 3, 0.425), (0, 0, 0.25)], "Bi": [(1 / 3, 2 / 3, 0.844)],
         "I": [(0.164, 0.836, 0.582), (0.496, 0.992, 0.25)]},
    ),
}  # fmt: skip


@cache
def records() -> Records:
    return HalidesSource(samples=12).open()


def as_structure(crystal: Crystal) -> Structure:
    return Structure(crystal.lattice, list(crystal.numbers), crystal.frac)


def test_every_crystal_has_its_space_group_at_both_tolerances() -> None:
    found = records()
    for raw, number in zip(found.raws, found.table["space_group_number"], strict=True):
        crystal = found.read(raw)
        assert space_group(crystal, 0.01) == space_group(crystal, 0.1) == number


def test_the_classes_are_the_space_groups_by_name() -> None:
    assert set(records().table["space_group"]) == set(PARENTS) == set(ATOMS)
    for name, parent in PARENTS.items():
        numbers = records().table["space_group_number"][records().table["space_group"] == name]
        assert set(numbers) == {parent.number}


@pytest.mark.parametrize("group", ATOMS)
def test_a_primitive_cell_has_the_atoms_of_its_formula(group: str) -> None:
    for raw in records().raws:
        if raw.group == group:
            assert len(build_parent(raw).numbers) == ATOMS[group] - (0 in raw.numbers)


@pytest.mark.parametrize("group", KNOWN)
def test_known_parameters_make_the_known_crystal(group: str) -> None:
    drawn, lattice, sites = KNOWN[group]
    pairs = [(element, at) for element, places in sites.items() for at in places]
    expected = Structure.from_spacegroup(
        PARENTS[group].number,
        lattice,
        [element for element, _ in pairs],
        [at for _, at in pairs],
    )
    match = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False)
    assert match.fit(as_structure(build_parent(drawn)), expected)


def test_the_straight_perovskite_has_its_halogens_at_half_the_edge() -> None:
    structure = as_structure(build_parent(DrawnParent("Pm-3m", (55, 82, 53), 6.3, 6.3, ())))
    lead = next(place for place, site in enumerate(structure) if site.specie.symbol == "Pb")
    near = structure.get_neighbors(structure[lead], 3.2)
    assert len(near) == 6
    assert {one.specie.symbol for one in near} == {"I"}
    assert [one.nn_distance for one in near] == pytest.approx([3.15] * 6)


def test_halogens_have_the_edges_that_their_films_have() -> None:
    for raw in records().raws:
        parent = PARENTS[raw.group]
        volume = (raw.a / parent.cell[0]) ** 2 * raw.c / parent.cell[1]
        low, high = HALOGENS[raw.numbers[-1]]
        assert low - 1e-4 <= volume ** (1 / 3) <= high + 1e-4


def test_every_edge_of_a_parent_has_a_halogen() -> None:
    for parent in PARENTS.values():
        for edge in np.linspace(*parent.edge, 50):
            assert any(low <= edge <= high for low, high in HALOGENS.values())


def test_a_crystal_depends_on_seed_class_and_number_alone() -> None:
    some = HalidesSource(samples=3, classes=("P-3m1",)).open()
    places = [place for place, raw in enumerate(records().raws) if raw.group == "P-3m1"][:3]
    assert some.raws == [records().raws[place] for place in places]
    assert HalidesSource(samples=3, seed=1, classes=("P-3m1",)).open().raws != some.raws


def test_an_unknown_class_is_refused_with_a_near_one() -> None:
    with pytest.raises(ValidationError, match="Did you mean 'P-3m1'"):
        HalidesSource(classes=("P3m1",))
    with pytest.raises(ValidationError, match="named 2 times"):
        HalidesSource(classes=("Pm-3m", "Pm-3m"))
