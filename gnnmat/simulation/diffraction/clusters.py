"""Finite pieces of crystals, and how they scatter as powders: the formula of Debye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import CellLike
from gnnmat.simulation.diffraction.factors import Radiation, scattering_factors

Floats = NDArray[np.float64]

BIN = (
    0.002  # Å; distances are shared between the two nearest bins, so the error goes with its square
)
VALUES = 4_000_000  # of sin(Q r) / (Q r) held at once: 32 MB


@dataclass(frozen=True)
class Cluster:
    """Atoms in free space.

    Args:
        positions: (atoms, 3) float64, Å, around the origin.
        numbers: (atoms,) int64, atomic numbers.
    """

    positions: Floats
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)


def ball(crystal: CellLike, radius: float, centre: Floats | None = None) -> Cluster:
    """All atoms of a crystal within a distance of a point, which becomes the origin.

    Args:
        crystal: any cell of it.
        radius: in Å.
        centre: (3,) Å; default the first atom.

    Raises:
        GnnmatError: a radius that is not above zero, or no atom within it.
    """
    if not radius > 0:
        raise GnnmatError(f"A ball of radius {radius:g} Å holds no atoms.")
    start = np.asarray(crystal.frac, dtype=np.float64) @ crystal.lattice
    middle = start[0] if centre is None else np.asarray(centre, dtype=np.float64)
    # Along each axis: planes that the ball meets, with the atoms of one cell to spare.
    reciprocal = np.linalg.inv(crystal.lattice).T
    reach = np.ceil(radius * np.linalg.norm(reciprocal, axis=1)).astype(int) + 1
    home = np.floor(middle @ reciprocal.T).astype(int)
    axes = [np.arange(h - r, h + r + 1) for h, r in zip(home, reach, strict=True)]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    wrapped = (np.asarray(crystal.frac, dtype=np.float64) % 1.0) @ crystal.lattice
    places = (wrapped[None] + (offsets @ crystal.lattice)[:, None]).reshape(-1, 3) - middle
    kept = np.linalg.norm(places, axis=1) <= radius
    if not kept.any():
        raise GnnmatError(f"There is no atom within {radius:g} Å of this point.")
    return Cluster(places[kept], np.tile(crystal.numbers, len(offsets))[kept].astype(np.int64))


def nearest_atoms(crystal: CellLike, count: int, centre: Floats | None = None) -> Cluster:
    """The ``count`` atoms of a crystal nearest to a point.

    Of the outermost shell, where it does not fit as a whole, those with the lowest z are kept, then
    y, then x.

    Raises:
        GnnmatError: fewer than one atom is asked for.
    """
    if count < 1:
        raise GnnmatError(f"A cluster of {count} atoms is none.")
    volume = abs(np.linalg.det(crystal.lattice)) / len(crystal.numbers)
    radius = (3 * count * volume / (4 * np.pi)) ** (1 / 3)
    found = ball(crystal, 1.3 * radius + 3.0, centre)
    while len(found) < count:
        radius *= 1.3
        found = ball(crystal, 1.3 * radius + 3.0, centre)
    far = np.linalg.norm(found.positions, axis=1)
    order = np.lexsort((*np.round(found.positions.T, 6), np.round(far, 6)))[:count]
    return Cluster(found.positions[order], found.numbers[order])


def debye_pattern(
    cluster: Cluster, q: Tensor, *, radiation: Radiation = "xray", displacement: float = 0.0
) -> Tensor:
    """(n,) intensity of a powder of this cluster at each Q, in squared units of the factors.

    I(Q) = sum_ij f_i f_j exp(-B Q^2 / (8 pi^2) [i != j]) sin(Q r_ij) / (Q r_ij), with the distances
    in bins of 0.002 Å, each shared between its two neighbours.

    Args:
        cluster: of a few thousand atoms at most: distances grow with the square.
        q: (n,) 4 pi sin(theta) / lambda in 1/Å, above zero.
        radiation: of the scattering factors.
        displacement: B in Å^2 of all atoms; each of a pair fades by exp(-B Q^2 / (16 pi^2)).

    Source: Debye, Annalen der Physik 351, 809 (1915).
    """
    q = q.to(torch.float64)
    elements, kind = np.unique(cluster.numbers, return_inverse=True)
    s2 = (q / (4 * torch.pi)) ** 2
    factor = [
        scattering_factors(radiation, torch.full((len(q),), int(z)), s2) for z in elements.tolist()
    ]
    total = torch.zeros_like(q)
    fade = torch.exp(-displacement * q**2 / (8 * torch.pi**2))
    for first in range(len(elements)):
        total += factor[first] ** 2 * int((kind == first).sum())
        for second in range(first, len(elements)):
            counts, distances = _distances(cluster, kind == first, kind == second, first == second)
            if len(counts):
                twice = 2.0 * factor[first] * factor[second]
                total += twice * fade * _sum_of_waves(q, counts, distances)
    return total


def _distances(
    cluster: Cluster, one: NDArray[np.bool_], other: NDArray[np.bool_], same: bool
) -> tuple[Tensor, Tensor]:
    """Number of pairs, each counted once, and distance, bin by bin."""
    from scipy.spatial.distance import cdist, pdist

    here = cluster.positions[one]
    found = pdist(here) if same else cdist(here, cluster.positions[other]).ravel()
    place = found / BIN
    low = np.floor(place).astype(np.int64)
    if not len(low):
        return torch.empty(0), torch.empty(0)
    share = place - low
    size = int(low.max()) + 2
    counts = np.bincount(low, 1 - share, size) + np.bincount(low + 1, share, size)
    used = np.flatnonzero(counts)
    return torch.from_numpy(counts[used]), torch.from_numpy(used * BIN)


def _sum_of_waves(q: Tensor, counts: Tensor, distances: Tensor) -> Tensor:
    """(n,) sum over the bins of counts sin(Q r) / (Q r)."""
    step = max(1, VALUES // len(q))
    total = torch.zeros_like(q)
    for start in range(0, len(counts), step):
        part = distances[start : start + step]
        total += torch.special.sinc(q[:, None] * part / torch.pi) @ counts[start : start + step]
    return total
