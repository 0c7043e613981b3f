r"""What the other neighbours of an atom look like from each of its bonds.

.. math:: c_l(ij) = \sum_k w_{ik} P_l(\cos\theta_{jik}) / \sum_k w_{ik}, \qquad
          w_{ik} = (d_i / d_{ik})^p

with d_i the distance of i's nearest neighbour. The moments do not depend on rotation, and by the
addition theorem of spherical harmonics they cost a sum over neighbours, not over pairs of them.

Source: Steinhardt, Nelson & Ronchetti, Phys. Rev. B 28, 784 (1983), whose invariants Q_l are the
weighted means of c_l over the bonds of an atom; differs in: kept by the bond, weighted by distance.
"""

from __future__ import annotations

import numpy as np
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
    from scipy.special import sph_harm_y

    out = np.empty((len(pairs.length), len(POWERS), highest))
    if not len(pairs.length):
        return out.reshape(0, len(POWERS) * highest)
    end = crystal.positions[pairs.source] + pairs.offset @ crystal.lattice
    unit = (end - crystal.positions[pairs.centre]) / pairs.length[:, None]
    polar, azimuth = np.arccos(unit[:, 2].clip(-1, 1)), np.arctan2(unit[:, 1], unit[:, 0])
    weights = _weights(pairs, len(crystal.numbers))
    for degree in range(1, highest + 1):
        # Orders m and -m add the same to the real part.
        orders = np.arange(degree + 1)
        harmonics = sph_harm_y(degree, orders, polar[:, None], azimuth[:, None])
        factor = np.where(orders == 0, 1.0, 2.0) * 4 * np.pi / (2 * degree + 1)
        for place, weight in enumerate(weights):
            total = np.zeros((len(crystal.numbers), degree + 1), dtype=complex)
            np.add.at(total, pairs.centre, harmonics * weight[:, None])
            seen = (total[pairs.centre] * harmonics.conj()).real
            out[:, place, degree - 1] = seen @ factor
    return out.reshape(len(pairs.length), -1)


def _weights(pairs: Neighbours, atoms: int) -> list[Floats]:
    """For each power (bonds,) weights that add up to one at every atom."""
    nearest = np.full(atoms, np.inf)
    np.minimum.at(nearest, pairs.centre, pairs.length)
    found = []
    for power in POWERS:
        weight = (nearest[pairs.centre] / pairs.length) ** power
        found.append(weight / np.bincount(pairs.centre, weight, minlength=atoms)[pairs.centre])
    return found
