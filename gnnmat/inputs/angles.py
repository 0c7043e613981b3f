r"""What the other neighbours of an atom look like from each of its bonds.

.. math:: c_l(ij) = \sum_k w_{ik} P_l(\cos\theta_{jik}) / \sum_k w_{ik}, \qquad
          w_{ik} = (d_i / d_{ik})^p

with d_i the distance of i's nearest neighbour. The moments do not depend on rotation. They are
summed over pairs of neighbours by compiled code.

Source: Steinhardt, Nelson & Ronchetti, Phys. Rev. B 28, 784 (1983), whose invariants Q_l are the
weighted means of c_l over the bonds of an atom; differs in: kept by the bond, weighted by distance.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gnnmat.inputs.neighbours import Neighbours
from gnnmat.sources.crystal import Crystal

POWERS = (4, 12)  # the whole neighbourhood, and hardly more than the first shell

Floats = NDArray[np.float64]


def angle_moments(crystal: Crystal, pairs: Neighbours, highest: int) -> Floats:
    """(bonds, 2 highest) moments l = 1 .. highest of the angles at the centre of each bond.

    Args:
        crystal: the crystal.
        pairs: all bonds.
        highest: the largest l.
    """
    if not len(pairs.length):
        return np.empty((0, len(POWERS) * highest))
    end = crystal.positions[pairs.source] + pairs.offset @ crystal.lattice
    unit = (end - crystal.positions[pairs.centre]) / pairs.length[:, None]
    atoms = len(crystal.numbers)
    weights = np.stack(_weights(pairs, atoms))
    order = np.argsort(pairs.centre, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(pairs.centre, minlength=atoms))])
    out = np.empty((len(pairs.length), len(POWERS), highest))
    out[order] = _summed(np.ascontiguousarray(unit[order]), weights[:, order], starts, highest)
    return out.reshape(len(pairs.length), -1)


@njit(cache=True)
def _summed(unit: Floats, weights: Floats, starts: NDArray[np.int64], highest: int) -> Floats:
    """(bonds, powers, highest) sums over the other bonds of each atom, bonds sorted by centre."""
    out = np.zeros((len(unit), len(weights), highest))
    for atom in range(len(starts) - 1):
        for one in range(starts[atom], starts[atom + 1]):
            for other in range(starts[atom], starts[atom + 1]):
                cosine = 0.0
                for axis in range(3):
                    cosine += unit[one, axis] * unit[other, axis]
                # Bonnet's recursion for the polynomials of Legendre.
                before, now = 1.0, cosine
                for degree in range(1, highest + 1):
                    for power in range(len(weights)):
                        out[one, power, degree - 1] += weights[power, other] * now
                    after = ((2 * degree + 1) * cosine * now - degree * before) / (degree + 1)
                    before, now = now, after
    return out


def _weights(pairs: Neighbours, atoms: int) -> list[Floats]:
    """For each power (bonds,) weights that add up to one at every atom."""
    nearest = np.full(atoms, np.inf)
    np.minimum.at(nearest, pairs.centre, pairs.length)
    found = []
    for power in POWERS:
        weight = (nearest[pairs.centre] / pairs.length) ** power
        found.append(weight / np.bincount(pairs.centre, weight, minlength=atoms)[pairs.centre])
    return found
