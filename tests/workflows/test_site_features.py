"""What a forest is told of a site, against counting by hand in well-known structures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.workflows.site_features import RINGS, site_features

from ..contracts import crystals
from ..data.made_records import crystal_records

TABLE = np.arange(119, dtype=float)[:, None]  # the only property is the atomic number


def features_of(dataset: SampleDataset) -> np.ndarray:
    return site_features(dataset, np.arange(len(dataset)), TABLE)


@pytest.fixture
def rock_salt(tmp_path: Path) -> SampleDataset:
    records = crystal_records([crystals.rock_salt(), crystals.lonely_argon()])
    return open_dataset(records, CrystalGraph(cutoff=5.0, neighbours=None), folder=tmp_path)


def test_the_first_shell_of_rock_salt_is_six_of_the_other_kind(rock_salt: SampleDataset) -> None:
    found = features_of(rock_salt)
    z = rock_salt.numbers[0]
    other = z.sum() / len(z) * 2 - z
    own, composition, contrast, shell = found[: len(z), :4].T
    np.testing.assert_array_equal(own, z)
    np.testing.assert_allclose(composition, z.mean())
    np.testing.assert_allclose(shell, other)
    np.testing.assert_allclose(contrast, other - z)
    size = found[: len(z), -len(RINGS) - 1]
    np.testing.assert_allclose(size, 6)


def test_an_atom_without_neighbours_has_finite_features(rock_salt: SampleDataset) -> None:
    lonely = features_of(rock_salt)[-1]
    assert lonely[0] == 18
    assert np.isfinite(lonely).all()
    assert lonely[-len(RINGS) :].sum() == 0


def test_a_folded_graph_gives_the_same_features(tmp_path: Path) -> None:
    records = crystal_records([crystals.rock_salt(), crystals.perovskite(), crystals.copper()])
    found = [
        features_of(open_dataset(records, CrystalGraph(cutoff=5.0, fold=fold), folder=tmp_path))
        for fold in (False, True)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)
