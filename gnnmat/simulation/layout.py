"""How slices of S(Q, E) are laid out as one image: named axes, units, orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnnmat.errors import GnnmatError


@dataclass(frozen=True)
class SliceLayout:
    """A stack of constant-energy slices as tiles of one image.

    Rows of tiles are incident energies, columns of tiles are energy bins; inside a tile rows are
    h and columns are k. Pixel [row, column] of tile (i, s) lies at image pixel
    [i * len(h) + row, s * len(k) + column].

    Args:
        incident_energies: n energies in meV, one a row of tiles, top to bottom.
        energy_edges: for every incident energy the edges (low, high) in meV of its bins, left
            to right; all rows have the same number of bins.
        h: pixel centres in reciprocal lattice units, top to bottom.
        k: pixel centres in reciprocal lattice units, left to right.
    """

    incident_energies: tuple[float, ...]
    energy_edges: tuple[tuple[tuple[float, float], ...], ...]
    h: tuple[float, ...]
    k: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.energy_edges) != len(self.incident_energies):
            raise GnnmatError(
                f"The layout has {len(self.incident_energies)} incident energies and energy bins "
                f"for {len(self.energy_edges)}."
            )
        if len({len(bins) for bins in self.energy_edges}) != 1:
            raise GnnmatError("Every incident energy needs the same number of energy bins.")
        for name, axis in (("h", self.h), ("k", self.k)):
            if len(axis) < 2:
                raise GnnmatError(f"Axis {name} has {len(axis)} pixels, expected at least 2.")
            steps = np.diff(axis)
            right = (steps * steps[0]) > 0
            if not right.all():
                turn = int(np.argmin(right))
                raise GnnmatError(
                    f"Axis {name} is not strictly rising or falling: {axis[turn]:g} is followed "
                    f"by {axis[turn + 1]:g}.",
                    fix="Sort the axis, and the pixels of the image with it.",
                )
        for energy, bins in zip(self.incident_energies, self.energy_edges, strict=True):
            for low, high in bins:
                if not low < high < energy:
                    raise GnnmatError(
                        f"Energy bin {low:g} to {high:g} meV does not fit an incident energy of "
                        f"{energy:g} meV.",
                        why="Neutrons cannot lose more energy than they have.",
                    )

    @property
    def slices(self) -> int:
        """Energy bins of each incident energy."""
        return len(self.energy_edges[0])

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Pixels of one tile: (h, k)."""
        return len(self.h), len(self.k)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Pixels of the image."""
        return len(self.incident_energies) * len(self.h), self.slices * len(self.k)

    def to_tiles(self, image: Any) -> Any:
        """(..., Ei, slice, h, k) view of an image (..., rows, columns); numpy or torch."""
        rows, columns = self.tile_shape
        lead = tuple(image.shape[:-2])
        tiles = image.reshape(*lead, len(self.incident_energies), rows, self.slices, columns)
        axes = (*range(len(lead)), len(lead), len(lead) + 2, len(lead) + 1, len(lead) + 3)
        permute = getattr(tiles, "permute", None)
        return permute(axes) if permute else tiles.transpose(axes)

    def to_image(self, tiles: Any) -> Any:
        """(..., rows, columns) image of tiles (..., Ei, slice, h, k); numpy or torch."""
        lead = tuple(tiles.shape[:-4])
        axes = (*range(len(lead)), len(lead), len(lead) + 2, len(lead) + 1, len(lead) + 3)
        permute = getattr(tiles, "permute", None)
        turned = permute(axes) if permute else tiles.transpose(axes)
        return turned.reshape(*lead, *self.image_shape)

    def mirror_k(self, image: Any) -> Any:
        """The image with k mirrored inside each tile; numpy or torch."""
        tiles = self.to_tiles(image)
        flip = getattr(tiles, "flip", None)
        return self.to_image(flip((-1,)) if flip else tiles[..., ::-1])

    def mirror_h(self, image: Any) -> Any:
        """The image with h mirrored inside each tile; numpy or torch."""
        tiles = self.to_tiles(image)
        flip = getattr(tiles, "flip", None)
        return self.to_image(flip((-2,)) if flip else tiles[..., ::-1, :])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {
            "incident_energies": list(self.incident_energies),
            "energy_edges": [[list(edge) for edge in bins] for bins in self.energy_edges],
            "h": list(self.h),
            "k": list(self.k),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> SliceLayout:
        """The layout written by `to_dict`."""
        return cls(
            tuple(float(energy) for energy in plain["incident_energies"]),
            tuple(
                tuple((float(low), float(high)) for low, high in bins)
                for bins in plain["energy_edges"]
            ),
            tuple(float(value) for value in plain["h"]),
            tuple(float(value) for value in plain["k"]),
        )


def relative_layout(
    incident_energies: tuple[float, ...],
    *,
    first: float = 0.10,
    width: float = 0.06,
    slices: int = 10,
    pixels: int = 40,
    extent: float = 1.0,
) -> SliceLayout:
    """A layout whose bins are the same shares of every incident energy; h falls, k rises.

    Args:
        incident_energies: meV.
        first: lower edge of the first bin, as a share of the incident energy.
        width: of each bin, as a share of the incident energy.
        slices: bins of each incident energy.
        pixels: on a side of each tile.
        extent: |h| and |k| of the outermost pixel centres, reciprocal lattice units.
    """
    axis = np.linspace(-extent, extent, pixels)
    shares = [(first + width * s, first + width * (s + 1)) for s in range(slices)]
    edges = tuple(tuple((e * a, e * b) for a, b in shares) for e in incident_energies)
    h = tuple(float(value) for value in axis[::-1])
    return SliceLayout(tuple(incident_energies), edges, h, tuple(float(v) for v in axis))


def pcsmo_layout() -> SliceLayout:
    """The 240 x 400 image of Pr(Ca0.9Sr0.1)2Mn2O7 measured on MAPS.

    Source: Butler et al., J. Phys.: Condens. Matter 33, 194006 (2021).
    """
    return relative_layout((25.0, 35.0, 50.0, 70.0, 100.0, 140.0))
