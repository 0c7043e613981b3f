"""Relax candidates and compute their energy with a potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from gnnmat.workflows.screening.calculators import (
    CALCULATOR_HELP,
    OPTIONS_HELP,
    Loaded,
    calculator_fingerprint,
    open_calculator,
)
from gnnmat.workflows.screening.relaxing import (
    NO_CONVERGENCE,
    Optimizer,
    Trouble,
    descend,
    each_row,
)
from gnnmat.workflows.screening.stage import Judged, Opened, Stage


class Relax(Stage):
    """Move atoms and cell to the nearest minimum of the energy, with any ASE calculator.

    Gives ``energy`` (eV an atom), ``volume_change`` (relaxed against given, as a part of the
    given) and ``converged``. Energies of different calculators have different zeros: compare
    them, or build a hull of them, within one calculator only. With ``steps: 0`` the energy of the
    crystal as it is given.

    A candidate is dropped where the calculator does not know an element or gives no number, where
    the forces do not fall below ``fmax`` in time, and where the volume changes too much, which
    mostly means that the calculator is no good for it.
    """

    few: ClassVar[int | None] = 4
    kind: Literal["relax"] = "relax"
    calculator: str = Field("chgnet", min_length=1, description=CALCULATOR_HELP)
    calculator_options: dict[str, Any] = Field({}, description=OPTIONS_HELP)
    fmax: float = Field(
        0.05,
        gt=0,
        description="Largest force left on an atom, eV/Å; with 'cell' the virial an atom, in eV, "
        "is held to it as well.",
    )
    steps: int = Field(500, ge=0, description="At most; 0: only the energy as given.")
    cell: bool = Field(True, description="Relax the cell as well, at zero pressure.")
    optimizer: Optimizer = Field(
        "FIRE", description="FIRE is robust; LBFGS takes fewer steps near the minimum."
    )
    volume_limit: float = Field(
        0.5, gt=0, description="Largest change of the volume, as a part of the given one."
    )
    keep: Literal["relaxed", "given"] = Field(
        "relaxed",
        description="Which crystal goes on: the relaxed one, whose 'lattice', 'frac' and 'volume' "
        "then replace those given, or the given one.",
    )

    @classmethod
    def example(cls) -> Relax:
        """A small instance for contract tests: any elements, a few loose steps."""
        options = {"sigma": 2.0, "epsilon": 0.01, "smooth": True}
        return cls(calculator="lj", calculator_options=options, fmax=10.0, steps=5)

    @property
    def title(self) -> str:
        return self.name or f"{self.kind} {self.calculator}"

    def gives(self) -> Sequence[str]:
        return ("energy", "volume_change", "converged")

    def fingerprint(self) -> str:
        """Digest of the calculator's version."""
        return calculator_fingerprint(self.calculator)

    def open(self, folder: Path) -> Opened:
        loaded = open_calculator(
            self.calculator, self.calculator_options, stress=self.cell and self.steps > 0
        )
        return _Relaxing(self, loaded)


@dataclass(frozen=True)
class _Relaxed:
    energy: float
    volume_change: float
    converged: bool
    lattice: np.ndarray
    frac: np.ndarray
    volume: float


class _Relaxing:
    def __init__(self, stage: Relax, loaded: Loaded) -> None:
        self.stage, self.loaded = stage, loaded

    def __call__(self, table: pd.DataFrame) -> Judged:
        found, reasons, notes = each_row(table, self.loaded, self._relaxed)
        if self.stage.steps:
            reasons = [
                NO_CONVERGENCE if one is not None and not one.converged else reason
                for one, reason in zip(found, reasons, strict=True)
            ]
        columns: dict[str, Any] = {
            "energy": [np.nan if one is None else one.energy for one in found],
            "volume_change": [np.nan if one is None else one.volume_change for one in found],
            "converged": [one is not None and one.converged for one in found],
        }
        if self.stage.keep == "relaxed":
            columns |= _replaced(table, found)
        units = {"energy": "eV/atom", "volume": "Å^3/atom"}
        units = {name: unit for name, unit in units.items() if name in columns}
        return Judged.of(table, reasons=reasons, units=units, notes=notes, **columns)

    def _relaxed(self, atoms: Any) -> _Relaxed:
        stage, before = self.stage, atoms.get_volume()
        if not len(atoms) or not before > 0:
            raise Trouble("failed: a crystal without atoms or volume")
        rest = descend(
            atoms,
            cell=stage.cell and stage.steps > 0,
            optimizer=stage.optimizer,
            fmax=stage.fmax,
            steps=stage.steps,
            volume_limit=stage.volume_limit,
        )
        after = atoms.get_volume()
        return _Relaxed(
            rest.energy / len(atoms),
            after / before - 1,
            rest.converged,
            atoms.cell.array.ravel().copy(),
            atoms.get_scaled_positions(wrap=False).ravel(),
            after / len(atoms),
        )


def _replaced(table: pd.DataFrame, found: Sequence[_Relaxed | None]) -> Mapping[str, Any]:
    """The columns of the crystal, relaxed where that went well."""
    rows = list(zip(table["lattice"], table["frac"], table["volume"], found, strict=True))
    return {
        "lattice": [lattice if one is None else one.lattice for lattice, _, _, one in rows],
        "frac": [frac if one is None else one.frac for _, frac, _, one in rows],
        "volume": [volume if one is None else one.volume for _, _, volume, one in rows],
    }
