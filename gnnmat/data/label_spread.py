"""Labels far from zero: whether single precision, in which they are learned, keeps their spread."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.label_values import is_missing
from gnnmat.errors import GnnmatError, GnnmatWarning

FINE = 1e-3  # of the standard deviation: rounding below it is far less than any model's error


def check_spread(name: str, values: Sequence[Any], rounded: NDArray[np.float32]) -> None:
    """Refuse labels whose spread rounding takes away, and warn where it is coarse.

    Numbers of 24 bits lie a spacing of about 1e-7 of their size apart, so that energies of
    -1e8 eV that differ by some eV become a few steps of 8 eV.

    Args:
        name: of the column.
        values: as the table holds them.
        rounded: (n,) the same in single precision, NaN where there is none.

    Raises:
        GnnmatError: the spacing at the mean is larger than the standard deviation.
    """
    known = rounded[~np.isnan(rounded)].astype(np.float64)
    mean = float(known.mean())
    spacing = float(np.spacing(np.float32(abs(mean))))
    if spacing <= FINE * known.std():
        return
    exact = np.array([float(value) for value in values if not is_missing(value)])
    mean = float(exact.mean())
    spread = float((exact - mean).std())
    # The mean itself is rounded: what is constant in double precision has some spread left.
    if spacing <= FINE * spread or spread <= 1e-14 * abs(mean):
        return
    what = f"Single precision takes away the spread of column '{name}'."
    why = (
        f"Its mean is {mean:.6g} and its standard deviation {spread:.3g}; numbers of this size are "
        f"rounded to steps of {spacing:.3g}."
    )
    fix = f"Subtract a constant first, such as {mean:.6g}."
    if spacing > spread:
        raise GnnmatError(what, why=why, fix=fix)
    warnings.warn(
        f"{what.replace('takes away', 'rounds')} {why} {fix}", GnnmatWarning, stacklevel=2
    )
