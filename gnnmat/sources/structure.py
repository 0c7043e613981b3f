"""Crystals from the objects of pymatgen and ASE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

VACUUM = 10.5  # Å on each side of a slab; the gap exceeds the largest cutoff, 20 Å
FULL = 1e-3  # an occupancy this close to 1 is 1: thirds are printed with four digits at best


def from_structure(structure: Structure) -> Crystal:
    """The crystal of a pymatgen structure; charges, moments and isotopes are dropped.

    Raises:
        GnnmatError: partial occupancy, naming the site; a species that is no element.
    """
    numbers = [_atomic_number(site, place) for place, site in enumerate(structure)]
    return Crystal(
        np.array(structure.lattice.matrix, dtype=np.float64),
        np.array(numbers, dtype=np.int64),
        np.array(structure.frac_coords, dtype=np.float64).reshape(-1, 3),
    )


def _atomic_number(site: Any, place: int) -> int:
    """Atomic number of the one element that fills the site."""
    occupancy: dict[int, float] = {}
    for species, amount in site.species.items():
        if type(species).__name__ == "DummySpecies":
            raise GnnmatError(f"Site {place + 1} holds '{species}', which is not an element.")
        occupancy[species.Z] = occupancy.get(species.Z, 0.0) + amount
    if len(occupancy) == 1:
        ((number, amount),) = occupancy.items()
        if abs(amount - 1.0) <= FULL:
            return int(number)
    content = ", ".join(f"{species} {amount:.3g}" for species, amount in site.species.items())
    label = f" '{site.label}'" if site.label not in ("", site.species_string) else ""
    raise GnnmatError(
        f"The crystal is disordered: site {place + 1}{label} has partial occupancy ({content})."
    )


def from_atoms(atoms: Atoms) -> Crystal:
    """The crystal of an ASE object; a slab or wire is periodic with its vacuum.

    Raises:
        GnnmatError: no periodic cell; partial occupancy.
    """
    cell = np.array(atoms.cell.array, dtype=np.float64)
    if not np.any(atoms.pbc) or not np.any(cell):
        raise GnnmatError("The structure has no periodic cell (it is a molecule).")
    for species in (atoms.info.get("occupancy") or {}).values():
        if len(species) != 1 or any(abs(part - 1.0) > FULL for part in species.values()):
            content = ", ".join(f"{symbol} {part:.3g}" for symbol, part in species.items())
            raise GnnmatError(f"The crystal is disordered: partial occupancy ({content}).")
    free = [axis for axis in range(3) if not atoms.pbc[axis]]
    if free and np.isfinite(cell).all() and np.isfinite(atoms.positions).all():
        # A slab or wire: room on both sides, so that it never meets its own image.
        atoms = atoms.copy()
        atoms.set_cell(atoms.cell.complete())
        atoms.center(vacuum=VACUUM, axis=free)
        cell = np.array(atoms.cell.array, dtype=np.float64)
    if np.isfinite(cell).all() and np.linalg.matrix_rank(cell) < 3:
        raise GnnmatError("The cell has no volume: a lattice vector is missing or dependent.")
    frac = np.asarray(atoms.positions, dtype=np.float64) @ np.linalg.inv(cell)
    return Crystal(cell, np.array(atoms.numbers, dtype=np.int64), frac)
