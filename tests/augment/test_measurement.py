"""What the instrument does has the mean, the width and the zeros that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnnmat.augment.measurement import (
    counted,
    log_even,
    signal,
    smooth_background,
    with_false_peaks,
)
from gnnmat.simulation.layout import relative_layout

LAYOUT = relative_layout((20.0, 40.0), slices=3, pixels=100)
SHAPE = (2, 100, 3, 100)
SIGMA = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("rate", [0.5, 3.0, 20.0])
def test_noise_without_signal_has_the_width_of_each_slice(rate: float) -> None:
    done = counted(torch.zeros(SHAPE), SIGMA, generator(), background=(rate, rate), residual=0.0)
    found = done.std(dim=(1, 3)).numpy()
    np.testing.assert_allclose(found, SIGMA, rtol=0.05)
    assert np.abs(done.mean(dim=(1, 3)).numpy() / SIGMA).max() < 0.05


def test_signal_stays_in_the_mean_and_adds_its_own_noise() -> None:
    sigma, rate, height = np.full((2, 3), 0.2, dtype=np.float32), 4.0, 3.0
    full = torch.full(SHAPE, height)
    drawn = [
        counted(full, sigma, generator(seed), background=(rate, rate), residual=0.0)
        for seed in range(8)
    ]
    together = torch.stack(drawn)
    assert float(together.mean()) == pytest.approx(height, rel=0.01)
    # Var = sigma^2 + s / c with c = sqrt(rate) / sigma; rates of slices differ by a factor e^0.3 N.
    expected = 0.2**2 + height * 0.2 / np.sqrt(rate)
    assert float(together.var()) == pytest.approx(expected, rel=0.1)


def test_fewer_background_counts_make_more_zeros_and_longer_tails() -> None:
    def of(rate: float) -> torch.Tensor:
        return counted(
            torch.zeros(SHAPE), SIGMA, generator(1), background=(rate, rate), residual=0.0
        )

    few, many = of(0.3), of(30.0)
    assert float((few <= 0).float().mean()) > 0.65
    assert 0.45 < float((many <= 0).float().mean()) < 0.6
    assert float((few**3).mean()) > float((many**3).mean()) > 0


def test_wrongly_subtracted_background_shifts_whole_slices() -> None:
    done = counted(torch.zeros(SHAPE), SIGMA, generator(), background=(9.0, 9.0), residual=1.0)
    shift = done.mean(dim=(1, 3)).numpy() / SIGMA
    assert np.abs(shift).max() > 0.5
    assert shift.std() > 0.2


def test_blocks_are_scaled_each_and_slices_along_a_slope() -> None:
    ones = torch.ones(SHAPE)
    done = signal(ones, LAYOUT, generator(), block_scale=0.3, misset=0.0, mosaic=0.0)
    levels = done[:, 0, :, 0].log()
    assert abs(float(levels[0, 1] - levels[1, 1])) > 0.01
    steps = levels.diff(dim=1)
    torch.testing.assert_close(steps, steps[:1, :1].expand_as(steps))
    assert torch.equal(signal(ones, LAYOUT, generator(), block_scale=0, misset=0, mosaic=0), ones)


def test_smooth_background_grows_with_q_and_falls_with_energy() -> None:
    done = smooth_background(torch.zeros(SHAPE), LAYOUT, generator(), 0.5)
    assert float(done.max()) <= 0.5
    assert bool((done[:, 0, :, 50] > done[:, 40, :, 50]).all())
    assert bool((done[:, :, 0] > done[:, :, 2]).all())
    assert bool((done[0, :, 0] > done[1, :, 0]).all())


def test_false_peaks_are_single_pixels_above_the_rest() -> None:
    image = torch.ones(200, 300)
    numbers = []
    for seed in range(50):
        done = with_false_peaks(image, 1.0, generator(seed), 2.0)
        peaks = done[done != 1]
        numbers.append(len(peaks))
        assert bool((peaks >= 2).all())
    assert np.mean(numbers) == pytest.approx(2, abs=0.6)
    assert torch.equal(image, torch.ones(200, 300))


def test_log_even_draws_are_even_in_the_logarithm() -> None:
    random = generator()
    drawn = np.log([log_even(random, (0.5, 2.0)) for _ in range(4000)])
    counts = np.histogram(drawn, bins=4, range=(np.log(0.5), np.log(2)))[0]
    assert counts.sum() == 4000
    assert counts.min() > 900
