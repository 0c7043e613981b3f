"""Moduli, anisotropy and mechanical stability of a crystal from its full elastic tensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

UNITS = {
    "K_voigt": "GPa",
    "G_voigt": "GPa",
    "K_reuss": "GPa",
    "G_reuss": "GPa",
    "K_vrh": "GPa",
    "G_vrh": "GPa",
    "anisotropy": "",
    "poisson": "",
}
ASYMMETRY = 0.02  # of the largest constant; published tensors are rounded to whole GPa
FLATTEST = 1e-6  # lowest eigenvalue of a stable tensor, of the largest constant


def elastic_invariants(tensor: object) -> dict[str, float]:
    """Bulk and shear moduli, universal anisotropy and Poisson's ratio of a stiffness tensor.

    Voigt's means are upper and Reuss's lower bounds of a polycrystal's moduli, Hill's (``vrh``)
    lie halfway; Poisson's ratio is that of Hill's moduli.

    Args:
        tensor: 36 numbers or (6, 6), stiffnesses in Voigt's notation, GPa.

    Raises:
        GnnmatError: not 36 numbers, not symmetric, or not positive definite.

    Source: Hill, Proc. Phys. Soc. A 65, 349 (1952); anisotropy: Ranganathan & Ostoja-Starzewski,
    PRL 101, 055504 (2008).
    """
    stiffness = symmetric_tensor(tensor)
    reason = instability(stiffness)
    if reason:
        raise GnnmatError(f"The elastic tensor is {reason}.")
    compliance: Floats = np.linalg.inv(stiffness).astype(np.float64)
    c_axial, c_mixed, c_shear = _sums(stiffness)
    s_axial, s_mixed, s_shear = _sums(compliance)
    k_voigt = (c_axial + 2 * c_mixed) / 9
    g_voigt = (c_axial - c_mixed + 3 * c_shear) / 15
    k_reuss = 1 / (s_axial + 2 * s_mixed)
    g_reuss = 15 / (4 * s_axial - 4 * s_mixed + 3 * s_shear)
    bulk, shear = (k_voigt + k_reuss) / 2, (g_voigt + g_reuss) / 2
    values = (
        k_voigt,
        g_voigt,
        k_reuss,
        g_reuss,
        bulk,
        shear,
        5 * g_voigt / g_reuss + k_voigt / k_reuss - 6,
        (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear)),
    )
    return {name: float(value) for name, value in zip(UNITS, values, strict=True)}


def instability(tensor: object) -> str:
    """Why a crystal with this tensor would give way to some strain, in words; '' if none would.

    An unstressed crystal is mechanically stable when all eigenvalues of its stiffness are positive.

    Args:
        tensor: 36 numbers or (6, 6), stiffnesses in Voigt's notation, GPa.

    Raises:
        GnnmatError: not 36 finite numbers, or not symmetric.

    Source: Born & Huang, Dynamical Theory of Crystal Lattices (1954); Mouhat & Coudert, PRB 90,
    224104 (2014).
    """
    stiffness = symmetric_tensor(tensor)
    lowest = float(np.linalg.eigvalsh(stiffness).min())
    if lowest > FLATTEST * float(np.abs(stiffness).max()):
        return ""
    return (
        f"not positive definite: its lowest eigenvalue is {lowest:.3g} GPa, so that the crystal "
        "would give way to some strain"
    )


def symmetric_tensor(tensor: object) -> Floats:
    """(6, 6) the tensor, symmetric to the last digit.

    Raises:
        GnnmatError: not 36 finite numbers, or two constants that should agree differ by more than
            `ASYMMETRY` of the largest.
    """
    try:
        flat = np.concatenate([np.ravel(row) for row in np.atleast_1d(np.asarray(tensor))])
        matrix = np.asarray(flat, dtype=np.float64)
    except (TypeError, ValueError):
        raise GnnmatError("The elastic tensor holds something that is no number.") from None
    if matrix.size != 36:
        raise GnnmatError(f"The elastic tensor has {matrix.size} numbers, expected 6 x 6.")
    matrix = matrix.reshape(6, 6)
    if not np.isfinite(matrix).all():
        raise GnnmatError("The elastic tensor holds NaN or infinity.")
    largest = float(np.abs(matrix).max())
    apart = float(np.abs(matrix - matrix.T).max())
    if apart > ASYMMETRY * largest:
        raise GnnmatError(
            f"The elastic tensor is not symmetric: two constants differ by {apart:.3g} GPa."
        )
    return (matrix + matrix.T) / 2


def _sums(tensor: Floats) -> tuple[float, float, float]:
    """xx + yy + zz, xy + yz + zx, and the sum of the three shears."""
    axial = tensor[0, 0] + tensor[1, 1] + tensor[2, 2]
    mixed = tensor[0, 1] + tensor[1, 2] + tensor[0, 2]
    return float(axial), float(mixed), float(tensor[3, 3] + tensor[4, 4] + tensor[5, 5])
