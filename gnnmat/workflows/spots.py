"""Where the Bragg peaks of a pattern are: those of its crystal, or found in the pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter
from scipy.signal import find_peaks

from gnnmat.inputs.powder import Powder
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.sources.crystal import Crystal

Floats = NDArray[np.float64]

NEAR = 0.3  # degrees on each side of a powder peak that count as its own
FAINT = 1.0  # intensity, 100 at the highest, below which a peak of a crystal is not marked
STANDS_OUT = 0.1  # least prominence of a measured peak, on the scale of the network from 0 to 1
BRIGHT = 0.4  # of a fingerprint, on the same scale
WORDS = {
    "crystal": "Bragg peaks of the crystal, without those below 1% of the highest",
    "pattern": "peaks that stand out of the pattern",
    "image": "spots of the fingerprint",
}


@dataclass(frozen=True)
class Spots:
    """Bragg peaks of one pattern.

    Args:
        where: (C, *S) bool, True on a peak.
        at: (peaks,) degrees of a powder pattern, or (peaks, 3) channel, row and column.
        words: one a peak of a crystal, its Miller indices; else empty.
        kind: in words, where they come from.
    """

    where: NDArray[np.bool_]
    at: Floats
    words: tuple[str, ...]
    kind: str

    @property
    def area(self) -> float:
        """Share of the pattern that lies on a peak, which a map at random would have there."""
        return float(self.where.mean())


def peaks_of_crystal(crystal: Crystal, options: Powder, at: Floats) -> Spots:
    """The Bragg peaks of a crystal on the axis of a powder model.

    Args:
        crystal: which one.
        options: of the model.
        at: (n,) degrees of its axis.
    """
    from gnnmat.pages.diffraction_figures import tick_words

    peaks = powder_peaks(
        Cells.of([crystal]),
        wavelength=options.wavelength,
        two_theta=options.two_theta,
        radiation=options.radiation,
    )
    kept = peaks.scaled(1) >= FAINT
    angles = peaks.two_theta[kept].numpy()
    words = tuple(
        tick_words(hkl, float(d), int(many))
        for hkl, d, many in zip(
            peaks.hkl[kept].tolist(), peaks.spacing[kept], peaks.multiplicity[kept], strict=True
        )
    )
    return Spots(_near(at, angles), angles, words, WORDS["crystal"])


def peaks_of_pattern(at: Floats, values: Floats) -> Spots:
    """The peaks that stand out of a measured pattern.

    Args:
        at: (n,) degrees.
        values: (n,) as the network sees them, 0 to 1.
    """
    angles = at[find_peaks(values, prominence=STANDS_OUT)[0]]
    return Spots(_near(at, angles), angles, (), WORDS["pattern"])


def peaks_of_image(image: Floats) -> Spots:
    """The spots of a fingerprint: its brightest places, and what is next to them.

    Args:
        image: (C, R, C) as the network sees it, 0 to 1.
    """
    local = (image == maximum_filter(image, size=(1, 3, 3))) & (image >= BRIGHT)
    around = np.ones((1, 3, 3), dtype=bool)
    return Spots(
        binary_dilation(local, around), np.argwhere(local).astype(float), (), WORDS["image"]
    )


def _near(at: Floats, angles: Floats) -> NDArray[np.bool_]:
    """(1, n) bool, True within `NEAR` of any angle."""
    near: NDArray[np.bool_] = np.abs(at[None, :, None] - angles[None, None]) <= NEAR
    return np.asarray(near.any(axis=2))
