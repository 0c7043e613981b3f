"""The conventional cell of a crystal, and the lengths and angles that its symmetry leaves free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.sources.crystal import Crystal
from gnnmat.sources.symmetry_labels import crystal_system
from gnnmat.sources.symmetry_search import standard_cell, symmetry_dataset

Floats = NDArray[np.float64]

SYMPREC = 0.01  # Å
# Which of a, b, c, alpha, beta, gamma move together, in spglib's standard cells: b is the axis of
# monoclinic ones, and trigonal ones have hexagonal axes.
FREE: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "cubic": (("a", (0, 1, 2)),),
    "hexagonal": (("a", (0, 1)), ("c", (2,))),
    "trigonal": (("a", (0, 1)), ("c", (2,))),
    "tetragonal": (("a", (0, 1)), ("c", (2,))),
    "orthorhombic": (("a", (0,)), ("b", (1,)), ("c", (2,))),
    "monoclinic": (("a", (0,)), ("b", (1,)), ("c", (2,)), ("beta", (4,))),
    "triclinic": (
        ("a", (0,)), ("b", (1,)), ("c", (2,)), ("alpha", (3,)), ("beta", (4,)), ("gamma", (5,)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ConventionalCell:
    """A crystal in its standard cell.

    Args:
        crystal: in that cell.
        space_group: number; 1 if none was found.
        symbol: of Hermann and Mauguin.
        system: crystal system.
    """

    crystal: Crystal
    space_group: int
    symbol: str
    system: str

    @property
    def names(self) -> tuple[str, ...]:
        """The free lengths (Å) and angles (degrees)."""
        return tuple(name for name, _ in FREE[self.system])

    @property
    def six(self) -> Floats:
        """a, b, c in Å; alpha, beta, gamma in degrees."""
        return six_of(self.crystal.lattice)

    def values(self) -> Floats:
        """(free,) values of the free lengths and angles."""
        return self.six[[places[0] for _, places in FREE[self.system]]]

    def lattice(self, values: Tensor) -> Tensor:
        """(3, 3) lattice with these free lengths and angles; differentiable."""
        six = [torch.as_tensor(one, dtype=torch.float64) for one in self.six.tolist()]
        for value, (_, places) in zip(values, FREE[self.system], strict=True):
            for place in places:
                six[place] = value
        return lattice_of(torch.stack(six))


def conventional_cell(crystal: Crystal, symprec: float = SYMPREC) -> ConventionalCell:
    """The standard cell of a crystal; as it is, and triclinic, where no symmetry is found."""
    facts, standard = symmetry_dataset(crystal, symprec), standard_cell(crystal, symprec)
    if facts is None or standard is None:
        return ConventionalCell(crystal, 1, "P1", "triclinic")
    number = int(facts.number)
    return ConventionalCell(standard, number, str(facts.international), crystal_system(number))


def six_of(lattice: Floats) -> Floats:
    """a, b, c in Å; alpha, beta, gamma in degrees."""
    lengths = np.linalg.norm(lattice, axis=1)
    cosines = [
        lattice[i] @ lattice[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))])


def lattice_of(six: Tensor) -> Tensor:
    """(3, 3) lattice vectors as rows: a along x, b in the plane of x and y."""
    a, b, c = six[0], six[1], six[2]
    cos_a, cos_b, cos_g = torch.cos(torch.deg2rad(six[3:])).unbind()
    sin_g = torch.sin(torch.deg2rad(six[5]))
    y = (cos_a - cos_b * cos_g) / sin_g
    z = torch.sqrt((1 - cos_b**2 - y**2).clamp(min=1e-12))
    zero = torch.zeros_like(a)
    return torch.stack(
        [
            torch.stack([a, zero, zero]),
            torch.stack([b * cos_g, b * sin_g, zero]),
            torch.stack([c * cos_b, c * y, c * z]),
        ]
    )
