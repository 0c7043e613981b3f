"""Every value of sample and instrument follows the distribution that its option describes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import kstest, loguniform, norm, uniform

from gnnmat.augment import PowderMeasurement
from gnnmat.augment.augmentation import stream
from gnnmat.augment.powder_draws import SPURIOUS, Drawn, drawn

ROWS = 2000
FARTHEST = 0.04  # of a distribution of 2000 draws from its own: 0.036 in one of a hundred
OPTIONS: dict[str, Any] = {
    "lattice": 0.0, "strain": 0.003, "shift": 0.2, "height": 0.1, "width": (0.1, 0.4),
    "u": (0.01, 0.05), "v": (-0.02, 0.01), "size": (100.0, 900.0), "microstrain": (0.001, 0.004),
    "debye_waller": (0.5, 2.0), "textured": 0.4, "march": (0.4, 1.5), "scatter": 0.2,
    "spurious": 0.7, "spurious_area": 0.15, "background": (0.01, 0.2), "amorphous": 0.3,
    "counts": (300.0, 30000.0), "short": 0.2,
}  # fmt: skip
EXPECTED: dict[str, Any] = {
    "shift": norm(0, 0.2),
    "height": norm(0, 0.1),
    "u": uniform(0.01, 0.04),
    "v": uniform(-0.02, 0.03),
    "w": loguniform(0.1**2, 0.4**2),
    "size": loguniform(100, 900),
    "microstrain": uniform(0.001, 0.003),
    "b": uniform(0.5, 1.5),
    "direction": uniform(0, 1),
    "spurious_place": uniform(0, 1),
    "level": loguniform(0.01, 0.2),
    "counts": loguniform(300, 30000),
    "short": uniform(-0.2, 0.4),
    "scatter": norm(0, 0.2),
}


@cache
def many(**options: Any) -> Drawn:
    generators = [stream("train", 0, 0, row) for row in range(ROWS)]
    like = torch.zeros(1, dtype=torch.float64)
    return drawn(PowderMeasurement(**OPTIONS | options), generators, 2, like)


def assert_follows(found: NDArray[np.float64], expected: Any) -> None:
    assert kstest(found, expected.cdf).statistic < FARTHEST


@pytest.mark.parametrize("name", EXPECTED)
def test_values_follow_the_options(name: str) -> None:
    found = getattr(many(), name).reshape(ROWS, -1)[:, 0].numpy()
    assert_follows(found, EXPECTED[name])


def test_each_component_of_a_strain_has_the_stated_standard_deviation() -> None:
    found = many().strain.numpy()
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=3e-4)
    for row, column in zip(*np.triu_indices(3), strict=True):
        assert_follows(found[:, row, column], norm(0, 0.003))
    # Independent: a component says nothing about another one.
    together = np.corrcoef(found[:, *np.triu_indices(3)].T)
    np.testing.assert_allclose(together, np.eye(6), atol=0.08)


def test_a_strain_of_the_lattice_is_alike_in_all_directions() -> None:
    found = many(strain=0.0, lattice=0.01).strain.numpy()
    np.testing.assert_array_equal(found, found[:, :1, :1] * np.eye(3))
    assert_follows(found[:, 0, 0], norm(0, 0.01))


def test_the_share_that_is_textured_has_an_r_of_the_range() -> None:
    r = many().r.numpy()
    assert (r != 1).mean() == pytest.approx(0.4, abs=0.04)
    assert kstest(r[r != 1], loguniform(0.4, 1.5).cdf).statistic < 0.06  # of 800


def test_lines_of_other_phases_are_as_many_and_as_large_as_expected() -> None:
    areas = many().spurious_area.numpy()
    assert areas.shape == (ROWS, SPURIOUS)
    assert (areas > 0).sum(axis=1).mean() == pytest.approx(0.7, abs=0.06)
    assert kstest(areas[areas > 0], uniform(0, 0.15).cdf).statistic < 0.05  # of 1400


def test_the_share_with_glass_has_a_hump() -> None:
    assert (many().hump[:, 0] > 0).double().mean() == pytest.approx(0.3, abs=0.04)
