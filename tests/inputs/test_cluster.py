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
