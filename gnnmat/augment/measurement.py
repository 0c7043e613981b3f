"""What an instrument does to a calculated spectrum, drawn from a stream of random numbers.

Tiles are (Ei, h, slice, k): an image cut along its axes without moving a pixel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.augment.counting import counts
from gnnmat.augment.orientation import turned
from gnnmat.simulation.layout import SliceLayout

Range = tuple[float, float]

SPREAD_OF_RATES = 0.3  # ln(background counts) between the slices of one spectrum
FALSE_PEAKS = (1.0, 5.0)  # height, in 99th percentiles; the highest that was measured is 4.6
QUIETEST = 1e-4  # in 99th percentiles: keeps counts where float32 tells one from the next


def signal(
    tiles: Tensor,
    layout: SliceLayout,
    generator: np.random.Generator,
    *,
    block_scale: float,
    misset: float,
    mosaic: float,
) -> Tensor:
    """The tiles of a crystal slightly turned, each incident energy on a scale of its own.

    Args:
        tiles: intensity, not negative.
        layout: of the image.
        generator: of the sample.
        block_scale: standard deviation of ln(intensity) between incident energies, and from the
            first slice to the last.
        misset: standard deviation of a turn about the beam, degrees.
        mosaic: largest standard deviation of the turns of the grains, degrees.
    """
    angle = math.radians(misset * generator.standard_normal())
    spread = math.radians(mosaic * generator.random())
    # A level a block and a slope over its slices, as a convention of k_f / k_i would make it.
    over = np.linspace(-0.5, 0.5, layout.slices) if layout.slices > 1 else np.zeros(1)
    levels, slope = generator.standard_normal((len(tiles), 1)), generator.standard_normal()
    factors = np.exp(block_scale * (levels + slope * over))
    return turned(tiles * by_slice(factors, tiles), layout, angle, spread)


def smooth_background(
    tiles: Tensor,
    layout: SliceLayout,
    generator: np.random.Generator,
    largest: float,
) -> Tensor:
    r"""(Ei, h, slice, k) intensity that grows as Q^2 and falls with energy, as of phonons.

    :math:`A\, (h^2 + k^2) / \max(h^2 + k^2)\, e^{-E / E_0}`, with A drawn evenly up to
    ``largest`` and E_0 between a twentieth and a half of the highest incident energy.
    """
    height = largest * generator.random()
    decay = max(layout.incident_energies) * log_even(generator, (0.05, 0.5))
    middles = np.asarray(layout.energy_edges).mean(axis=-1)
    h, k = (np.asarray(axis) ** 2 for axis in (layout.h, layout.k))
    square = torch.from_numpy((h[:, None] + k) / (h.max() + k.max())).to(tiles)
    falling = by_slice(height * np.exp(-middles / decay), tiles)
    return falling * square[None, :, None, :]


def by_slice(values: NDArray[np.floating], like: Tensor) -> Tensor:
    """(Ei, 1, slice, 1) tensor of numbers (Ei, slice), to be broadcast over tiles."""
    return torch.from_numpy(values).to(like)[:, None, :, None]


def counted(
    tiles: Tensor,
    sigma: NDArray[np.float32],
    generator: np.random.Generator,
    *,
    background: Range,
    residual: float,
) -> Tensor:
    r"""The tiles as counted, with the background subtracted; below zero where it was more.

    A pixel's counts are Poisson with mean :math:`c s + \lambda`: signal times counts an
    intensity, and background. Subtracted and divided by c, a pixel without signal varies by
    :math:`\sqrt\lambda / c`, which is the noise that was asked for; with signal it varies more.

    Args:
        tiles: signal, not negative.
        sigma: (Ei, slices) standard deviation without signal, in the unit of the signal.
        generator: of the sample.
        background: range of background counts, drawn evenly in its logarithm.
        residual: standard deviation of the background's error, in units of ``sigma``: of the one
            that all slices share, and of the one that each slice has for itself.
    """
    like = np.exp(SPREAD_OF_RATES * generator.standard_normal(sigma.shape))
    rate = log_even(generator, background) * like
    wrong = generator.standard_normal() + generator.standard_normal(sigma.shape)
    error = residual * wrong * np.sqrt(rate)
    per_intensity = np.sqrt(rate) / sigma
    c, below, actual = (
        by_slice(one, tiles) for one in (per_intensity, rate, np.maximum(rate + error, 0))
    )
    return (counts(tiles * c + actual, generator) - below) / c


def with_false_peaks(
    image: Tensor, bright: float, generator: np.random.Generator, mean: float
) -> Tensor:
    """The image (R, C) with a few single pixels far too high.

    Args:
        image: intensity.
        bright: the 99th percentile of the image.
        generator: of the sample.
        mean: expected number of false peaks.
    """
    number = int(generator.poisson(mean))
    places = torch.from_numpy(generator.integers(image.numel(), size=number))
    heights = bright * generator.uniform(*FALSE_PEAKS, size=number)
    peaked = image.flatten().clone()
    peaked[places.to(image.device)] += torch.from_numpy(heights).to(image)
    return peaked.view_as(image)


def log_even(generator: np.random.Generator, between: Range) -> float:
    """A positive number drawn evenly in its logarithm."""
    low, high = between
    return float(low * (high / low) ** generator.random())
