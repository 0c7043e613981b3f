"""Masks drawn at random look like those of an instrument."""

from __future__ import annotations

import numpy as np

from gnnmat.augment.detector_gaps import detector_mask, extra_gaps
from gnnmat.simulation.layout import pcsmo_layout, relative_layout

LAYOUT = pcsmo_layout()


def test_masks_hide_some_pixels_and_never_most() -> None:
    shares = np.array(
        [detector_mask(LAYOUT, np.random.default_rng(seed)).mean() for seed in range(60)]
    )
    # The mask of the measured data hides 20%.
    assert 0.1 < np.median(shares) < 0.3
    assert shares.min() > 0.02
    assert shares.max() < 0.6


def test_masks_differ_from_each_other() -> None:
    first, second = (detector_mask(LAYOUT, np.random.default_rng(seed)) for seed in (0, 1))
    assert (first != second).mean() > 0.05


def test_slower_neutrons_reach_less_far() -> None:
    masks = [detector_mask(LAYOUT, np.random.default_rng(seed)) for seed in range(40)]
    edge = np.mean([mask[:, :, :, 0] for mask in masks], axis=(0, 3))  # (Ei, slice)
    assert edge[0, 9] > edge[5, 0] + 0.3


def test_direct_beam_is_hidden_everywhere() -> None:
    mask = detector_mask(relative_layout((30.0, 60.0), pixels=41), np.random.default_rng(0))
    assert mask[:, :, 20, 20].all()


def test_extra_gaps_are_few_and_small() -> None:
    shares = [extra_gaps(LAYOUT, np.random.default_rng(seed)).mean() for seed in range(60)]
    assert min(shares) > 0
    assert np.mean(shares) < 0.05


def test_smallest_layout_is_enough() -> None:
    tiny = relative_layout((10.0,), slices=1, pixels=2)
    for seed in range(10):
        assert extra_gaps(tiny, np.random.default_rng(seed)).any()
        assert detector_mask(tiny, np.random.default_rng(seed)).shape == (1, 1, 2, 2)
