"""Sound, Debye temperature and thermal expansion of an isotropic solid, from its moduli."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import atomic_mass, h, k

from gnnmat.properties.moduli import faults, poisson, positive

Floats = NDArray[np.float64]

GPA, CUBIC_ANGSTROM = 1e9, 1e-30  # in Pa and m^3


def sound_velocities(
    bulk: ArrayLike, shear: ArrayLike, volume: ArrayLike, mass: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Longitudinal, transverse and mean velocity of sound in m/s; NaN for no stable solid.

    The mean is that of Debye, (1/3 (2 / v_t^3 + 1 / v_l^3))^(-1/3).

    Args:
        bulk: K in GPa.
        shear: G in GPa.
        volume: of an atom, Å^3.
        mass: of an atom, the mean over the crystal, in atomic mass units.

    Source: Anderson, J. Phys. Chem. Solids 24, 909 (1963).
    """
    stiff, soft = _pascals(bulk, shear)
    density = positive(mass) * atomic_mass / (positive(volume) * CUBIC_ANGSTROM)
    longitudinal = np.sqrt((stiff + 4 * soft / 3) / density)
    transverse = np.sqrt(soft / density)
    mean = ((2 / transverse**3 + 1 / longitudinal**3) / 3) ** (-1 / 3)
    return longitudinal, transverse, mean


def debye_temperature(
    bulk: ArrayLike, shear: ArrayLike, volume: ArrayLike, mass: ArrayLike
) -> Floats:
    """Debye temperature in K, (h / k_B) (3 / (4 pi V))^(1/3) v_m.

    Args:
        bulk: as in `sound_velocities`.
        shear: likewise.
        volume: likewise.
        mass: likewise.

    Source: Anderson, J. Phys. Chem. Solids 24, 909 (1963).
    """
    mean = sound_velocities(bulk, shear, volume, mass)[2]
    size = positive(volume) * CUBIC_ANGSTROM
    return h / k * (3 / (4 * np.pi * size)) ** (1 / 3) * mean


def grueneisen(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Grueneisen's parameter from Poisson's ratio, 3 (1 + nu) / (2 (2 - 3 nu)).

    Source: Belomestnykh & Tesleva, Technical Physics 49, 1098 (2004).
    """
    nu = poisson(bulk, shear)
    return 3 * (1 + nu) / (2 * (2 - 3 * nu))


def linear_expansion(bulk: ArrayLike, shear: ArrayLike, volume: ArrayLike) -> Floats:
    """Linear thermal expansion in 1/K far above the Debye temperature, gamma k_B / (K V).

    Every atom then has the heat capacity 3 k_B; a third of the expansion of the volume,
    gamma C / (K V).

    Args:
        bulk: K in GPa.
        shear: G in GPa.
        volume: of an atom, Å^3.

    Source: Grueneisen's relation, as in Ashcroft & Mermin, Solid State Physics (1976), chapter 25.
    """
    stiff, _ = _pascals(bulk, shear)
    return grueneisen(bulk, shear) * k / (stiff * positive(volume) * CUBIC_ANGSTROM)


def _pascals(bulk: ArrayLike, shear: ArrayLike) -> tuple[Floats, Floats]:
    stiff, soft = np.broadcast_arrays(np.asarray(bulk, np.float64), np.asarray(shear, np.float64))
    fine = faults(stiff, soft) == ""
    return np.where(fine, stiff, np.nan) * GPA, np.where(fine, soft, np.nan) * GPA
