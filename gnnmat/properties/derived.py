"""All properties that follow from moduli, volume and mass, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError
from gnnmat.properties import hardness, heat, moduli, thermal

Floats = NDArray[np.float64]

MODULI = ("K_vrh", "G_vrh")
SIZED = (*MODULI, "volume")
HEAVY = (*SIZED, "mass")

# What a derived property may ask for, and why a value of it cannot be.
INPUTS = {
    "K_vrh": "bulk modulus, GPa",
    "G_vrh": "shear modulus, GPa",
    "volume": "volume of an atom, Å^3",
    "mass": "mass of an atom, the mean over the crystal, u",
}


@dataclass(frozen=True)
class Derived:
    """A property that is a formula of others.

    Attributes:
        name: as a column has it.
        unit: of the values.
        needs: names out of `INPUTS`, the keywords of ``function``.
        function: arrays by name -> array, row by row, broadcast over leading axes (members of an
            ensemble); float64, and NaN wherever ``faults`` has something to say.
        source: paper or book.
        about: one line for users, with what it is worth.
    """

    name: str
    unit: str
    needs: tuple[str, ...]
    function: Callable[..., Floats]
    source: str
    about: str

    def faults(self, **given: ArrayLike) -> NDArray[np.str_]:
        """Why rows have no value, in words; empty where they have one.

        Raises:
            GnnmatError: something it needs is missing.
        """
        absent = [name for name in self.needs if name not in given]
        if absent:
            raise GnnmatError(
                f"{self.name} cannot be derived without {', '.join(absent)}.",
                why=f"It needs {', '.join(f'{one} ({INPUTS[one]})' for one in self.needs)}.",
            )
        arrays = np.broadcast_arrays(*(np.asarray(given[name], float) for name in self.needs))
        values = dict(zip(self.needs, arrays, strict=True))
        said = moduli.faults(values["K_vrh"], values["G_vrh"])
        for name in ("volume", "mass"):
            if name in values:
                absurd = np.isnan(moduli.positive(values[name]))
                words = f"the {name} of an atom is not positive"
                said = np.where((said == "") & absurd, words, said)
        return said


def _by_name(function: Callable[..., Floats], needs: tuple[str, ...]) -> Callable[..., Floats]:
    """The function with keywords in place of positions."""

    def named(**given: Any) -> Floats:
        return np.asarray(function(*(given[name] for name in needs)), dtype=np.float64)

    return named


def _derived(
    name: str,
    unit: str,
    needs: tuple[str, ...],
    function: Callable[..., Floats],
    source: str,
    about: str,
) -> Derived:
    return Derived(name, unit, needs, _by_name(function, needs), source, about)


def _sound(*given: Any) -> Floats:
    return thermal.sound_velocities(*given)[2]


MAZHNIK = "Mazhnik & Oganov, J. Appl. Phys. 126, 125109 (2019)"
LANDAU = "Landau & Lifshitz, Theory of Elasticity (1986), section 5"
ANDERSON = "Anderson, J. Phys. Chem. Solids 24, 909 (1963)"
DEBYE = "Debye, Ann. Phys. 39, 789 (1912)"
GRUENEISEN = "Ashcroft & Mermin, Solid State Physics (1976), chapter 25"

_ALL = (
    _derived(
        "hardness", "GPa", MODULI, hardness.hardness_mazhnik, MAZHNIK,
        "Vickers hardness; off by a few GPa, too high for ionic crystals (MgO: twice)",
    ),
    _derived(
        "toughness", "MPa m^0.5", SIZED, hardness.toughness_mazhnik, MAZHNIK,
        "fracture toughness of a covalent or ionic crystal; metals are far tougher",
    ),
    _derived(
        "hardness_chen", "GPa", MODULI, hardness.hardness_chen,
        "Chen, Niu, Li & Li, Intermetallics 19, 1275 (2011)",
        "Vickers hardness after Chen; negative for soft solids",
    ),
    _derived(
        "hardness_tian", "GPa", MODULI, hardness.hardness_tian,
        "Tian, Xu & Zhao, Int. J. Refract. Met. Hard Mater. 33, 93 (2012)",
        "Vickers hardness after Tian",
    ),
    _derived(
        "hardness_teter", "GPa", MODULI, hardness.hardness_teter,
        "Teter, MRS Bulletin 23(1), 22 (1998)",
        "Vickers hardness after Teter, from the shear modulus alone",
    ),
    _derived("young", "GPa", MODULI, moduli.young, LANDAU, "Young's modulus"),
    _derived("poisson", "", MODULI, moduli.poisson, LANDAU, "Poisson's ratio"),
    _derived(
        "pugh", "", MODULI, moduli.pugh, "Pugh, Philos. Mag. 45, 823 (1954)",
        "G / K; brittle above about 0.57",
    ),
    _derived("sound_velocity", "m/s", HEAVY, _sound, ANDERSON, "Debye's mean velocity of sound"),
    _derived(
        "debye_temperature", "K", HEAVY, thermal.debye_temperature, ANDERSON,
        "Debye temperature of the elastic waves",
    ),
    _derived(
        "grueneisen", "", MODULI, thermal.grueneisen,
        "Belomestnykh & Tesleva, Technical Physics 49, 1098 (2004)",
        "Grueneisen's parameter from Poisson's ratio",
    ),
    _derived(
        "heat_capacity", "J/(kg K)", HEAVY, heat.heat_capacity, DEBYE,
        "specific heat at constant volume, 300 K",
    ),
    _derived(
        "melting_lindemann", "K", HEAVY, heat.melting_lindemann,
        "Lindemann, Phys. Z. 11, 609 (1910)",
        "melting temperature, within 20% for half of the elements",
    ),
    _derived(
        "expansion", "1/K", HEAVY, heat.expansion, GRUENEISEN,
        "linear thermal expansion of the quasi-harmonic Debye model, 300 K",
    ),
    _derived(
        "expansion_hot", "1/K", SIZED, thermal.linear_expansion, GRUENEISEN,
        "linear thermal expansion far above the Debye temperature",
    ),
    _derived(
        "thermal_stress", "MPa/K", HEAVY, heat.thermal_stress, GRUENEISEN,
        "expansion times Young's modulus, 300 K",
    ),
    _derived(
        "thermal_stress_bound", "MPa/K", HEAVY, heat.thermal_stress_bound, GRUENEISEN,
        "f(nu) c_V rho, which expansion times Young's modulus stays below, 300 K",
    ),
)  # fmt: skip

DERIVED: Mapping[str, Derived] = {one.name: one for one in _ALL}
