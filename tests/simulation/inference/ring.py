"""A magnet of one band in closed form, and spectra counted from its images."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import erf
from torch import Tensor

from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.space import CouplingSpace, Floats, render
from gnnmat.simulation.layout import SliceLayout, relative_layout

LAYOUT = relative_layout((20.0, 40.0), first=0.1, width=0.15, slices=4, pixels=16)
NAMES = ("A", "B", "gap")
TRUTH = np.array([9.0, 4.0, 2.0])


class Ring:
    """A band E(h, k) = gap + A |sin pi h / 2| + B |sin pi k / 2|, its strength falling with E.

    Args:
        layout: of the images.
        twinned: with a second domain, h and k exchanged: then A and B can be exchanged, too.
    """

    def __init__(self, layout: SliceLayout = LAYOUT, *, twinned: bool = False) -> None:
        self.layout = layout
        self.twinned = twinned
        self.calls = 0
        h, k = np.meshgrid(np.array(layout.h), np.array(layout.k), indexing="ij")
        self.wave = np.abs(np.sin(np.pi * h / 2)), np.abs(np.sin(np.pi * k / 2))

    def stable(self, values: Tensor) -> Tensor:
        """A gap below zero is no minimum."""
        return values[:, 2] >= 0

    def images(self, values: Tensor) -> Tensor:
        """(B, R, C)."""
        self.calls += len(values)
        return torch.from_numpy(np.stack([self._image(one) for one in values.numpy()])).float()

    def _image(self, values: Floats) -> Floats:
        x, y = self.wave
        image = self._domain(values, x, y)
        return (image + self._domain(values, y, x)) / 2 if self.twinned else image

    def _domain(self, values: Floats, x: Floats, y: Floats) -> Floats:
        energy = values[2] + values[0] * x + values[1] * y
        tiles = []
        for incident, bins in zip(
            self.layout.incident_energies, self.layout.energy_edges, strict=True
        ):
            width = 0.06 * incident * np.sqrt(2)
            row = [
                (erf((high - energy) / width) - erf((low - energy) / width)) / (energy + 1)
                for low, high in bins
            ]
            tiles.append(row)
        return np.asarray(self.layout.to_image(np.array(tiles)))


def space(**ranges: tuple[float, float]) -> CouplingSpace:
    """Ranges of the ring's couplings."""
    every = {"A": (2.0, 16.0), "B": (0.0, 8.0), "gap": (-1.0, 6.0)} | ranges
    return CouplingSpace(NAMES, np.array([every[name] for name in NAMES]))


def noise_of(
    layout: SliceLayout, *, per_intensity: float = 60.0, background: float = 3.5
) -> CountingNoise:
    """The same counts in every tile."""
    tiles = len(layout.incident_energies) * layout.slices
    return CountingNoise(np.full(tiles, per_intensity), np.full(tiles, background), exact=True)


def counted(
    image: Floats,
    noise: CountingNoise,
    seed: int = 0,
    *,
    layout: SliceLayout = LAYOUT,
    mask: np.ndarray | None = None,
) -> Observation:
    """A spectrum counted from an image."""
    hidden = np.zeros(layout.image_shape, bool) if mask is None else mask
    whole = Observation(np.ones(layout.image_shape), hidden, layout)
    rng = np.random.default_rng(seed)
    values = noise.draw(whole.take(image), whole.tile, rng)
    return Observation(whole.put(values), hidden, layout)


def spectrum(
    values: Floats = TRUTH, seed: int = 0, *, scale: float = 1.0, **of: float
) -> tuple[Ring, Observation, CountingNoise]:
    """A ring, a spectrum of it, and the noise of that."""
    ring, noise = Ring(), noise_of(LAYOUT, **of)
    return ring, counted(scale * render(ring, values), noise, seed), noise
