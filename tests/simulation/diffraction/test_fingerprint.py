"""Fingerprints against a sum atom by atom, and what symmetry asks of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.clusters import Cluster, nearest_atoms
from gnnmat.simulation.diffraction.fingerprint import (
    Detector,
    fingerprint,
    neighbour_distance,
    random_rotations,
    scaled,
    views,
)

from ...contracts import crystals

SMALL = Detector(pixels=16)


def made(crystal: object, count: int = 60) -> Cluster:
    return scaled(nearest_atoms(crystal, count))[0]  # type: ignore[arg-type]


SALT, COPPER = made(crystals.rock_salt()), made(crystals.copper(), 43)


def by_hand(cluster: Cluster, detector: Detector, channel: int) -> np.ndarray:
    """One channel, atom by atom and pixel by pixel."""
    q = detector.axis.numpy()
    total = np.zeros((len(q), len(q)))
    for side in range(2):
        turned = cluster.positions @ views()[channel, side].numpy().T
        for row, q_up in enumerate(q):
            for column, q_across in enumerate(q):
                waves = np.exp(1j * (q_across * turned[:, 0] + q_up * turned[:, 1]))
                total[row, column] += abs(waves.sum()) ** 2
    total *= detector.ring.numpy()
    return total / total.max()


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_pattern_is_the_sum_over_atoms(channel: int) -> None:
    found = fingerprint([SALT, COPPER], SMALL)
    for row, cluster in enumerate((SALT, COPPER)):
        expected = by_hand(cluster, SMALL, channel)
        np.testing.assert_allclose(found[row, channel].numpy(), expected, atol=1e-9)


def test_views_are_rotations_to_both_sides_of_each_axis() -> None:
    for channel in range(3):
        for side in range(2):
            one = views()[channel, side]
            torch.testing.assert_close(one @ one.T, torch.eye(3, dtype=torch.float64))
            assert float(torch.linalg.det(one)) == pytest.approx(1.0)
            assert one[0].tolist() == torch.eye(3)[channel].tolist()


def test_moving_or_mirroring_the_cluster_changes_nothing() -> None:
    moved = Cluster(SALT.positions + [0.3, -1.2, 5.0], SALT.numbers)
    inverted = Cluster(-SALT.positions, SALT.numbers)
    found = fingerprint([SALT, moved, inverted], SMALL)
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_size_of_the_crystal_does_not_matter() -> None:
    large = made(crystals.rock_salt(8.3))
    torch.testing.assert_close(fingerprint([large], SMALL), fingerprint([SALT], SMALL))
    assert neighbour_distance(large) == pytest.approx(1.0)


def test_turning_the_cluster_is_turning_the_positions() -> None:
    turn = torch.from_numpy(random_rotations(1, np.random.default_rng(0)))
    turned = Cluster(SALT.positions @ turn[0].numpy().T, SALT.numbers)
    torch.testing.assert_close(
        fingerprint([SALT], SMALL, orientation=turn), fingerprint([turned], SMALL)
    )
    assert float((fingerprint([turned], SMALL) - fingerprint([SALT], SMALL)).abs().max()) > 0.1


def test_cyclic_axes_permute_the_channels() -> None:
    cycled = Cluster(SALT.positions[:, [1, 2, 0]], SALT.numbers)
    one, other = fingerprint([SALT, cycled], SMALL)
    torch.testing.assert_close(other, one[[1, 2, 0]])


def test_elements_tell_sodium_chloride_from_a_lattice_of_one_kind() -> None:
    detector = Detector(pixels=16, by_element=True)
    alike = Cluster(SALT.positions, np.full(len(SALT), 11))
    one, other = fingerprint([SALT, alike], detector)
    assert float((one - other).abs().max()) > 0.05


def test_outside_the_ring_is_nothing() -> None:
    found = fingerprint([COPPER], SMALL)[0]
    assert bool((found[:, ~SMALL.ring] == 0).all())
    assert float(found.amax()) == 1.0


def test_what_cannot_be_seen_is_told() -> None:
    with pytest.raises(GnnmatError, match="sees nothing"):
        Detector(beam_stop=30)
    with pytest.raises(GnnmatError, match="no cluster"):
        fingerprint([])
    with pytest.raises(GnnmatError, match="no neighbours"):
        scaled(Cluster(np.zeros((1, 3)), np.array([1])))
