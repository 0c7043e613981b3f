"""Crystal -> a ball of its atoms, which is looked at with a beam later."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal import Crystal

SYMPREC = 0.01  # Å
TRICLINIC = 2  # space groups up to this one leave the axes free
CUBIC = 195  # from this one on the axes are those of a cube, whatever else is missing
LARGEST = 24  # atoms of a primitive cell; one of more may be a supercell with defects


class Cluster(BaseModel):
    """The atoms of a crystal nearest to one of them, around their centre, in Å.

    Defects, orientation and the pattern itself are drawn later, by ``augment.kind=fingerprint``,
    which also brings all clusters to one length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cluster"] = "cluster"
    atoms: int = Field(190, ge=2, le=5000, description="Atoms of a cluster.")
    centre: int = Field(
        0, ge=0, description="Place of the atom in the middle among those of the cell."
    )
    axes: Literal["conventional", "given"] = Field(
        "conventional",
        description="How the cluster lies: with the axes of the conventional cell, whichever cell "
        "was given, or as it was given. Triclinic crystals lie as they were given, and so do "
        "primitive cells of more than 24 atoms that are not cubic: the symmetry that defects leave "
        "to a supercell has other axes.",
    )

    @classmethod
    def example(cls) -> Cluster:
        """A small instance for contract tests."""
        return cls(atoms=20)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the samples it makes."""
        return ("z", "pos")

    def sample(self, raw: Crystal) -> dict[str, NDArray[np.generic]]:
        """``z`` (atoms,) and ``pos`` (atoms, 3) in Å around the origin, float64.

        Args:
            raw: ordered crystal, already checked by its source.
        """
        from gnnmat.simulation.diffraction.clusters import nearest_atoms

        if not isinstance(raw, Crystal):
            raise GnnmatError(
                f"The input 'cluster' was given a {type(raw).__name__}, not a crystal.",
                fix="Choose the input for these data: input.kind=image",
            )
        place = self.centre % len(raw.numbers)
        if self.axes == "conventional":
            raw, place = _laid(raw, place)
        found = nearest_atoms(raw, self.atoms, raw.positions[place])
        return {"z": found.numbers, "pos": found.positions - found.positions.mean(axis=0)}


def _laid(crystal: Crystal, place: int) -> tuple[Crystal, int]:
    """The conventional cell along its axes, and an atom there of the kind that was meant."""
    from gnnmat.sources.symmetry_search import standard_cell, symmetry_dataset

    found = symmetry_dataset(crystal, SYMPREC)
    if found is None or found.number <= TRICLINIC:
        return crystal, place
    atoms = len(np.unique(found.mapping_to_primitive))
    if atoms > LARGEST and found.number < CUBIC:
        return crystal, place
    standard = standard_cell(crystal, SYMPREC)
    kind = crystal.numbers[place]
    if standard is None or kind not in standard.numbers:
        return crystal, place
    return standard, int(np.flatnonzero(standard.numbers == kind)[0])
