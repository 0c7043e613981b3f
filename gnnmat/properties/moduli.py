"""What bulk and shear modulus of an isotropic solid say about its other elastic constants."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Poisson's ratio of a stable isotropic solid lies between these.
# Source: Landau & Lifshitz, Theory of Elasticity (1986), section 5.
LOWEST, HIGHEST = -1.0, 0.5


def young(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Young's modulus E = 9 K G / (3 K + G), in the unit of both; NaN where `faults` has one."""
    k, g = _sound(bulk, shear)
    return 9 * k * g / (3 * k + g)


def poisson(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Poisson's ratio nu = (3 K - 2 G) / (6 K + 2 G); NaN where `faults` has one."""
    k, g = _sound(bulk, shear)
    return (3 * k - 2 * g) / (6 * k + 2 * g)


def pugh(bulk: ArrayLike, shear: ArrayLike) -> Floats:
    """Pugh's ratio G / K; NaN where `faults` has one."""
    k, g = _sound(bulk, shear)
    return g / k


def faults(bulk: ArrayLike, shear: ArrayLike) -> NDArray[np.str_]:
    """Why moduli are those of no stable solid, in words; empty where they may be.

    Positive K and G put Poisson's ratio between -1 and 0.5 by themselves.
    """
    k, g = np.broadcast_arrays(np.asarray(bulk, float), np.asarray(shear, float))
    said = np.where(np.isfinite(k) & np.isfinite(g), "", "a modulus is no number")
    said = np.where((said == "") & (k <= 0), "the bulk modulus is not positive", said)
    return np.where((said == "") & (g <= 0), "the shear modulus is not positive", said)


def positive(values: ArrayLike) -> Floats:
    """Values in float64, NaN where they are no positive finite number: sizes, masses."""
    given = np.asarray(values, np.float64)
    return np.where((given > 0) & np.isfinite(given), given, np.nan)


def _sound(bulk: ArrayLike, shear: ArrayLike) -> tuple[Floats, Floats]:
    """Both in float64, NaN where they belong to no stable solid."""
    k, g = np.broadcast_arrays(np.asarray(bulk, np.float64), np.asarray(shear, np.float64))
    fine = faults(k, g) == ""
    return np.where(fine, k, np.nan), np.where(fine, g, np.nan)
