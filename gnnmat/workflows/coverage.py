"""Whether a simulation puts anything into the slices, said before hours are spent on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.pages.markup import plural
from gnnmat.simulation.layout import SliceLayout

PROBES = 8  # images of a hypothesis
FAINT = 1e-3  # of an image's brightest pixel: the tail of the resolution, not the band itself


def check_not_empty(layout: SliceLayout, name: str, filled: Sequence[bool], last: bool) -> None:
    """Refuse a hypothesis of which nothing lies in any slice.

    Args:
        layout: energies of the slices.
        name: of the hypothesis.
        filled: whether its first images have any intensity.
        last: whether no more images come to judge by.

    Raises:
        GnnmatError: the first eight images, or all if there are fewer, are empty.
    """
    if any(filled) or not filled or (len(filled) < PROBES and not last):
        return
    edges = [edge for bins in layout.energy_edges for one in bins for edge in one]
    raise GnnmatError(
        f"Hypothesis '{name}': no spin wave lies in any slice.",
        why=f"{plural(len(filled), 'image')} out of {len(filled):,} came out empty; the slices "
        f"cover energies between {min(edges):g} and {max(edges):g} meV.",
        fix="Choose layout.incident_energies above the band, or other layout.first and .width.",
    )


def dark_energies(
    layout: SliceLayout, images: NDArray[np.float32], names: Sequence[str]
) -> list[str]:
    """A sentence for every hypothesis of which some incident energies see nothing.

    Args:
        layout: axes of the images.
        images: (n, R, C) first images.
        names: (n,) hypothesis of each.
    """
    sentences = []
    tiles = layout.to_tiles(images)
    for name in dict.fromkeys(names):
        chosen = np.array([one == name for one in names])
        brightest = tiles[chosen].max(axis=(2, 3, 4))
        dark = (brightest <= FAINT * brightest.max(axis=1, keepdims=True)).all(axis=0)
        if dark.any():
            energies = ", ".join(f"{layout.incident_energies[n]:g}" for n in np.flatnonzero(dark))
            sentences.append(
                f"Ei {energies} meV: nothing of '{name}' lies in these slices, judged by the "
                f"first {plural(int(chosen.sum()), 'image')}."
            )
    return sentences
