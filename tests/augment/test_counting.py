"""Counts follow the Poisson distribution, which SciPy knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import poisson as reference

from gnnmat.augment.counting import LOW, counts, poisson

DRAWS = 400_000


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


@pytest.mark.parametrize(
    "rate", [0.0, 0.05, 0.5, 1.0, 2.0, LOW - 0.01, LOW + 0.01, 4.0, 8.0, 30.0, 500.0]
)
def test_counts_are_distributed_as_scipy_says(rate: float) -> None:
    drawn = poisson(np.full(DRAWS, rate, dtype=np.float32), generator())
    assert (drawn == np.floor(drawn)).all()
    assert drawn.min() >= 0
    counted = np.bincount(drawn.astype(np.int64))
    found = np.cumsum(counted) / DRAWS
    expected = reference.cdf(np.arange(len(counted)), rate)
    # 400,000 draws differ from their distribution by 0.003 once in a thousand times.
    assert np.abs(found - expected).max() < 0.004
    if rate:
        assert drawn.astype(np.float64).mean() == pytest.approx(rate, rel=0.02)
        assert drawn.astype(np.float64).var() == pytest.approx(rate, rel=0.03)


def test_rates_of_all_sizes_are_drawn_together() -> None:
    rates = np.geomspace(0.1, 1e4, 200_000, dtype=np.float32)
    drawn = poisson(rates, generator()).astype(np.float64)
    standard = (drawn - rates) / np.sqrt(rates)
    for part in np.array_split(standard, 10):
        assert abs(part.mean()) < 0.03
        assert part.var() == pytest.approx(1, abs=0.05)


def test_neighbours_are_not_correlated() -> None:
    drawn = poisson(np.full((300, 300), 5.0, dtype=np.float32), generator())
    for first, second in ((drawn[:, 1:], drawn[:, :-1]), (drawn[1:], drawn[:-1])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.015


def test_generator_decides_the_counts() -> None:
    rate = torch.rand(20, 30) * 20
    assert torch.equal(counts(rate, generator(3)), counts(rate, generator(3)))
    assert not torch.equal(counts(rate, generator(3)), counts(rate, generator(4)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU absent")
def test_gpu_counts_are_reproducible_and_poisson() -> None:
    rate = torch.full((400, 400), 6.0, device="cuda")
    first, second = counts(rate, generator(3)), counts(rate, generator(3))
    assert torch.equal(first, second)
    assert float(first.mean()) == pytest.approx(6, rel=0.02)
    assert float(first.var()) == pytest.approx(6, rel=0.03)
