"""Magnetic form factors of ions: how fast the signal of a moment falls with momentum."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError, did_you_mean

Momentum = TypeVar("Momentum", Tensor, NDArray[np.float64])
Coefficients = tuple[float, float, float, float, float, float, float]
_ION = re.compile(r"\s*([A-Za-z]{1,2})\s*(?:(\d?)\+?|\+(\d))\s*")


def form_factor(ion: str, q: Momentum) -> Momentum:
    r"""<j0> of an ion at every |Q|, one at Q = 0.

    f(Q) = A exp(-a s^2) + B exp(-b s^2) + C exp(-c s^2) + D, with s = |Q| / 4 pi

    Args:
        ion: element and charge, such as ``Mn3+`` (``Mn3`` and ``Mn+3`` mean the same; ``Mn`` is
            the neutral atom).
        q: |Q| in 1/Å, any shape, a tensor or an array.

    Returns:
        The same shape and kind.

    Raises:
        GnnmatError: the table has no such ion.
    """
    large_a, a, large_b, b, large_c, c, d = coefficients(ion)
    square = (q / (4 * math.pi)) ** 2
    exp = torch.exp if isinstance(q, Tensor) else np.exp
    value: Momentum = (
        large_a * exp(-a * square) + large_b * exp(-b * square) + large_c * exp(-c * square) + d
    )
    return value


def coefficients(ion: str) -> Coefficients:
    """A, a, B, b, C, c, D of <j0>; a, b, c in Å^2.

    Raises:
        GnnmatError: the table has no such ion.

    Source: P. J. Brown, International Tables for Crystallography C, section 4.4.5, as shipped by
    the library periodictable (public domain). Ce3+ has no <j0> there; its dipole approximation
    <j0> + (1 - 2/g) <j2> stands in.
    """
    table = _table()
    match = _ION.fullmatch(ion)
    key = f"{match[1].capitalize()}{match[2] or match[3] or 0}+" if match else ion
    if key not in table:
        raise GnnmatError(
            f"There is no magnetic form factor of '{ion}'.",
            why="The table has 3d, 4d, 4f and 5f ions, as element and charge; none of 5d.",
            fix=did_you_mean(key, table) or "Write it as Mn3+, Fe2+, Ho3+.",
        )
    return table[key]


def known_ions() -> tuple[str, ...]:
    """All ions of the table, such as ``Mn3+``; neutral atoms are ``Mn0+``."""
    return tuple(_table())


@cache
def _table() -> dict[str, Coefficients]:
    # Imported late: only simulations need it.
    from periodictable import elements

    table: dict[str, Coefficients] = {}
    for element in elements:
        for charge, factors in getattr(element, "magnetic_ff", {}).items():
            values = getattr(factors, "j0", None) or getattr(factors, "J", None)
            if values is not None:
                table[f"{element.symbol}{charge}+"] = values
    return table
