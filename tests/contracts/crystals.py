"""Small crystals and what may be done to them without changing the crystal."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gnnmat.sources.crystal import Crystal, as_crystal

FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
BASIS = np.array(FCC)


def rock_salt(a: float = 5.64) -> Crystal:
    """NaCl, cubic cell of 8 atoms; a in Å."""
    return as_crystal(np.eye(3) * a, [11] * 4 + [17] * 4, [*BASIS, *(BASIS + [0.5, 0, 0])])


def rock_salt_primitive(a: float = 5.64) -> Crystal:
    """NaCl, primitive cell of 2 atoms."""
    half = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return as_crystal(half, [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


def copper(a: float = 3.61) -> Crystal:
    """fcc Cu, primitive cell of one atom."""
    return as_crystal(a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [29], [[0, 0, 0]])


def iron(a: float = 2.87) -> Crystal:
    """bcc Fe, primitive cell of one atom."""
    return as_crystal(a / 2 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]), [26], [[0, 0, 0]])


def diamond(a: float = 3.567) -> Crystal:
    """Diamond, primitive cell of two atoms."""
    half = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return as_crystal(half, [6, 6], [[0, 0, 0], [0.25, 0.25, 0.25]])


def magnesium(a: float = 3.21, c: float = 5.21) -> Crystal:
    """hcp Mg, two atoms at thirds, whose decimals never end."""
    lattice = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    return as_crystal(lattice, [12, 12], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])


def perovskite(a: float = 3.905) -> Crystal:
    """SrTiO3, cubic, 5 atoms."""
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return as_crystal(np.eye(3) * a, [38, 22, 8, 8, 8], sites)


def lonely_argon(a: float = 20.0) -> Crystal:
    """One Ar in a box so large that it meets nobody within 8 Å."""
    return as_crystal(np.eye(3) * a, [18], [[0.1, 0.2, 0.3]])


def tilted(a: float, b: float, c: float, alpha: float, beta: float, gamma: float) -> NDArray:
    """(3, 3) lattice of these lengths in Å and angles in degrees, right-handed."""
    cos_a, cos_b, cos_g = np.cos(np.radians([alpha, beta, gamma]))
    sin_g = np.sin(np.radians(gamma))
    x, y = cos_b, (cos_a - cos_b * cos_g) / sin_g
    third = [c * x, c * y, c * np.sqrt(1 - x * x - y * y)]
    return np.array([[a, 0, 0], [b * cos_g, b * sin_g, 0], third])


def disordered_sites(seed: int, atoms: int, lattice: NDArray) -> Crystal:
    """Atoms of several elements at random places of this cell."""
    random = np.random.default_rng(seed)
    numbers = random.choice([1, 8, 14, 26, 56, 83], size=atoms)
    return as_crystal(lattice, numbers, random.random((atoms, 3)))


def low_symmetry(seed: int = 5) -> Crystal:
    """Four atoms in a triclinic cell, no two of them equivalent."""
    return disordered_sites(seed, 4, tilted(4.1, 5.3, 6.2, 78, 99, 108))


def supercell(crystal: Crystal, matrix: object) -> tuple[Crystal, NDArray[np.int64]]:
    """The crystal in the cell ``matrix @ lattice``, and which atom each new one is a copy of.

    Args:
        crystal: any.
        matrix: (3, 3) integers, determinant not zero; 1 or -1 only chooses another cell.
    """
    change = np.array(matrix)
    reach = int(np.abs(change).sum()) + 1
    cells = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    inside = cells @ np.linalg.inv(change)
    cells = cells[((inside > -1e-9) & (inside < 1 - 1e-9)).all(axis=1)]
    assert len(cells) == round(abs(np.linalg.det(change)))
    atoms = len(crystal.numbers)
    parent = np.tile(np.arange(atoms), len(cells))
    frac = (crystal.frac[parent] + np.repeat(cells, atoms, axis=0)) @ np.linalg.inv(change)
    return as_crystal(change @ crystal.lattice, crystal.numbers[parent], frac), parent


def permuted(crystal: Crystal, order: object) -> Crystal:
    """The atoms in another order."""
    places = np.asarray(order)
    return as_crystal(crystal.lattice, crystal.numbers[places], crystal.frac[places])


def rotated(crystal: Crystal, seed: int = 0) -> Crystal:
    """The crystal turned in space."""
    turn = Rotation.random(random_state=seed).as_matrix()
    return as_crystal(crystal.lattice @ turn, crystal.numbers, crystal.frac)


def translated(crystal: Crystal, vector: object) -> Crystal:
    """All atoms moved by this vector, in lattice vectors."""
    return as_crystal(crystal.lattice, crystal.numbers, crystal.frac + np.asarray(vector))


def relatives(crystal: Crystal) -> dict[str, tuple[Crystal, NDArray[np.int64]]]:
    """The same crystal written otherwise, by name, and the atom each of its atoms comes from."""
    own = np.arange(len(crystal.numbers))
    order = np.random.default_rng(1).permutation(own)
    lattice_vector = np.zeros_like(crystal.frac)
    lattice_vector[0] = [2, -3, 1]
    return {
        "supercell 2x1x1": supercell(crystal, np.diag([2, 1, 1])),
        "supercell 2x2x3": supercell(crystal, np.diag([2, 2, 3])),
        "supercell, not diagonal": supercell(crystal, [[1, 1, 0], [-1, 1, 0], [0, 1, 2]]),
        "supercell, sheared": supercell(crystal, [[1, 0, 3], [0, 2, 1], [0, 0, 1]]),
        "another cell": supercell(crystal, [[1, 1, 0], [0, 1, 0], [2, 0, 1]]),
        "left-handed cell": supercell(crystal, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        "order of atoms": (permuted(crystal, order), order),
        "rotation": (rotated(crystal), own),
        "translation": (translated(crystal, [0.377, -0.21, 5.13]), own),
        "lattice vector": (translated(crystal, [1, -2, 3]), own),
        "one atom by a lattice vector": (translated(crystal, lattice_vector), own),
    }


RELATIVES = tuple(relatives(rock_salt_primitive()))
