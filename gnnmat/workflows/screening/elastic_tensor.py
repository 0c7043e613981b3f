"""Elastic constants of a crystal from the stresses of small strains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.workflows.screening.relaxing import NO_CONVERGENCE, NOT_FINITE, Trouble, descend

Floats = NDArray[np.float64]

# Places of Voigt's xx, yy, zz, yz, xz, xy in a 3 x 3 tensor.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
ASYMMETRY = 0.05  # of the largest constant; exact stresses of a crystal at rest have none

NOT_AT_REST = "failed: under stress with this calculator; relax it with the same one before"
ASYMMETRIC = "failed: the elastic tensor is not symmetric; the stresses are too noisy"


@dataclass(frozen=True)
class Strains:
    """How a crystal is strained.

    Args:
        size: of each strain, both ways; shears are engineering strains, twice the tensor's.
        relax_ions: whether the atoms of a strained cell settle; else they follow the cell.
        fmax: largest force left on an atom then, eV/Å.
        steps: at most, for each cell.
        stress_limit: largest stress of the unstrained crystal, GPa.
    """

    size: float = 0.005
    relax_ions: bool = True
    fmax: float = 0.001
    steps: int = 500
    stress_limit: float = 2.0


def strain_of(voigt: int, size: float) -> Floats:
    """(3, 3) one strain without rotation; a shear has half of ``size`` at both of its places."""
    strain = np.zeros((3, 3))
    row, column = VOIGT[voigt]
    strain[row, column] += size / 2
    strain[column, row] += size / 2
    return strain


def elastic_tensor(atoms: Any, strains: Strains) -> Floats:
    """(6, 6) stiffnesses in Voigt's notation in the Cartesian axes of the crystal, GPa.

    Column j is (sigma(+e_j) - sigma(-e_j)) / (2 e), so that a rest of stress and the next order
    of the strain cancel. The tensor is made symmetric once it has been found nearly so.

    Args:
        atoms: ASE ``Atoms`` with a calculator that gives stress, positive when pulled; at rest.
            Its positions change when ions relax.
        strains: how it is strained.

    Raises:
        Trouble: under stress, no number, no convergence, or far from symmetric.

    Source: Nye, Physical Properties of Crystals (1957), chapter VIII; finite strains as in
    de Jong et al., Sci. Data 2, 150009 (2015), with two strains each where they take four.
    """
    if np.abs(_stress(atoms, strains)).max() > strains.stress_limit:
        raise Trouble(NOT_AT_REST)
    columns = [
        (
            _strained(atoms, one, strains.size, strains)
            - _strained(atoms, one, -strains.size, strains)
        )
        / (2 * strains.size)
        for one in range(6)
    ]
    tensor = np.stack(columns, axis=1)
    largest = np.abs(tensor).max()
    if np.abs(tensor - tensor.T).max() > ASYMMETRY * largest:
        raise Trouble(ASYMMETRIC)
    symmetric: Floats = (tensor + tensor.T) / 2
    return symmetric


def _strained(atoms: Any, voigt: int, size: float, strains: Strains) -> Floats:
    """(6,) stress of the crystal under one strain, GPa."""
    strained = atoms.copy()
    strained.calc = atoms.calc
    deformation = np.eye(3) + strain_of(voigt, size)
    strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return _stress(strained, strains)


def _stress(atoms: Any, strains: Strains) -> Floats:
    """(6,) stress in Voigt's order, GPa, once the ions have settled where they may."""
    from ase.units import GPa

    if strains.relax_ions:
        rest = descend(atoms, cell=False, optimizer="LBFGS", fmax=strains.fmax, steps=strains.steps)
        if not rest.converged:
            raise Trouble(NO_CONVERGENCE)
    stress: Floats = np.asarray(atoms.get_stress(voigt=True), dtype=np.float64) / GPa
    if not np.isfinite(stress).all():
        raise Trouble(NOT_FINITE)
    return stress
