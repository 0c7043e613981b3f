"""Small spectra for tests: a layout whose image differs from each of its mirror images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.layout import SliceLayout, relative_layout

LAYOUT: SliceLayout = relative_layout((30.0, 60.0), slices=3, pixels=8)


def intensities(layout: SliceLayout = LAYOUT) -> NDArray[np.float64]:
    """(R, C) positive, made of the axes: the value says where in (Ei, E, h, k) a pixel lies."""
    ei = np.array(layout.incident_energies)[:, None, None, None]
    energy = np.array(layout.energy_edges).mean(-1)[:, :, None, None]
    h, k = np.array(layout.h)[:, None], np.array(layout.k)
    return layout.to_image(ei + energy / 10 + (h + 1) + (k + 1) / 7)


def gaps(layout: SliceLayout = LAYOUT) -> NDArray[np.bool_]:
    """(R, C) a mask that no mirror leaves as it is."""
    tiles = np.zeros((len(layout.incident_energies), layout.slices, *layout.tile_shape), bool)
    tiles[..., 1:4, 1] = True
    tiles[..., 5, 0] = True
    return layout.to_image(tiles)


def arrays(layout: SliceLayout = LAYOUT, **changes: Any) -> dict[str, Any]:
    """What a file of a spectrum holds: image, mask, axes; None leaves one out."""
    image = np.where(gaps(layout), 0.0, intensities(layout))
    plain = {name: np.array(axis) for name, axis in layout.to_dict().items()}
    held = {"image": image, "mask": gaps(layout)} | plain | changes
    return {name: value for name, value in held.items() if value is not None}


def saved(path: Path, layout: SliceLayout = LAYOUT, **changes: Any) -> Path:
    """The ``.npz`` file."""
    np.savez(path, **arrays(layout, **changes))
    return path
