"""Elastic constants of candidates from a potential, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from gnnmat.properties.elastic import elastic_invariants, instability
from gnnmat.properties.thermal import debye_temperature
from gnnmat.workflows.screening.calculators import (
    CALCULATOR_HELP,
    OPTIONS_HELP,
    Loaded,
    calculator_fingerprint,
    open_calculator,
)
from gnnmat.workflows.screening.elastic_tensor import Strains, elastic_tensor
from gnnmat.workflows.screening.relaxing import each_row
from gnnmat.workflows.screening.stage import Judged, Opened, Stage

UNSTABLE = "mechanically unstable: the elastic tensor is not positive definite"

UNITS = {"K_vrh": "GPa", "G_vrh": "GPa", "poisson": "", "anisotropy": ""}
DEBYE, TENSOR, STABLE = "debye_temperature", "elastic_tensor", "mechanically_stable"


class Elastic(Stage):
    """Elastic tensor by small strains with any ASE calculator: the second rung of the ladder.

    A cheap physical model for the best hundred: put it behind `best`, and behind `relax` with the
    same calculator, because elastic constants are those of a crystal at rest. Twelve strained
    cells a crystal (six strains, both ways), or many times that where ions relax.

    Gives ``elastic_tensor`` (36 numbers, GPa, Voigt's notation in the Cartesian axes of the
    crystal), ``K_vrh`` and ``G_vrh`` (GPa, Hill's means), ``poisson``, ``anisotropy`` (universal,
    0 when isotropic), ``mechanically_stable``, and ``debye_temperature`` (K, from the moduli,
    volume and mass). Columns ``K_vrh`` and ``G_vrh`` that were there before, with intervals and
    members, become ``K_vrh_before`` and so on: both rungs can be compared. What was derived from
    them before stays as it was until `derive` stands behind this stage as well.
    """

    few: ClassVar[int | None] = 2
    kind: Literal["elastic"] = "elastic"
    calculator: str = Field("chgnet", min_length=1, description=CALCULATOR_HELP)
    calculator_options: dict[str, Any] = Field({}, description=OPTIONS_HELP)
    strain: float = Field(
        0.005,
        gt=0,
        le=0.05,
        description="Size of each strain, both ways. Larger ones drown the noise of a calculator, "
        "smaller ones stay closer to the linear law. Networks are rough: see that their moduli "
        "hold still between 0.005 and 0.02.",
    )
    relax_ions: bool = Field(
        True,
        description="Let the atoms of a strained cell settle. Without it constants come out too "
        "stiff wherever atoms are free to move against each other.",
    )
    fmax: float = Field(0.001, gt=0, description="Largest force left on an ion, eV/Å.")
    steps: int = Field(500, gt=0, description="At most, for the ions of one strained cell.")
    stress_limit: float = Field(
        2.0,
        gt=0,
        description="Largest stress of the crystal as given, GPa; above it is not at rest.",
    )

    @classmethod
    def example(cls) -> Elastic:
        """A small instance for contract tests: any elements, no descent."""
        options = {"sigma": 2.0, "epsilon": 0.01, "smooth": True}
        return cls(calculator="lj", calculator_options=options, relax_ions=False, stress_limit=1e6)

    @property
    def title(self) -> str:
        return self.name or f"{self.kind} {self.calculator}"

    def gives(self) -> Sequence[str]:
        own = (*UNITS, DEBYE)
        ends = ("_before", *(f"{old}_{part}" for old in ("", "_before") for part in PARTS))
        return (*own, TENSOR, STABLE, *(f"{name}{end}" for name in own for end in ends))

    def fingerprint(self) -> str:
        """Digest of the calculator's version."""
        return calculator_fingerprint(self.calculator)

    def open(self, folder: Path) -> Opened:
        loaded = open_calculator(self.calculator, self.calculator_options, stress=True)
        strains = Strains(
            size=self.strain,
            relax_ions=self.relax_ions,
            fmax=self.fmax,
            steps=self.steps,
            stress_limit=self.stress_limit,
        )
        return _Straining(loaded, strains)


# Beside a number, and what stands there when it is not known.
PARTS: dict[str, float | None] = {"low": np.nan, "high": np.nan, "members": None}


@dataclass(frozen=True)
class _Found:
    """Constants of one crystal; without ``values`` it is mechanically unstable."""

    tensor: list[float]
    values: dict[str, float] = field(default_factory=dict)


class _Straining:
    def __init__(self, loaded: Loaded, strains: Strains) -> None:
        self.loaded, self.strains = loaded, strains

    def __call__(self, table: pd.DataFrame) -> Judged:
        found, reasons, notes = each_row(table, self.loaded, self._constants)
        reasons = [
            UNSTABLE if one is not None and not one.values else reason
            for one, reason in zip(found, reasons, strict=True)
        ]
        columns = _before(table)
        for name in (*UNITS, DEBYE):
            columns[name] = [
                np.nan if one is None else one.values.get(name, np.nan) for one in found
            ]
        columns[TENSOR] = [None if one is None else one.tensor for one in found]
        columns[STABLE] = [one is not None and bool(one.values) for one in found]
        units = {**UNITS, DEBYE: "K", TENSOR: "GPa"}
        return Judged.of(table, reasons=reasons, units=units, notes=notes, **columns)

    def _constants(self, atoms: Any) -> _Found:
        tensor = elastic_tensor(atoms, self.strains)
        said = [float(one) for one in tensor.ravel()]
        if instability(tensor):
            return _Found(said)
        invariants = elastic_invariants(tensor)
        values = {name: invariants[name] for name in UNITS}
        volume = atoms.get_volume() / len(atoms)
        mass = float(atoms.get_masses().mean())
        debye = debye_temperature(values["K_vrh"], values["G_vrh"], volume, mass)
        return _Found(said, {**values, DEBYE: float(debye)})


def _before(table: pd.DataFrame) -> dict[str, Any]:
    """What the rung before said, under names of its own.

    Intervals and members leave gaps: they do not belong to the new values.
    """
    columns: dict[str, Any] = {}
    for name in (*UNITS, DEBYE):
        if name in table:
            columns[f"{name}_before"] = table[name].to_numpy()
        for part, gap in PARTS.items():
            if f"{name}_{part}" in table:
                columns[f"{name}_before_{part}"] = list(table[f"{name}_{part}"])
                columns[f"{name}_{part}"] = [gap] * len(table)
    return columns
