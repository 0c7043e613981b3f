"""Defects: as many, as large and as evenly drawn as is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.augment.defects import (
    displacements,
    misorientation,
    neighbour_distance,
    random_strain,
    random_turn,
    substituted,
    survivors,
)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("share", "left"), [(0.0, 190), (0.25, 142), (0.7, 57), (0.999, 2)])
def test_a_share_of_the_atoms_is_removed(share: float, left: int) -> None:
    found = survivors(190, share, random())
    assert len(found) == left
    assert len(set(found.tolist())) == left


def test_any_atom_may_be_removed() -> None:
    kept = np.zeros(20)
    for seed in range(400):
        kept[survivors(20, 0.5, random(seed))] += 1
    assert kept.min() > 150  # 200 expected, 10 the standard deviation
    assert kept.max() < 250


def test_displacements_have_their_deviation_in_each_component() -> None:
    found = displacements(20_000, 0.1, random())
    np.testing.assert_allclose(found.std(axis=0), 0.1, rtol=0.03)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.004)


def test_substituted_atoms_are_as_many_as_asked_and_the_rest_stay() -> None:
    numbers = np.full(1000, 200)
    found = substituted(numbers, 0.2, random())
    assert (found != 200).sum() == 200
    assert found[found != 200].min() >= 3
    assert found[found != 200].max() <= 83
    assert (numbers == 200).all()


def test_strain_is_symmetric_with_its_deviation() -> None:
    found = np.stack([random_strain(0.01, random(seed)) for seed in range(3000)])
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))
    np.testing.assert_allclose(found.std(axis=0), 0.01, rtol=0.06)


def test_turns_are_rotations_over_all_orientations() -> None:
    found = np.stack([random_turn(random(seed)) for seed in range(4000)])
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.eye(3)[None].repeat(4000, 0),
                               atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(found), 1)
    # Each element of an evenly drawn rotation has mean 0 and variance 1/3.
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose(found.var(axis=0), 1 / 3, atol=0.03)


def test_misorientation_has_its_angle() -> None:
    for seed in range(20):
        turn = misorientation(7.0, random(seed))
        angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
        assert angle == pytest.approx(7.0)
        assert np.linalg.det(turn) == pytest.approx(1.0)


def test_neighbour_distance_is_that_of_the_nearest() -> None:
    places = torch.tensor([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    assert float(neighbour_distance(places)) == pytest.approx((1 + 1 + 2) / 3)
