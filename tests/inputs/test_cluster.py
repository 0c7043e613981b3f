"""Clusters: the nearest atoms, around their middle, in Å."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.inputs import Cluster

from ..contracts import crystals


def test_a_cluster_is_the_nearest_atoms_around_their_middle() -> None:
    made = Cluster(atoms=13).sample(crystals.copper())
    np.testing.assert_allclose(made["pos"].mean(axis=0), 0, atol=1e-9)
    far = np.sort(np.linalg.norm(made["pos"], axis=1))
    np.testing.assert_allclose(far, [0] + [3.61 / 2**0.5] * 12, atol=1e-9)
    assert made["z"].tolist() == [29] * 13


def test_another_atom_may_be_in_the_middle() -> None:
    one, other = (Cluster(atoms=7, centre=place).sample(crystals.rock_salt()) for place in (0, 4))
    assert np.bincount(one["z"])[[11, 17]].tolist() == [1, 6]
    assert np.bincount(other["z"])[[11, 17]].tolist() == [6, 1]


def test_what_is_no_crystal_is_refused() -> None:
    with pytest.raises(GnnmatError, match="not a crystal"):
        Cluster().sample(np.zeros((3, 3)))  # type: ignore[arg-type]


def _distances(made: dict[str, np.ndarray]) -> np.ndarray:
    """Sorted coordinates, rounded: one cluster, whatever the order of its atoms."""
    rows = np.round(np.column_stack([made["z"], made["pos"]]), 6) + 0.0
    return rows[np.lexsort(rows.T)]


def test_a_cluster_lies_along_the_conventional_axes_whichever_cell_was_given() -> None:
    """The primitive cell of copper, turned, against its conventional one; 19 atoms are whole."""
    from gnnmat.sources.crystal import as_crystal

    a = 3.61
    primitive = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = as_crystal(primitive @ turn, np.array([29]), np.zeros((1, 3)))
    plain = Cluster(atoms=19).sample(crystals.copper(a))
    np.testing.assert_allclose(
        _distances(Cluster(atoms=19).sample(turned)), _distances(plain), atol=1e-5
    )
    given = Cluster(atoms=19, axes="given").sample(turned)
    assert not np.allclose(_distances(given), _distances(plain), atol=0.1)


def test_a_crystal_without_symmetry_lies_as_it_was_given() -> None:
    from gnnmat.sources.crystal import as_crystal

    random = np.random.default_rng(1)
    lattice = np.diag([5.0, 6.0, 7.0]) + 0.3 * random.normal(size=(3, 3))
    crystal = as_crystal(lattice, np.array([11, 17, 35]), random.random((3, 3)))
    one, other = (
        Cluster(atoms=30, axes=axes).sample(crystal) for axes in ("given", "conventional")
    )
    np.testing.assert_array_equal(one["pos"], other["pos"])


def test_a_supercell_with_vacancies_lies_as_it_was_given() -> None:
    """Two vacancies along [110] leave an orthorhombic group, whose axes are those of no cube."""
    from gnnmat.sources.crystal import as_crystal
    from gnnmat.sources.symmetry_search import symmetry_dataset

    steps = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    frac = (steps + sites).reshape(-1, 3) / 3
    gone = (frac == 0).all(axis=1) | np.isclose(frac, [1 / 6, 1 / 6, 0]).all(axis=1)
    made = as_crystal(3 * 3.61 * np.eye(3), np.full((~gone).sum(), 29), frac[~gone])
    found = symmetry_dataset(made, 0.01)
    assert found is not None
    assert 16 <= found.number <= 74  # orthorhombic
    # Every neighbour of an atom in fcc lies in a face of the cube: one coordinate of three is 0.
    places = Cluster(atoms=60, centre=60).sample(made)["pos"]
    bonds = places[:, None] - places
    near = bonds[np.isclose(np.linalg.norm(bonds, axis=2), 3.61 / 2**0.5, atol=1e-3)]
    assert len(near) > 100
    assert np.abs(near).min(axis=1).max() < 1e-6
