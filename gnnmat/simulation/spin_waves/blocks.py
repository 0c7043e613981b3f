"""Translation-like symmetries of a spin Hamiltonian, which split it into smaller problems.

A permutation of the sites that keeps every bond's displacement within the plane (the directions
along which the magnet is infinite), its exchange, and the moments, commutes with the
Hamiltonian at every wave vector. An involution P splits n sites into two blocks of n / 2: even
and odd combinations. A bilayer whose second layer is a shifted mirror image is such a case.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.spin_waves.system import Floats, Ints, SpinSystem

Array = Floats
_DIGITS = 4  # of displacements, as fractions of the cell


@dataclass(frozen=True)
class Blocks:
    """How a problem of n sites is split.

    Args:
        representatives: (m,) one site of every orbit.
        partners: (m,) its image; the site itself if nothing is split.
        parities: +1 and -1, or +1 alone.
        moving: (3,) 1 for directions along which wave vectors matter, 0 where the magnet is
            finite, such as across a bilayer.
    """

    representatives: Ints
    partners: Ints
    parities: tuple[int, ...]
    moving: Floats

    def split(self, matrix: Array) -> Array:
        """(..., blocks, K, m, m) of a matrix (..., K, n, n) that commutes with the symmetry."""
        own = matrix[..., self.representatives[:, None], self.representatives]
        if len(self.parities) == 1:
            return own[..., None, :, :, :]
        cross = matrix[..., self.representatives[:, None], self.partners]
        return np.stack([own + parity * cross for parity in self.parities], axis=-4)


def find_blocks(system: SpinSystem, *, look: bool = True) -> Blocks:
    """The split by the first involution found, or one block."""
    moving = (
        np.any(system.bond_offset != 0, axis=0).astype(float)
        if len(system.bond_offset)
        else np.zeros(3)
    )
    n = len(system)
    if look:
        neighbours = _neighbours(system, moving)
        for target in range(1, n):
            image = _propagate(neighbours, target)
            if image is not None and all(image[image[i]] == i != image[i] for i in range(n)):
                representatives = [i for i in range(n) if i < image[i]]
                return Blocks(
                    np.array(representatives),
                    np.array([image[i] for i in representatives]),
                    (1, -1),
                    moving,
                )
    return Blocks(np.arange(n), np.arange(n), (1,), moving)


Label = tuple[object, ...]


def _neighbours(system: SpinSystem, moving: Floats) -> list[tuple[Label, dict[Label, list[int]]]]:
    """For every site what it is, and its neighbours by displacement, exchange and coupling."""
    vectors = np.round(system.bond_vector * moving, _DIGITS) + 0.0
    around: list[dict[Label, list[int]]] = [defaultdict(list) for _ in range(len(system))]
    for (i, j), vector, coupling, pattern in zip(
        system.bond_sites, vectors, system.bond_coupling, system.bond_pattern, strict=True
    ):
        there = (*vector, int(coupling), *pattern.ravel())
        back = (*(-vector + 0.0), int(coupling), *pattern.T.ravel())
        around[i][there].append(int(j))
        around[j][back].append(int(i))
    onsite: list[list[Label]] = [[] for _ in range(len(system))]
    for site, coupling, pattern in zip(
        system.onsite_site, system.onsite_coupling, system.onsite_pattern, strict=True
    ):
        onsite[site].append((int(coupling), *pattern.ravel()))
    kinds: list[Label] = [
        (system.ions[i], float(system.spins[i]), *np.round(system.directions[i], 9), *onsite[i])
        for i in range(len(system))
    ]
    return list(zip(kinds, around, strict=True))


def _propagate(
    neighbours: list[tuple[Label, dict[Label, list[int]]]], target: int
) -> list[int] | None:
    """The permutation that sends site 0 to the target and keeps everything, if there is one."""
    image: dict[int, int] = {0: target}
    waiting = [0]
    while waiting:
        site = waiting.pop()
        kind, around = neighbours[site]
        other_kind, other_around = neighbours[image[site]]
        if kind != other_kind or around.keys() != other_around.keys():
            return None
        for label, ends in around.items():
            others = other_around[label]
            if len(ends) != 1 or len(others) != 1:
                return None  # several sites at one displacement: this search does not decide
            end, other = ends[0], others[0]
            if end not in image:
                image[end] = other
                waiting.append(end)
            elif image[end] != other:
                return None
    n = len(neighbours)
    if len(image) != n or len(set(image.values())) != n:
        return None
    return [image[i] for i in range(n)]
