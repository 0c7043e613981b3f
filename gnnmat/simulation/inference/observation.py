"""A measured spectrum as the list of its pixels that have a detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.space import Floats
from gnnmat.simulation.layout import SliceLayout

LEAST = 20  # pixels a tile needs to count; fewer say nothing of its noise


@dataclass(frozen=True)
class Observation:
    """Intensities, background subtracted and cut off below zero.

    Args:
        image: (R, C) intensity in any unit.
        mask: (R, C) True where there is no detector.
        layout: of the image.

    Raises:
        GnnmatError: shapes differ, values are not finite or negative, no pixel is left.
    """

    image: Floats
    mask: NDArray[np.bool_]
    layout: SliceLayout

    def __post_init__(self) -> None:
        shape = self.layout.image_shape
        for what, array in (("spectrum", self.image), ("mask", self.mask)):
            if array.shape != shape:
                raise GnnmatError(
                    f"The {what} has shape {array.shape}, the simulation's images have {shape}."
                )
        seen = self.image[~self.mask]
        if not np.isfinite(seen).all():
            count = int((~np.isfinite(seen)).sum())
            raise GnnmatError(
                f"{count:,} pixels that have a detector are not finite.",
                fix="Mark pixels without a detector in the mask.",
            )
        if (seen < 0).any():
            raise GnnmatError(
                f"{int((seen < 0).sum()):,} pixels are negative.",
                why="Spectra here are cut off at zero after background subtraction.",
                fix="Set negative intensities to zero.",
            )
        if not len(self.pixels):
            raise GnnmatError("No tile has enough pixels with a detector.")
        if not (seen > 0).any():
            raise GnnmatError("The spectrum is zero everywhere.")

    @cached_property
    def _tile_image(self) -> NDArray[np.int64]:
        """(R, C) number of the tile of each pixel."""
        tiles = np.empty((len(self.layout.incident_energies), self.layout.slices, 1, 1), int)
        tiles.ravel()[:] = np.arange(tiles.size)
        whole = np.broadcast_to(tiles, (*tiles.shape[:2], *self.layout.tile_shape))
        return np.ascontiguousarray(self.layout.to_image(whole))

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(n,) flat places of the pixels that count."""
        tile = self._tile_image.ravel()
        counts = np.bincount(tile[~self.mask.ravel()], minlength=self.tiles)
        return np.flatnonzero(~self.mask.ravel() & (counts[tile] >= LEAST))

    @property
    def tiles(self) -> int:
        """Tiles of the image."""
        return len(self.layout.incident_energies) * self.layout.slices

    @property
    def blocks(self) -> int:
        """Incident energies."""
        return len(self.layout.incident_energies)

    @cached_property
    def values(self) -> Floats:
        """(n,) intensities."""
        return self.take(self.image)

    @cached_property
    def tile(self) -> NDArray[np.int64]:
        """(n,) tile of each pixel, incident energy by incident energy."""
        return self._tile_image.ravel()[self.pixels]

    @cached_property
    def block(self) -> NDArray[np.int64]:
        """(n,) incident energy of each pixel."""
        return self.tile // self.layout.slices

    @cached_property
    def slice(self) -> NDArray[np.int64]:
        """(n,) slice of each pixel within its incident energy."""
        return self.tile % self.layout.slices

    def take(self, image: Floats) -> Floats:
        """(..., n) the pixels that count, of images (..., R, C)."""
        taken: Floats = image.reshape(*image.shape[:-2], -1)[..., self.pixels]
        return taken.astype(np.float64)

    def put(self, values: Floats, fill: float = 0.0) -> Floats:
        """(R, C) image of pixel values (n,)."""
        image = np.full(self.layout.image_shape, fill)
        image.ravel()[self.pixels] = values
        return image
