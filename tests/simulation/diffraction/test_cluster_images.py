"""Fast pictures of clusters are the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cluster_images import cluster_images
from gnnmat.simulation.diffraction.clusters import Cluster
from gnnmat.simulation.diffraction.detector import Detector
from gnnmat.simulation.diffraction.fingerprint import fingerprint


def irregular(atoms: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(atoms, 3)) * 1.5


def test_pictures_are_those_of_the_plain_way() -> None:
    detector = Detector(20, 9.0, 0.0)
    places = [irregular(17, 0), irregular(30, 1)]
    found = cluster_images(
        [torch.from_numpy(one) for one in places],
        [torch.ones(len(one), dtype=torch.float64) for one in places],
        detector,
    )
    plain = fingerprint([Cluster(one, np.full(len(one), 6)) for one in places], detector)
    found = found * detector.ring
    torch.testing.assert_close(found / found.amax(dim=(-1, -2), keepdim=True), plain)


def test_weights_are_counted_as_so_many_atoms() -> None:
    detector = Detector(16, 9.0, 0.0)
    one = torch.from_numpy(irregular(12, 2))
    twice = torch.cat([one, one[:5]])
    weights = torch.ones(12, dtype=torch.float64)
    weights[:5] = 2
    found = cluster_images([one], [weights], detector)
    expected = cluster_images([twice], [torch.ones(17, dtype=torch.float64)], detector)
    torch.testing.assert_close(found, expected)


def test_an_odd_number_of_pixels_is_refused() -> None:
    with pytest.raises(GnnmatError, match="expected even"):
        cluster_images([torch.zeros(2, 3)], [torch.ones(2)], Detector(17, 9.0, 0.0))
