"""Heat capacity, expansion and melting of an isotropic Debye solid, from its moduli.

Closed forms over whole arrays. A quasi-harmonic Debye model that minimises the free energy, as
pymatgen's does, asks for a curve of energies against volume, which a screen by moduli does not
have; its first order in temperature is what stands here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import atomic_mass, hbar, k

from gnnmat.properties.moduli import poisson, positive, young
from gnnmat.properties.thermal import (
    CUBIC_ANGSTROM,
    GPA,
    debye_temperature,
    grueneisen,
    linear_expansion,
)

Floats = NDArray[np.float64]

ROOM = 300.0  # K

# Mean displacement at melting over the edge of the cube that an atom has to itself. Source: the
# median over the 56 elements whose moduli, volume and melting point pymatgen's table knows, with
# Debye temperatures of this package. Half of them then melt within 20% of their temperature.
LINDEMANN = 0.122

# The integrand of Debye's function has died away here, and its integral is 4 pi^4 / 15.
COLDEST = 60.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


def heat_capacity_share(debye: ArrayLike, temperature: ArrayLike = ROOM) -> Floats:
    """Heat capacity of a Debye solid at constant volume over that of Dulong and Petit, 0 to 1.

    3 / y^3 times the integral of x^4 e^x / (e^x - 1)^2 from 0 to y = theta / T.

    Args:
        debye: Debye temperature, K.
        temperature: K.

    Source: Debye, Ann. Phys. 39, 789 (1912).
    """
    theta, hot = positive(debye), positive(temperature)
    y = theta / hot
    end = np.minimum(y, COLDEST)
    integral = np.zeros_like(end)
    for node, weight in zip(NODES, WEIGHTS, strict=True):  # by node: arrays may be large
        x = end * (1 + node) / 2
        integral += weight * (x**2 / (2 * np.sinh(x / 2))) ** 2
    return 3 / y**3 * integral * end / 2


def heat_capacity(
    bulk: ArrayLike,
    shear: ArrayLike,
    volume: ArrayLike,
    mass: ArrayLike,
    temperature: ArrayLike = ROOM,
) -> Floats:
    """Specific heat at constant volume of the Debye model, J/(kg K).

    Args:
        bulk: K in GPa.
        shear: G in GPa.
        volume: of an atom, Å^3.
        mass: of an atom, the mean over the crystal, in atomic mass units.
        temperature: K.

    Source: Debye, Ann. Phys. 39, 789 (1912).
    """
    share = heat_capacity_share(debye_temperature(bulk, shear, volume, mass), temperature)
    return 3 * k * share / (positive(mass) * atomic_mass)


def expansion(
    bulk: ArrayLike,
    shear: ArrayLike,
    volume: ArrayLike,
    mass: ArrayLike,
    temperature: ArrayLike = ROOM,
) -> Floats:
    """Linear thermal expansion in 1/K, gamma C_V / (3 K V) with Debye's heat capacity C_V.

    A third of the expansion of the volume. The first order of the quasi-harmonic Debye model:
    moduli and volume stay what they are at rest, so that it falls short by a few percent where
    heat makes a solid soft.

    Args:
        bulk: as in `heat_capacity`.
        shear: likewise.
        volume: likewise.
        mass: likewise.
        temperature: K.

    Source: Grueneisen's relation, as in Ashcroft & Mermin, Solid State Physics (1976), chapter 25;
    the model: Blanco, Francisco & Luaña, Comput. Phys. Commun. 158, 57 (2004).
    """
    share = heat_capacity_share(debye_temperature(bulk, shear, volume, mass), temperature)
    return share * linear_expansion(bulk, shear, volume)


def volume_expansion(
    bulk: ArrayLike,
    shear: ArrayLike,
    volume: ArrayLike,
    mass: ArrayLike,
    temperature: ArrayLike = ROOM,
) -> Floats:
    """Thermal expansion of the volume in 1/K: three times `expansion`."""
    return 3 * expansion(bulk, shear, volume, mass, temperature)


def melting_lindemann(
    bulk: ArrayLike, shear: ArrayLike, volume: ArrayLike, mass: ArrayLike
) -> Floats:
    """Lindemann's estimate of the melting temperature in K, f^2 M k_B theta^2 V^(2/3) / (9 hbar^2).

    Atoms of a Debye solid are then displaced by `LINDEMANN` V^(1/3). Half of the elements melt
    within 20% of it and one in ten is off by more than a factor of two; of compounds, which may
    decompose or be held by unlike bonds, it says less.

    Args:
        bulk: as in `heat_capacity`.
        shear: likewise.
        volume: likewise.
        mass: likewise.

    Source: Lindemann, Phys. Z. 11, 609 (1910); mean square displacement: Grimvall, Thermophysical
    Properties of Materials (1999), chapter 7.
    """
    theta = debye_temperature(bulk, shear, volume, mass)
    edge = (positive(volume) * CUBIC_ANGSTROM) ** (1 / 3)
    return (LINDEMANN * edge * theta) ** 2 * positive(mass) * atomic_mass * k / (9 * hbar**2)


def thermal_stress(
    bulk: ArrayLike,
    shear: ArrayLike,
    volume: ArrayLike,
    mass: ArrayLike,
    temperature: ArrayLike = ROOM,
) -> Floats:
    """Stress in MPa/K of a rod that is heated between walls: linear `expansion` times E."""
    alpha = expansion(bulk, shear, volume, mass, temperature)
    return 1e3 * alpha * young(bulk, shear)


def stress_share(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """What alpha_L E is of c_V rho: gamma (1 - 2 nu) = 3 (1 + nu) (1 - 2 nu) / (2 (2 - 3 nu)).

    From alpha_L = gamma c_V rho / (3 K) and E = 3 K (1 - 2 nu). It is three quarters of
    `stress_bound`, and has its maximum, (11 - 2 sqrt 10) / 6 = 0.779, at the same Poisson's ratio.
    """
    nu = poisson(bulk, shear)
    return grueneisen(bulk, shear) * (1 - 2 * nu)


def stress_bound(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Bound f(nu) of alpha_L E over c_V rho, 2 (1 + nu) (1 - 2 nu) / (2 - 3 nu).

    Its maximum, 2 (11 - 2 sqrt 10) / 9 = 1.039, is at nu = (4 - sqrt 10) / 6 = 0.1396. In
    velocities of sound it says alpha_L <= 2 c_V / (v_l^2 + 2 v_t^2), or gamma <= 4/3 of
    `grueneisen`: what bulk expansion follows from `grueneisen` stays a quarter below it.
    """
    return 4 / 3 * stress_share(bulk, shear)


def thermal_stress_bound(
    bulk: ArrayLike,
    shear: ArrayLike,
    volume: ArrayLike,
    mass: ArrayLike,
    temperature: ArrayLike = ROOM,
) -> Floats:
    """What `thermal_stress` is below in any case, f(nu) c_V rho, in MPa/K."""
    specific = heat_capacity(bulk, shear, volume, mass, temperature)
    density = positive(mass) * atomic_mass / (positive(volume) * CUBIC_ANGSTROM)
    return 1e3 * stress_bound(bulk, shear) * specific * density / GPA
