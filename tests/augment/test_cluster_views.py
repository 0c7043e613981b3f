"""Clusters are turned and strained by as much as is asked for, found again from their atoms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import kstest, uniform

from gnnmat.augment import Fingerprint
from gnnmat.augment.augmentation import stream
from gnnmat.inputs import Cluster
from gnnmat.sample import DataSpec

from ..contracts import crystals

Floats = NDArray[np.float64]

DRAWS = 300
FARTHEST = 0.09  # of a distribution of 300 draws from its own: 0.094 in one of a hundred
CALM: dict[str, Any] = {
    "vacancies": (0.0, 0.0), "displacement": (0.0, 0.0), "strain": (0.0, 0.0), "scale": "pristine",
}  # fmt: skip


def cluster() -> tuple[torch.Tensor, torch.Tensor]:
    """Positions in Å around their centre and atomic numbers, of a crystal without symmetry."""
    fields = Cluster(atoms=40).sample(crystals.low_symmetry())
    return torch.tensor(fields["pos"]), torch.tensor(fields["z"])


def maps(**options: Any) -> tuple[Floats, float]:
    """(draws, 3, 3) the matrices that make the atoms of each draw of those of the cluster.

    Row vectors: found = given @ matrix; and the largest distance that such a map leaves.
    """
    module = Fingerprint(**CALM | options).build(DataSpec(fields=("z", "pos")))
    pos, z = cluster()
    given = module.cluster(pos, z, None)[0].numpy()
    made, left = [], 0.0
    for row in range(DRAWS):
        found = module.cluster(pos, z, stream("train", 0, 0, row))[0].numpy()
        matrix = np.linalg.lstsq(given, found, rcond=None)[0]
        left = max(left, float(np.abs(given @ matrix - found).max()))
        made.append(matrix)
    return np.stack(made), left


def angles(**options: Any) -> Floats:
    """(draws,) degrees by which each draw is turned."""
    found, left = maps(**options)
    assert left < 1e-5
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.eye(3)[None].repeat(DRAWS, 0),
                               atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-5)
    return np.degrees(Rotation.from_matrix(found).magnitude())


def test_without_orientation_nothing_is_turned() -> None:
    assert angles(orientation="none").max() < 0.01


def test_a_misorientation_is_an_angle_of_its_range() -> None:
    found = angles(orientation="misorientation", misorientation=(3.0, 10.0))
    assert kstest(found, uniform(3, 7).cdf).statistic < FARTHEST


def test_a_random_orientation_is_even_over_all_rotations() -> None:
    def share(degrees: Floats) -> Floats:
        # Angles of rotations drawn evenly: density (1 - cos) / pi. Source: Miles, Biometrika 52,
        # 636 (1965).
        angle = np.radians(degrees)
        return (angle - np.sin(angle)) / np.pi

    assert kstest(angles(orientation="random"), share).statistic < FARTHEST


@pytest.mark.parametrize(
    ("given", "deviation"), [((0.02, 0.02), 0.02), ((0.0, 0.03), 0.03 / 3**0.5)]
)
def test_a_cluster_is_strained_evenly_by_the_stated_deviation(
    given: tuple[float, float], deviation: float
) -> None:
    found, left = maps(strain=given)
    assert left < 1e-5  # one strain for all of its atoms
    strain = found - np.eye(3)
    np.testing.assert_allclose(strain, strain.transpose(0, 2, 1), atol=1e-5)
    upper = strain[:, *np.triu_indices(3)]
    np.testing.assert_allclose(upper.std(axis=0), deviation, rtol=0.15)
    np.testing.assert_allclose(upper.std(), deviation, rtol=0.08)
    np.testing.assert_allclose(upper.mean(axis=0), 0, atol=0.2 * deviation)


def test_the_turn_is_of_the_strained_cluster() -> None:
    found, _ = maps(strain=(0.02, 0.02), orientation="random")
    # Of a strain and then a turn, the stretches are those of the strain alone.
    stretches = np.linalg.svd(found, compute_uv=False)
    alone = np.linalg.svd(maps(strain=(0.02, 0.02))[0], compute_uv=False)
    np.testing.assert_allclose(stretches, alone, atol=1e-5)
