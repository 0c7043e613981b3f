"""Rivals of the network on defective structures: neighbours, symmetry search, order parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gnnmat.augment.defects import displacements, survivors
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.symmetry_labels import space_group

Floats = NDArray[np.float64]
TOLERANCES = (0.01, 0.03, 0.1, 0.3, 1.0)  # Å, of spglib
ATOMS = 190  # of a supercell, at least
SHELLS = (4, 6, 8, 12)  # nearest neighbours that order parameters look at
DEGREES = (2, 3, 4, 6, 8)


def nearest_class(
    known: NDArray[np.float32], classes: Sequence[str], asked: NDArray[np.float32]
) -> NDArray[np.str_]:
    """(asked,) class of the most similar image, by the cosine."""
    unit = [one.reshape(len(one), -1) for one in (known, asked)]
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True).clip(min=1e-12) for one in unit]
    return np.asarray(classes)[(unit[1] @ unit[0].T).argmax(axis=1)]


def supercell(crystal: Crystal) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Lattice, positions and numbers of the smallest cube of cells with enough atoms."""
    repeats = int(np.ceil((ATOMS / len(crystal.numbers)) ** (1 / 3)))
    steps = np.arange(repeats)
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    frac = np.asarray(crystal.frac)[None] + offsets[:, None]
    places = frac.reshape(-1, 3) @ crystal.lattice
    return crystal.lattice * repeats, places, np.tile(crystal.numbers, len(offsets))


def found_group(
    crystal: Crystal, vacancies: float, displacement: float, tolerance: float, seed: int
) -> int:
    """Number of the space group that spglib finds in a defective supercell; 0 for none.

    Args:
        crystal: without defects.
        vacancies: share of the atoms removed.
        displacement: standard deviation of each component, Å.
        tolerance: of spglib, Å.
        seed: of the defects.
    """
    random = np.random.default_rng(seed)
    lattice, places, numbers = supercell(crystal)
    left = survivors(len(numbers), vacancies, random)
    places = (places + displacements(len(numbers), displacement, random))[left]
    return space_group(
        as_crystal(lattice, numbers[left], places @ np.linalg.inv(lattice)), tolerance
    )


def order_parameters(places: Floats, numbers: Floats) -> Floats:
    r"""Means and spreads of Steinhardt's q_l over the atoms in the middle of a cluster.

    Beside them stand how far the nearest neighbours are, and how they differ in atomic number,
    without which rock salt is simple cubic and zinc blende is diamond.

    .. math:: q_l^2 = \frac{1}{n^2} \sum_{jk} P_l(\cos \gamma_{jk})

    over the n nearest neighbours of an atom, which is the definition after the addition theorem.

    Source: Steinhardt, Nelson & Ronchetti, Phys. Rev. B 28, 784 (1983), Eq. 1.3.

    Args:
        places: (atoms, 3).
        numbers: (atoms,) atomic numbers.
    """
    from scipy.special import eval_legendre

    far = np.linalg.norm(places - places.mean(axis=0), axis=1)
    middle = np.argsort(far)[: max(len(places) // 3, 1)]
    most = min(max(SHELLS), len(places) - 1)
    distance, near = cKDTree(places).query(places[middle], k=most + 1)
    bonds = places[near[:, 1:]] - places[middle][:, None]
    unit = bonds / np.linalg.norm(bonds, axis=2, keepdims=True).clip(min=1e-9)
    cosines = np.einsum("ajx,akx->ajk", unit, unit).clip(-1, 1)
    features = []
    for shell in SHELLS:
        part = cosines[:, :shell, :shell]
        for degree in DEGREES:
            q = np.sqrt(eval_legendre(degree, part).mean(axis=(1, 2)).clip(min=0))
            features += [q.mean(), q.std()]
    ratios = distance[:, 1:] / distance[:, 1:2].clip(min=1e-9)
    here, there = numbers[middle][:, None], numbers[near[:, 1:]]
    contrasts = np.abs(here - there) / np.maximum(here, there)
    features += [*ratios.mean(axis=0), *ratios.std(axis=0)]
    features += [*contrasts.mean(axis=0), *contrasts.std(axis=0)]
    return np.pad(np.array(features), (0, 4 * (max(SHELLS) - most)))
