"""What a forest is told of a site: its element, its neighbours, the crystal's composition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.composition import imputed
from gnnmat.data.dataset import SampleDataset
from gnnmat.sample import Batch

Floats = NDArray[np.float64]

AT_ONCE = 256  # crystals
# Neighbours up to this many times the shortest bond of a site are its first shell: a choice, wide
# enough for the polyhedra of oxides.
SHELL = 1.2
RINGS = np.arange(1.5, 6.01, 0.5)  # Å, middles of the rings in which neighbours are counted
RING_WIDTH = 0.5  # Å


def site_features(dataset: SampleDataset, rows: NDArray[np.int64], table: Floats) -> Floats:
    """(atoms, f) features of all sites of these crystals, in their order.

    Properties of the element; their mean over the first shell and over all neighbours in the
    graph, and its difference from the site's own; shortest, mean and longest bond of the shell,
    and its size; neighbours counted in rings; mean properties of the crystal.

    Args:
        dataset: crystals as graphs.
        rows: which of them.
        table: (119, p) elemental properties by atomic number, NaN where not known.
    """
    properties = imputed(np.asarray(table, dtype=np.float64))
    parts = [
        _of_batch(dataset.store.batch(rows[start : start + AT_ONCE]), properties)
        for start in range(0, len(rows), AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 0))


def _of_batch(batch: Batch, properties: Floats) -> Floats:
    z = batch.z.numpy()
    source, centre = batch.edge_index.numpy()
    length = batch.edge_length.numpy().astype(np.float64)
    count = batch.edge_count.numpy().astype(np.float64) if "edge_count" in batch else None
    count = np.ones(len(length)) if count is None else count
    own, near = properties[z], properties[z[source]]
    shortest = np.full(len(z), np.inf)
    np.minimum.at(shortest, centre, length)
    first = count * (length <= SHELL * shortest[centre])
    lengths = np.stack([_mean(length[:, None], w, centre, len(z))[:, 0] for w in (first, count)], 1)
    farthest = np.zeros(len(z))
    np.maximum.at(farthest, centre, np.where(first > 0, length, 0.0))
    shell = _mean(near, first, centre, len(z))
    rings = np.exp(-(((length[:, None] - RINGS) / RING_WIDTH) ** 2)) * count[:, None]
    sites = np.concatenate(
        [
            shell,
            _mean(near, count, centre, len(z)),
            lengths,
            np.stack([np.where(np.isfinite(shortest), shortest, 0.0), farthest], 1),
            np.bincount(centre, first, len(z))[:, None],
            _sum(rings, centre, len(z)),
        ],
        axis=1,
    )
    if "orbit_index" in batch:  # bonds are told of one atom an orbit only
        sites = sites[batch.orbit_index.numpy()]
    crystal = batch.batch.numpy()
    composition = _mean(own, np.ones(len(z)), crystal, int(batch.num_graphs))[crystal]
    contrast = sites[:, : own.shape[1]] - own
    return np.concatenate([own, composition, contrast, sites], axis=1)


def _sum(values: Floats, place: NDArray[np.int64], size: int) -> Floats:
    """(size, f) sums of the rows of values by place."""
    columns = [np.bincount(place, column, size) for column in values.T]
    return np.stack(columns, axis=1)


def _mean(values: Floats, weight: Floats, place: NDArray[np.int64], size: int) -> Floats:
    """(size, f) weighted means by place; zero where there is nothing."""
    total = np.bincount(place, weight, size)
    return _sum(values * weight[:, None], place, size) / np.maximum(total, 1e-12)[:, None]
