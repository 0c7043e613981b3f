"""How strongly atoms scatter X-rays, electrons and neutrons; tables are those of pymatgen."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError

Radiation = Literal["xray", "electron", "neutron"]

# 8 pi^2 m e^2 / h^2 in 1/Å: from Gaussians of the electron scattering factor to that of X-rays.
# Source: De Graef & McHenry, Structure of Materials (2007), chapter 12; as in pymatgen.
TO_XRAYS = 41.78214
# m e^2 / (8 pi eps0 h^2) in Å: the Mott-Bethe formula with sin(theta)/lambda in 1/Å.
# Source: International Tables for Crystallography C (2006), 4.3.1.6; as in pymatgen.
MOTT_BETHE = 0.023934
LARGEST = 119


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(119, 4, 2) Gaussians and (119,) scattering lengths in fm by atomic number; NaN: unknown."""
    from pymatgen.core.periodic_table import Element

    place = resources.files("pymatgen.analysis.diffraction")
    gaussians = np.full((LARGEST, 4, 2), np.nan)
    lengths = np.full(LARGEST, np.nan)
    numbers = {one.symbol: one.Z for one in Element}
    for name, table in (
        ("atomic_scattering_params.json", gaussians),
        ("neutron_scattering_length.json", lengths),
    ):
        for symbol, values in json.loads(place.joinpath(name).read_text()).items():
            if symbol in numbers:  # isotopes are left out
                table[numbers[symbol]] = values
    return gaussians, lengths


def scattering_factors(radiation: Radiation, numbers: Tensor, s2: Tensor) -> Tensor:
    """Factor of each atom at each angle: electrons for X-rays, Å for electrons, fm for neutrons.

    X-rays: f(s) = Z - 41.78214 s^2 sum_i a_i exp(-b_i s^2); electrons by Mott and Bethe,
    f_e(s) = 0.023934 (Z - f(s)) / s^2; neutrons: the coherent length. No anomalous dispersion.

    Args:
        radiation: which.
        numbers: atomic numbers.
        s2: (sin(theta) / lambda)^2 in 1/Å^2; the result has the shape of both, broadcast.

    Raises:
        GnnmatError: no entry for an element.

    Source: Doyle & Turner, Acta Cryst. A 24, 390 (1968), and Smith & Burge, Acta Cryst. 15, 182
    (1962), for the Gaussians; Neutron Data Booklet (2003) for the lengths; both as in pymatgen.
    """
    gaussians, lengths = _tables()
    table = lengths if radiation == "neutron" else gaussians[:, 0, 0]
    _check(numbers, table, radiation)
    if radiation == "neutron":
        shape = torch.broadcast_shapes(numbers.shape, s2.shape)
        return torch.as_tensor(lengths, device=numbers.device)[numbers].expand(shape)
    each = torch.as_tensor(gaussians, device=numbers.device)[numbers]
    total = torch.zeros((), dtype=torch.float64, device=numbers.device)
    for gaussian in each.unbind(dim=-2):
        total = total + gaussian[..., 0] * torch.exp(-gaussian[..., 1] * s2)
    if radiation == "electron":
        return MOTT_BETHE * TO_XRAYS * total
    return numbers - TO_XRAYS * s2 * total


def _check(numbers: Tensor, table: NDArray[np.float64], radiation: Radiation) -> None:
    missing = [int(one) for one in numbers.unique() if not np.isfinite(table[int(one)])]
    if missing:
        from pymatgen.core.periodic_table import Element

        names = ", ".join(Element.from_Z(one).symbol for one in missing)
        raise GnnmatError(f"There is no {radiation} scattering factor for {names}.")
