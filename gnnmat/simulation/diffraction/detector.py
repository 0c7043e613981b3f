"""What fingerprints are looked at with: a flat detector, and six views in three channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError

TURN = 45.0  # degrees to both sides. Source: Ziletti et al. (2018), "Methods"


@dataclass(frozen=True)
class Detector:
    """The plane that is looked at; lengths are those of a cluster whose neighbours are 1 apart.

    Args:
        pixels: on a side.
        widest: largest |q_x| and |q_y|, radians over the mean neighbour distance.
        beam_stop: |q| below which everything is zero.
        by_element: scattering factors of X-rays; else every atom scatters alike.
    """

    pixels: int = 64
    widest: float = 24.0
    beam_stop: float = 3.0
    by_element: bool = False

    def __post_init__(self) -> None:
        if self.pixels < 2 or not 0 <= self.beam_stop < self.widest:
            raise GnnmatError(
                f"A detector of {self.pixels} pixels that sees q from {self.beam_stop:g} to "
                f"{self.widest:g} sees nothing."
            )

    @property
    def axis(self) -> Tensor:
        """(pixels,) q at the centres of the pixels."""
        half = self.widest * (1 - 1 / self.pixels)
        return torch.linspace(-half, half, self.pixels, dtype=torch.float64)

    @property
    def ring(self) -> Tensor:
        """(pixels, pixels) whether a pixel is between the beam stop and the rim."""
        far = self.axis[:, None].hypot(self.axis[None])
        return (far >= self.beam_stop) & (far <= self.widest)


def views() -> Tensor:
    """(3, 2, 3, 3) rotations, by channel and side: rows are the two detector axes and the beam.

    In channel k the cluster is turned by 45 degrees to both sides about axis k, and looked at along
    the axis before it.
    """
    out = torch.zeros(3, 2, 3, 3, dtype=torch.float64)
    for channel in range(3):
        for side, sign in enumerate((1.0, -1.0)):
            c, s = math.cos(math.radians(TURN)), sign * math.sin(math.radians(TURN))
            one, two, three = channel, (channel + 1) % 3, (channel + 2) % 3
            turn = torch.eye(3, dtype=torch.float64)
            turn[two, two], turn[two, three] = c, -s
            turn[three, two], turn[three, three] = s, c
            out[channel, side] = turn[[one, two, three]]
    return out
