"""The couplings of one hypothesis, and what is asked of a simulator of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout

Floats = NDArray[np.float64]


class ImageSimulator(Protocol):
    """Couplings -> images; the same couplings give the same image, bit by bit."""

    @property
    def layout(self) -> SliceLayout:
        """Tiles of the images."""

    def stable(self, values: Tensor) -> Tensor:
        """(B,) bool, whether the order is a minimum of the energy for couplings (B, p)."""

    def images(self, values: Tensor) -> Tensor:
        """(B, R, C) intensities for couplings (B, p)."""


@dataclass(frozen=True)
class CouplingSpace:
    """Names and ranges of couplings; a coupling whose range is empty is held fixed.

    Args:
        names: of the p couplings.
        ranges: (p, 2) lowest and highest value, meV.
    """

    names: tuple[str, ...]
    ranges: Floats

    def __post_init__(self) -> None:
        if self.ranges.shape != (len(self.names), 2):
            raise GnnmatError(
                f"{len(self.names)} couplings need ranges of shape ({len(self.names)}, 2), got "
                f"{self.ranges.shape}."
            )
        for name, (low, high) in zip(self.names, self.ranges, strict=True):
            if not (np.isfinite([low, high]).all() and low <= high):
                raise GnnmatError(f"The range of {name} is {low:g} to {high:g} meV.")
        if not self.free.any():
            raise GnnmatError(
                "No coupling has a range, so there is nothing to refine.",
                fix="Give at least one coupling a range of two different values.",
            )

    @property
    def low(self) -> Floats:
        """(p,) lowest values, meV."""
        low: Floats = self.ranges[:, 0]
        return low

    @property
    def high(self) -> Floats:
        """(p,) highest values, meV."""
        high: Floats = self.ranges[:, 1]
        return high

    @property
    def width(self) -> Floats:
        """(p,) widths of the ranges, meV; zero where fixed."""
        width: Floats = self.ranges[:, 1] - self.ranges[:, 0]
        return width

    @property
    def free(self) -> NDArray[np.bool_]:
        """(p,) which couplings vary."""
        return self.width > 0

    def inside(self, values: Floats) -> Floats:
        """(..., p) the nearest values within the ranges."""
        nearest: Floats = np.clip(values, self.low, self.high)
        return nearest

    def check(self, values: Sequence[float] | Floats) -> Floats:
        """(p,) values given by a user.

        Raises:
            GnnmatError: another number of values, not finite, or out of range.
        """
        given = np.asarray(values, dtype=float)
        if given.shape != (len(self.names),) or not np.isfinite(given).all():
            raise GnnmatError(
                f"Start values need one number a coupling: {', '.join(self.names)}.",
                why=f"Got {given.tolist()}.",
            )
        slack = 1e-9 * np.maximum(self.width, 1e-12)
        for name, value, (low, high) in zip(self.names, given, self.ranges, strict=True):
            if not low - slack.max() <= value <= high + slack.max():
                raise GnnmatError(
                    f"Start value {name} = {value:g} meV lies outside its range of {low:g} to "
                    f"{high:g} meV.",
                    fix="Choose another value, or widen the range in the simulation's YAML file.",
                )
        return self.inside(given)


def render(simulator: ImageSimulator, values: Floats) -> Floats:
    """(B, R, C) images of couplings (B, p), or (R, C) of (p,)."""
    several = np.atleast_2d(values)
    found = simulator.images(torch.from_numpy(np.ascontiguousarray(several)))
    images: Floats = found.cpu().numpy().astype(np.float64)
    return images if np.ndim(values) == 2 else images[0]


def is_stable(simulator: ImageSimulator, values: Floats) -> NDArray[np.bool_]:
    """(B,) which couplings (B, p) leave the order a minimum of the energy."""
    flags = simulator.stable(torch.from_numpy(np.ascontiguousarray(np.atleast_2d(values))))
    stable: NDArray[np.bool_] = flags.cpu().numpy().astype(np.bool_)
    return stable


def stable_draws(
    simulator: ImageSimulator,
    space: CouplingSpace,
    count: int,
    rng: np.random.Generator,
    *,
    most: int = 200,
) -> tuple[Floats, float]:
    """(count, p) uniform draws with a stable order, and the share of draws that have one.

    Raises:
        GnnmatError: hardly any couplings within the ranges have a stable order.
    """
    kept: list[Floats] = []
    drawn = found = 0
    while found < count:
        values = rng.uniform(space.low, space.high, (max(4 * count, 64), len(space.names)))
        values = values[is_stable(simulator, values)]
        drawn += max(4 * count, 64)
        found += len(values)
        kept.append(values)
        if drawn >= most * max(count, 64) and found < count:
            raise GnnmatError(
                f"Only {found} of {drawn:,} couplings drawn from the ranges keep the order that "
                "the simulation assumes.",
                why="For the others it is no minimum of the energy.",
                fix="Check signs and ranges of the couplings, or the ordered directions.",
            )
    return np.concatenate(kept)[:count], found / drawn
