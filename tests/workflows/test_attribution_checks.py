"""Rank correlations of maps, against scipy and against maps whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import relative_layout
from gnnmat.sources.simulated import SimulatedSource
from gnnmat.train.committee import load_committee
from gnnmat.workflows.attribution_checks import (
    agreement,
    mean_images,
    partial_rank_correlation,
    rank_correlation,
    shuffled,
    slice_means,
    standing_out,
    untrained,
)

from .explained import ensemble, simulated

LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=8)
RNG = np.random.default_rng(0)


def test_rank_correlation_is_that_of_scipy() -> None:
    a, b = RNG.random(50), RNG.integers(0, 5, 50).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, np.ones(50)) == 0.0


def test_a_common_cause_is_taken_out() -> None:
    cause = RNG.random(5000)
    a, b = (cause + 0.3 * RNG.random(5000) for _ in range(2))
    assert rank_correlation(a, b) > 0.8
    assert abs(partial_rank_correlation(a, b, cause)) < 0.1
    assert partial_rank_correlation(a, a + 0.01 * b, cause) > 0.8


def test_equal_maps_agree_and_shuffled_ones_do_not() -> None:
    values = RNG.random(LAYOUT.image_shape)
    mask = RNG.random(LAYOUT.image_shape) < 0.2
    same = agreement(values, values**3, LAYOUT, mask=mask, box=1, brightness=RNG.random((16, 24)))
    assert [same.boxes, same.inside] == pytest.approx([1.0, 1.0])
    assert same.beyond == pytest.approx(1.0)
    mixed = shuffled(values, LAYOUT, 1, box=4)
    assert np.sort(mixed.ravel()) == pytest.approx(np.sort(values.ravel()))
    assert abs(agreement(mixed, values, LAYOUT, box=1).boxes) < 0.3


def test_masked_pixels_count_nowhere() -> None:
    values = np.ones(LAYOUT.image_shape)
    mask = np.zeros(LAYOUT.image_shape, bool)
    mask[:8, :8], values[:8, :8] = True, 1e6
    means = slice_means(values, LAYOUT, mask)
    assert np.isnan(means[0, 0])
    assert means.ravel()[1:] == pytest.approx(np.ones(5))
    assert standing_out(values, LAYOUT, 40.0, (0.0, 40.0), mask=mask) == 1.0


def test_slices_that_stand_out_are_told_by_their_energies() -> None:
    values = np.ones(LAYOUT.image_shape)
    values[8:, 8:16] = 7.0  # Ei 40, 6.4 to 8.8 meV
    assert standing_out(values, LAYOUT, 40.0, (7.0, 8.0)) == pytest.approx(7 / 2)
    assert standing_out(values, LAYOUT, 20.0, (3.0, 4.0)) == pytest.approx(1 / 2)
    with pytest.raises(GnnmatError, match="No slice of Ei 40 meV"):
        standing_out(values, LAYOUT, 40.0, (30.0, 31.0))


def test_means_are_those_of_scaled_images() -> None:
    records = SimulatedSource(path=str(simulated())).open()
    found = mean_images(records, range(len(records)), "hypothesis")
    assert set(found) == {"heisenberg", "frustrated"}
    rows = np.flatnonzero(records.table["hypothesis"] == "frustrated")
    images = [records.read(records.raws[row]).image for row in rows]
    expected = np.mean([one / np.percentile(one, 99) for one in images], axis=0)
    np.testing.assert_allclose(found["frustrated"], expected, rtol=1e-5)
    with pytest.raises(GnnmatError, match="no column 'class'"):
        mean_images(records, [0], "class")


def test_an_untrained_network_is_the_same_but_for_its_weights() -> None:
    one = load_committee(ensemble()).members[0]
    before = torch.get_rng_state()
    first, again, other = untrained(one, 3), untrained(one, 3), untrained(one, 4)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [next(net.encoder.parameters()) for net in (first, again, other, one)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])
    assert first.augment is one.augment
    assert not first.encoder.training
