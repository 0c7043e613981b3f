"""Angle moments: by hand, as sums over pairs, and however a crystal is written."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.legendre import Legendre
from numpy.typing import NDArray

from gnnmat.inputs import CrystalGraph
from gnnmat.inputs.angles import POWERS, angle_moments
from gnnmat.inputs.neighbours import Neighbours, neighbours_within
from gnnmat.sources.crystal import Crystal

from ..contracts import crystals

CRYSTALS = {
    "perovskite": crystals.perovskite(),
    "diamond": crystals.diamond(),
    "hcp": crystals.magnesium(),
    "triclinic": crystals.low_symmetry(),
}
every_crystal = pytest.mark.parametrize("crystal", CRYSTALS.values(), ids=CRYSTALS)


def over_pairs(crystal: Crystal, pairs: Neighbours, highest: int) -> NDArray[np.float64]:
    """The definition, bond by bond and neighbour by neighbour."""
    bond = crystal.positions[pairs.source] + pairs.offset @ crystal.lattice
    bond -= crystal.positions[pairs.centre]
    out = np.zeros((len(bond), len(POWERS), highest))
    for place, (centre, vector) in enumerate(zip(pairs.centre, bond, strict=True)):
        mine = pairs.centre == centre
        length = pairs.length[mine]
        cos = bond[mine] @ vector / length / np.linalg.norm(vector)
        for row, power in enumerate(POWERS):
            weight = (length.min() / length) ** power
            for degree in range(1, highest + 1):
                polynomial = Legendre.basis(degree)(cos)
                out[place, row, degree - 1] = (weight * polynomial).sum() / weight.sum()
    return out.reshape(len(bond), -1)


def test_octahedron_by_hand() -> None:
    """Ti in SrTiO3: one neighbour ahead, one behind, four across: (1 + (-1)^l + 4 P_l(0))/6."""
    crystal = crystals.perovskite()
    pairs = neighbours_within(crystal, 2.0)
    of_titanium = angle_moments(crystal, pairs, 4)[pairs.centre == 1]
    assert len(of_titanium) == 6
    np.testing.assert_allclose(of_titanium, [[0, 0, 0, 7 / 12] * 2] * 6, atol=1e-12)


@every_crystal
def test_moments_are_sums_over_pairs(crystal: Crystal) -> None:
    pairs = neighbours_within(crystal, 4.5)
    found = angle_moments(crystal, pairs, 6)
    np.testing.assert_allclose(found, over_pairs(crystal, pairs, 6), atol=1e-12)


def test_lonely_atom_has_no_moments() -> None:
    crystal = crystals.lonely_argon()
    assert angle_moments(crystal, neighbours_within(crystal, 8.0), 3).shape == (0, 6)
    assert CrystalGraph(angles=3, fold=True).sample(crystal)["edge_angle"].shape == (0, 6)


@every_crystal
@pytest.mark.parametrize("fold", [False, True], ids=["whole", "folded"])
@pytest.mark.parametrize("name", crystals.RELATIVES)
def test_moments_are_the_same_for(name: str, fold: bool, crystal: Crystal) -> None:
    """For each atom the same bonds with the same moments, in whatever order."""
    graph = CrystalGraph(cutoff=6.0, neighbours=10, angles=4, fold=fold)
    relative, parent = crystals.relatives(crystal)[name]
    before, after = graph.sample(crystal), graph.sample(relative)
    if fold:
        assert len(np.unique(before["orbit_index"])) == len(np.unique(after["orbit_index"]))
    for atom, origin in enumerate(parent):
        one, many = (bonds(before, origin, fold), bonds(after, atom, fold))
        np.testing.assert_allclose(many, one, atol=1e-8)


def bonds(sample: dict[str, NDArray], atom: int, fold: bool) -> NDArray[np.float64]:
    """The bonds of one atom, of the one that stands for it: length, count and moments, sorted."""
    if fold:
        atom = sample["orbit_index"][atom]
    mine = sample["edge_index"][1] == atom
    count = sample["edge_count"] if fold else np.ones(len(mine))
    columns = [sample["edge_length"], count, *sample["edge_angle"].T]
    table = np.round(np.stack(columns, axis=1)[mine], 6)
    return table[np.lexsort(table.T)]


def test_folded_moments_are_those_of_the_whole_graph() -> None:
    """Also where distances alone make bonds alike that differ in their angles."""
    crystal = crystals.perovskite()
    whole = CrystalGraph(cutoff=4.2, neighbours=None, angles=6).sample(crystal)
    folded = CrystalGraph(cutoff=4.2, neighbours=None, angles=6, fold=True).sample(crystal)
    counted = np.repeat(folded["edge_angle"], folded["edge_count"].astype(int), axis=0)
    for atom in np.unique(folded["orbit_index"]):
        mine = np.repeat(folded["edge_index"][1], folded["edge_count"].astype(int)) == atom
        total = whole["edge_angle"][whole["edge_index"][1] == atom].sum(axis=0)
        np.testing.assert_allclose(counted[mine].sum(axis=0), total, atol=1e-9)
