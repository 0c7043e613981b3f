"""Hardness and fracture toughness from bulk and shear modulus, and the volume of an atom.

All of these are correlations of measured values with moduli: they rank, and may be off by a third
for one material. Poisson's ratio enters the first two steeply, so everything is in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.properties.moduli import poisson, positive, pugh, young

Floats = NDArray[np.float64]

CUBIC_ANGSTROM = 1e-30  # m^3


def hardness_mazhnik(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Vickers hardness in GPa, 0.096 chi(nu) E.

    chi(nu) = (1 - 8.5 nu + 19.5 nu^2) / (1 - 7.5 nu + 12.2 nu^2 + 19.6 nu^3)

    Args:
        bulk: K in GPa.
        shear: G in GPa.

    Source: Mazhnik & Oganov, J. Appl. Phys. 126, 125109 (2019), doi:10.1063/1.5113622.
    """
    nu = poisson(bulk, shear)
    chi = (1 - 8.5 * nu + 19.5 * nu**2) / (1 - 7.5 * nu + 12.2 * nu**2 + 19.6 * nu**3)
    return 0.096 * chi * young(bulk, shear)


def toughness_mazhnik(bulk: ArrayLike, shear: ArrayLike, volume: ArrayLike) -> Floats:
    """Fracture toughness K_IC in MPa m^0.5, 8840^(-1/2) V^(1/6) (xi(nu) E)^(3/2).

    xi(nu) = (1 - 13.7 nu + 48.6 nu^2) / (1 - 15.2 nu + 70.2 nu^2 - 81.5 nu^3), with the
    constant of covalent and ionic crystals, 8840 GPa.

    Args:
        bulk: K in GPa.
        shear: G in GPa.
        volume: of an atom, Å^3.

    Source: Mazhnik & Oganov, J. Appl. Phys. 126, 125109 (2019), doi:10.1063/1.5113622; E in GPa
    and V in m^3 there give GPa m^0.5.
    """
    nu = poisson(bulk, shear)
    xi = (1 - 13.7 * nu + 48.6 * nu**2) / (1 - 15.2 * nu + 70.2 * nu**2 - 81.5 * nu**3)
    stiff = xi * young(bulk, shear)
    cube = positive(volume) * CUBIC_ANGSTROM
    return 1e3 * 8840**-0.5 * cube ** (1 / 6) * np.where(stiff > 0, stiff, np.nan) ** 1.5


def hardness_chen(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Vickers hardness in GPa, 2 (k^2 G)^0.585 - 3 with k = G / K; negative for soft solids.

    Source: Chen, Niu, Li & Li, Intermetallics 19, 1275 (2011).
    """
    k, g = pugh(bulk, shear), np.asarray(shear, np.float64)
    return 2 * (k**2 * np.where(g > 0, g, np.nan)) ** 0.585 - 3


def hardness_tian(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Vickers hardness in GPa, 0.92 k^1.137 G^0.708 with k = G / K.

    Source: Tian, Xu & Zhao, Int. J. Refract. Met. Hard Mater. 33, 93 (2012).
    """
    k, g = pugh(bulk, shear), np.asarray(shear, np.float64)
    return 0.92 * k**1.137 * np.where(g > 0, g, np.nan) ** 0.708


def hardness_teter(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Vickers hardness in GPa, 0.151 G.

    Source: Teter, MRS Bulletin 23(1), 22 (1998).
    """
    k, g = pugh(bulk, shear), np.asarray(shear, np.float64)
    return np.where(np.isfinite(k), 0.151 * g, np.nan)
