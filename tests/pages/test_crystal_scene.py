"""Which atoms and bonds of a crystal are drawn, where and in which colour."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gnnmat.pages.crystal_scene import colour, near_bonds, scene, strong_bonds
from gnnmat.sources.crystal import Crystal

from .drawn_crystal import ROCK_SALT, drawn


def made(crystal: Any) -> dict[str, Any]:
    atoms, bonds = len(crystal.numbers), len(crystal.length)
    return scene(crystal, ["words"] * atoms, ["words"] * bonds, ["X"] * atoms)


def test_zero_is_neutral_and_signs_are_red_and_blue() -> None:
    assert colour(0.0, 2.0) == colour(0.0, 0.0) == "#cbcfd5"
    red, blue = colour(2.0, 2.0), colour(-2.0, 2.0)
    assert (red, blue) == ("#de302c", "#2874d6")
    assert colour(9.0, 2.0) == red


def test_a_cell_of_rock_salt_is_drawn_with_its_faces() -> None:
    # Hand count: 8 corners and 6 face centres of one kind, 12 edges and the middle of the other.
    found = made(drawn())
    colours = Counter(atom["colour"] for atom in found["atoms"])
    assert sorted(colours.values()) == [13, 14]
    assert sum(bool(atom["label"]) for atom in found["atoms"]) == 8
    assert len(found["cell"]) == 12


def test_bonds_inside_are_whole_and_those_that_leave_are_halves() -> None:
    found = made(drawn())
    lengths = [np.linalg.norm(np.subtract(one["to"], one["from"])) for one in found["bonds"]]
    counts = Counter(np.round(lengths, 2).tolist())
    # 54 nearest pairs among the 27 atoms of a 3 x 3 x 3 grid.
    assert counts[2.82] == 54
    # Four atoms of the cell lie on each of the three faces at zero, with one bond out of it.
    assert counts[1.41] == 12
    assert len({(*one["from"], *one["to"]) for one in found["bonds"]}) == len(found["bonds"])


def test_bonds_end_at_the_atoms_they_belong_to() -> None:
    crystal = drawn()
    moved = replace(crystal, frac=crystal.frac + [1.2, -3.1, 0.3])
    places = np.array([atom["at"] for atom in made(moved)["atoms"]])
    assert ((places > -0.01) & (places < 5.65)).all()
    for bond in made(moved)["bonds"]:
        gap = np.linalg.norm(places - bond["from"], axis=1).min()
        assert gap < 1e-3


def test_an_image_too_many_on_a_face_is_left_out_of_an_open_cell() -> None:
    lonely = Crystal(np.eye(3) * 4, np.array([11]), np.full((1, 3), 0.5))
    assert len(made(drawn(lonely))["atoms"]) == 1


def test_near_bonds_are_those_a_chemist_would_draw() -> None:
    salt = drawn(cutoff=4.1)
    assert set(salt.length[near_bonds(salt)].round(2)) == {2.82}
    metal = Crystal(np.eye(3) * 4.05, np.array([13] * 4), ROCK_SALT.frac[:4])
    aluminium = drawn(metal, cutoff=4.2)
    # Longer than covalent radii allow, but the nearest there are.
    assert set(aluminium.length[near_bonds(aluminium)].round(2)) == {2.86}


def test_the_strongest_bonds_are_a_tenth_and_equal_ones_stay_together() -> None:
    sizes = np.linspace(0, 1, 100)
    assert strong_bonds(sizes).sum() == 10
    assert strong_bonds(np.ones(100)).all()
    assert strong_bonds(np.ones(0)).shape == (0,)


def test_thickness_grows_with_the_size_of_the_contribution() -> None:
    bonds = made(drawn())["bonds"]
    radius = {one["colour"]: one["radius"] for one in bonds}
    assert max(radius.values()) == pytest.approx(0.14)
    assert radius["#de302c"] == pytest.approx(0.14)


def test_without_contributions_bonds_are_neutral() -> None:
    bonds = made(replace(drawn(), bond_values=None))["bonds"]
    assert {one["colour"] for one in bonds} == {"#cbcfd5"}
