"""One crystal brought to rest by an ASE calculator, or a plain phrase that says why not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from gnnmat.sources.crystal import as_crystal
from gnnmat.workflows.screening.calculators import Loaded
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.table import ARRAYS

Optimizer = Literal["FIRE", "LBFGS"]
T = TypeVar("T")

UNKNOWN_ELEMENT = "failed: an element that the calculator does not know"
NOT_FINITE = "failed: energy, forces or stress are no numbers"
NO_CONVERGENCE = "failed: forces did not fall below fmax in the steps allowed"
EXPLODED = "failed: the cell exploded or collapsed"


class Trouble(Exception):
    """Why a crystal cannot be worked on: a reason of `Judged`."""

    @property
    def reason(self) -> str:
        """A plain phrase."""
        return str(self.args[0])


@dataclass(frozen=True)
class Rest:
    """How a descent ended.

    Args:
        energy: of the cell, eV.
        converged: all forces are below the limit.
        steps: taken.
    """

    energy: float
    converged: bool
    steps: int


def each_row(
    table: pd.DataFrame, loaded: Loaded, work: Callable[[Any], T]
) -> tuple[list[T | None], list[str], list[str]]:
    """What ``work`` makes of the ASE ``Atoms`` of each row, with the calculator attached.

    A row on which anything raises gets a reason, and the rest goes on. The calculator forgets
    the crystal before, so that a row's numbers do not depend on its neighbours in the table.

    Args:
        table: of candidates.
        loaded: the calculator.
        work: raises `Trouble` where it can say what is wrong.

    Returns:
        By row what came of it, or None; the reasons; and a note about the first row on which the
        calculator raised.
    """
    found: list[T | None] = []
    reasons: list[str] = []
    notes: list[str] = []
    for name, *arrays in zip(table["id"], *(table[one] for one in ARRAYS), strict=True):
        try:
            with silent():
                found.append(work(_atoms(arrays, loaded)))
            reasons.append(KEPT)
        except Trouble as trouble:
            found.append(None)
            reasons.append(trouble.reason)
        except Exception as error:
            found.append(None)
            reasons.append(f"failed: the calculator raised {type(error).__name__}")
            told = " ".join(str(error).split())[:200]
            notes = notes or [f"The calculator raised {type(error).__name__} on {name}: {told}"]
    return found, reasons, notes


@contextmanager
def silent() -> Iterator[None]:
    """Without what a calculator says of crystals far from rest; results are checked instead."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def descend(
    atoms: Any,
    *,
    cell: bool,
    optimizer: Optimizer,
    fmax: float,
    steps: int,
    volume_limit: float = math.inf,
) -> Rest:
    """Move atoms, and the cell if asked, downhill until they are at rest; ``atoms`` changes.

    Args:
        atoms: ASE ``Atoms`` with a calculator.
        cell: whether the cell relaxes too (ASE's ``FrechetCellFilter``, at zero pressure).
        optimizer: of ASE.
        fmax: largest force left, eV/Å; with ``cell`` also the largest row of the virial an atom,
            in eV.
        steps: at most.
        volume_limit: largest change of the volume, as a part of the first.

    Raises:
        Trouble: numbers that are not finite, or a change of the volume above the limit.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE, LBFGS

    _check(atoms, cell)
    volume = atoms.get_volume()
    moved = FrechetCellFilter(atoms) if cell else atoms
    descent = {"FIRE": FIRE, "LBFGS": LBFGS}[optimizer](moved, logfile=None)
    converged = False
    for arrived in descent.irun(fmax=fmax, steps=steps):
        _check(atoms, cell)
        if not abs(atoms.get_volume() / volume - 1) <= volume_limit:
            raise Trouble(EXPLODED)
        converged = bool(arrived)
    return Rest(float(atoms.get_potential_energy()), converged, int(descent.nsteps))


def _atoms(arrays: list[object], loaded: Loaded) -> Any:
    from ase import Atoms

    crystal = as_crystal(*arrays)
    if not loaded.knows(crystal.numbers.tolist()):
        raise Trouble(UNKNOWN_ELEMENT)
    # After an error a calculator may take the next crystal of the same elements for known.
    if hasattr(loaded.calculator, "reset"):
        loaded.calculator.reset()
    return Atoms(
        numbers=crystal.numbers,
        cell=crystal.lattice,
        scaled_positions=crystal.frac,
        pbc=True,
        calculator=loaded.calculator,
    )


def _check(atoms: Any, cell: bool) -> None:
    numbers = [np.ravel(atoms.get_potential_energy()), np.ravel(atoms.get_forces())]
    if cell:
        numbers.append(np.ravel(atoms.get_stress()))
    if not np.isfinite(np.concatenate(numbers)).all():
        raise Trouble(NOT_FINITE)
