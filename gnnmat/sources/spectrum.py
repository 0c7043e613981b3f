"""One measured or simulated spectrum: intensities, where detectors were, and the axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.layout import SliceLayout


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A stack of slices laid out as one image.

    Args:
        image: (R, C) intensities, finite, zero where there is no detector.
        mask: (R, C) True where there is no detector.
        layout: axes and energies of the slices; None where they are not known.
        name: for messages and tables.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    layout: SliceLayout | None = None
    name: str = "spectrum"

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.shape != self.mask.shape:
            raise GnnmatError(
                f"'{self.name}': the image has shape {self.image.shape}, the mask "
                f"{self.mask.shape}; expected two equal shapes (rows, columns)."
            )
        if self.layout is not None and self.image.shape != self.layout.image_shape:
            raise GnnmatError(
                f"'{self.name}': the image has shape {self.image.shape}, its axes belong to "
                f"{self.layout.image_shape}."
            )
