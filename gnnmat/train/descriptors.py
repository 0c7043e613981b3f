"""What trees are told of a crystal: its elements, their packing, and its kind of structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.composition import composition_features
from gnnmat.data.dataset import SampleDataset
from gnnmat.data.symmetry import symmetries
from gnnmat.models.elements import covalent_radii, element_properties

Floats = NDArray[np.float64]


def elements_and_packing(numbers: Sequence[NDArray[np.int64]], volume: Floats) -> Floats:
    """(n, f) statistics over the elements of each crystal, and how densely they are packed.

    The last three columns are: logarithm of the volume of an atom (Å^3), share of the volume that
    spheres of covalent radius fill (bonded ones overlap, and are counted twice), mass density
    (u/Å^3). Any cell of a crystal gives the same.

    Args:
        numbers: n arrays (atoms,) of atomic numbers, none empty.
        volume: (n,) of an atom, Å^3.

    Source: composition as in `composition_features`; radii from Cordero et al., Dalton Trans. 2832
        (2008).
    """
    table, names = element_properties()
    masses = np.nan_to_num(table[:, names.index("atomic_mass")])
    balls = 4 / 3 * np.pi * covalent_radii() ** 3
    filled = np.array([balls[one].mean() for one in numbers], dtype=np.float64)
    mass = np.array([masses[one].mean() for one in numbers], dtype=np.float64)
    packing = np.stack([np.log(volume), filled / volume, mass / volume], axis=1)
    return np.concatenate([composition_features(numbers, table), packing], axis=1)


def crystal_descriptors(
    dataset: SampleDataset, rows: NDArray[np.int64], *, quiet: bool = True
) -> Floats:
    """(rows, f) as `elements_and_packing`, then the kind of structure.

    The last four columns are: space group, atoms in the primitive cell, sets of equivalent atoms,
    elements. They say which family a crystal belongs to, and nothing about its bonds.

    Args:
        dataset: crystals.
        rows: those wanted.
        quiet: no progress bar where symmetries have to be found first.
    """
    lattice = np.asarray(dataset.store.array("lattice"), dtype=np.float64)
    volume = np.abs(np.linalg.det(lattice)) / np.maximum(dataset.store.atoms, 1)
    numbers = [dataset.numbers[row] for row in rows]
    found = symmetries(dataset, rows, quiet=quiet)
    kind = [
        (one.space_group, one.sites, one.orbits, len(np.unique(atoms)))
        for one, atoms in zip((found[int(row)] for row in rows), numbers, strict=True)
    ]
    structure = np.array(kind, dtype=np.float64).reshape(len(rows), 4)
    return np.concatenate([elements_and_packing(numbers, volume[rows]), structure], axis=1)
