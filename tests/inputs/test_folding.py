"""Folded graphs hold every bond once: classes, counts and lengths by hand and by spglib."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gnnmat.inputs import CrystalGraph
from gnnmat.inputs.folding import SPREAD, Folded, colours, equal_lengths, fold
from gnnmat.inputs.neighbours import Neighbours, neighbours_within
from gnnmat.models import Gated
from gnnmat.sample import DataSpec, Sample, collate
from gnnmat.sources.crystal import Crystal, as_crystal

from ..contracts import crystals

CRYSTALS = {
    "rock salt": crystals.rock_salt(),
    "perovskite": crystals.perovskite(),
    "diamond": crystals.diamond(),
    "hcp": crystals.magnesium(),
    "triclinic": crystals.low_symmetry(),
    "supercell": crystals.supercell(crystals.perovskite(), np.diag([2, 1, 3]))[0],
    "lonely": crystals.lonely_argon(),
}
every_crystal = pytest.mark.parametrize("crystal", CRYSTALS.values(), ids=CRYSTALS)


def folded(crystal: Crystal, cutoff: float = 5.0, tolerance: float = 2e-3) -> Folded:
    return fold(crystal.numbers, neighbours_within(crystal, cutoff), tolerance)


def chain(lengths: list[float]) -> Neighbours:
    """One atom with these distances to itself."""
    zeros = np.zeros(len(lengths), dtype=np.int64)
    return Neighbours(zeros, zeros, np.zeros((len(lengths), 3), np.int64), np.array(lengths))


def test_perovskite_by_hand() -> None:
    """Three kinds of atoms; Sr has 12 O at a/sqrt(2), Ti 6 O at a/2, O 2 Ti, 4 Sr and 8 O."""
    found = folded(crystals.perovskite(a=4.0), cutoff=2.9)
    assert found.orbit.tolist() == [0, 1, 2, 2, 2]
    edges = list(
        zip(found.centre, found.source, np.round(found.length, 6), found.count, strict=True)
    )
    root = round(4 / np.sqrt(2), 6)
    assert edges == [
        (0, 2, root, 12), (1, 2, 2.0, 6), (2, 1, 2.0, 2), (2, 0, root, 4), (2, 2, root, 8),
    ]  # fmt: skip


@every_crystal
def test_every_bond_is_counted(crystal: Crystal) -> None:
    pairs, found = neighbours_within(crystal, 5.0), folded(crystal)
    degree = np.bincount(pairs.centre, minlength=len(crystal.numbers))
    counted = np.bincount(found.centre, found.count, minlength=len(crystal.numbers))
    standing = np.unique(found.orbit)
    np.testing.assert_array_equal(counted[standing], degree[standing])
    assert set(found.centre) | set(found.source) <= set(standing)
    np.testing.assert_array_equal(degree, degree[found.orbit])
    np.testing.assert_array_equal(crystal.numbers, crystal.numbers[found.orbit])
    assert (np.diff(found.centre) >= 0).all()


# spglib announces with every call that failures will raise one day.
@pytest.mark.filterwarnings("ignore:.*OLD_ERROR_HANDLING.*:DeprecationWarning")
@every_crystal
def test_symmetry_makes_equal_colours(crystal: Crystal) -> None:
    """Atoms that spglib calls equivalent are never held apart."""
    import spglib

    cell = (crystal.lattice, crystal.frac, crystal.numbers)
    same = spglib.get_symmetry_dataset(cell, symprec=1e-5).equivalent_atoms
    orbit = folded(crystal).orbit
    for one in np.unique(same):
        assert len(np.unique(orbit[same == one])) == 1


def test_atoms_that_differ_are_kept_apart() -> None:
    assert folded(crystals.low_symmetry()).orbit.tolist() == [0, 1, 2, 3]
    moved = crystals.rock_salt().frac.copy()
    moved[0, 0] += 0.03
    crystal = as_crystal(np.eye(3) * 5.64, [11] * 4 + [17] * 4, moved)
    assert len(np.unique(folded(crystal).orbit)) > 2


def test_colours_look_further_than_one_shell() -> None:
    """A row A-B-B-B-B: two kinds of B by their neighbours, and the third only by theirs."""
    source, centre = np.array([[1, 0, 2, 1, 3, 2, 4, 3], [0, 1, 1, 2, 2, 3, 3, 4]])
    element = np.array([0, 1, 1, 1, 1])
    zeros = np.zeros((8, 3), np.int64)
    pairs = Neighbours(source, centre, zeros, np.ones(8))
    found = colours(element, pairs, np.zeros(8, np.int64))
    assert len(set(found.tolist())) == 5
    # Closed to a ring of B alone, all are alike.
    ring = np.arange(5)
    both = np.concatenate([(ring + 1) % 5, (ring - 1) % 5]), np.concatenate([ring, ring])
    order = np.argsort(both[1], kind="stable")
    pairs = Neighbours(both[0][order], both[1][order], np.zeros((10, 3), np.int64), np.ones(10))
    assert not colours(np.zeros(5, np.int64), pairs, np.zeros(10, np.int64)).any()


def test_lengths_closer_than_the_tolerance_are_one_and_their_mean() -> None:
    group, length = equal_lengths(np.zeros(1, np.int64), chain([2.0, 2.001, 2.5]), 2e-3)
    assert group.tolist() == [0, 0, 1]
    np.testing.assert_allclose(length, [2.0005, 2.0005, 2.5])


@given(st.lists(st.floats(1.0, 1.2), min_size=1, max_size=60), st.floats(1e-4, 1e-2))
def test_no_length_moves_far_however_long_the_chain(lengths: list[float], tolerance: float) -> None:
    _, found = equal_lengths(np.zeros(1, np.int64), chain(lengths), tolerance)
    assert (np.abs(found - lengths) <= SPREAD * tolerance + 1e-12).all()


def test_bonds_of_other_elements_keep_their_lengths() -> None:
    """1.9995 Å between A and B and 2.0005 Å between B and B are not averaged."""
    source, centre = np.array([[1, 0, 1], [0, 1, 1]])
    pairs = Neighbours(source, centre, np.zeros((3, 3), np.int64), np.array([2.0, 2.0, 2.001]))
    _, found = equal_lengths(np.array([0, 1]), pairs, 5e-3)
    np.testing.assert_allclose(found, [2.0, 2.0, 2.001])


def features(crystal: Crystal, *, fold: bool, drop: bool = False) -> NDArray[np.float64]:
    """(atoms, width) of an untrained network, float64."""
    torch.manual_seed(1)
    config = CrystalGraph(neighbours=16, fold=fold, fold_tolerance=1e-6)
    fields = {name: torch.from_numpy(array) for name, array in config.sample(crystal).items()}
    if drop:
        fields["edge_count"] = torch.ones_like(fields["edge_count"])
    encoder = Gated(width=16, layers=3).build(DataSpec(fields=(), neighbours=16)).double().eval()
    with torch.no_grad():
        local: torch.Tensor = encoder(collate([Sample(**fields)])).local
    return local.numpy()


@every_crystal
def test_network_sees_no_difference(crystal: Crystal) -> None:
    np.testing.assert_allclose(
        features(crystal, fold=True), features(crystal, fold=False), rtol=0, atol=1e-10
    )


def test_network_without_the_counts_sees_one() -> None:
    crystal = crystals.perovskite()
    whole, wrong = features(crystal, fold=False), features(crystal, fold=True, drop=True)
    assert np.abs(whole - wrong).max() > 1e-3


def test_folding_is_a_fraction_of_the_work() -> None:
    big = crystals.supercell(crystals.perovskite(), np.diag([2, 2, 2]))[0]
    whole, small = CrystalGraph().sample(big), CrystalGraph(fold=True).sample(big)
    assert small["edge_index"].shape[1] * 20 < whole["edge_index"].shape[1]
