"""Several crystals as one batch of flat tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError


class CellLike(Protocol):
    """What a crystal must have; see `gnnmat.sources.crystal.Crystal`."""

    @property
    def lattice(self) -> NDArray[np.float64]: ...
    @property
    def numbers(self) -> NDArray[np.int64]: ...
    @property
    def frac(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Cells:
    """A batch of crystals.

    Args:
        lattice: (cells, 3, 3) float64, lattice vectors as rows, Å.
        numbers: (atoms,) int64, atomic numbers, cell after cell.
        frac: (atoms, 3) float64.
        count: (cells,) atoms of each cell.
        occupancy: (atoms,) float64, share of a site that the atom takes.
    """

    lattice: Tensor
    numbers: Tensor
    frac: Tensor
    count: Tensor
    occupancy: Tensor

    @classmethod
    def of(cls, crystals: Sequence[CellLike], device: str | torch.device = "cpu") -> Cells:
        """The batch of these crystals.

        Raises:
            GnnmatError: there is none.
        """
        if not crystals:
            raise GnnmatError("There is no crystal to simulate.")
        lattice = np.stack([one.lattice for one in crystals])
        numbers = np.concatenate([one.numbers for one in crystals])
        return cls(
            torch.as_tensor(lattice, dtype=torch.float64, device=device),
            torch.as_tensor(numbers, dtype=torch.int64, device=device),
            torch.as_tensor(
                np.concatenate([one.frac for one in crystals]), dtype=torch.float64, device=device
            ),
            torch.tensor([len(one.numbers) for one in crystals], device=device),
            torch.ones(len(numbers), dtype=torch.float64, device=device),
        )

    def __len__(self) -> int:
        return len(self.lattice)

    @property
    def owner(self) -> Tensor:
        """(atoms,) the cell of each atom."""
        return torch.repeat_interleave(
            torch.arange(len(self), device=self.count.device), self.count
        )

    @property
    def volume(self) -> Tensor:
        """(cells,) Å^3."""
        found: Tensor = torch.linalg.det(self.lattice).abs()
        return found

    @property
    def reciprocal(self) -> Tensor:
        """(cells, 3, 3) reciprocal lattice vectors as rows, 1/Å, without 2 pi."""
        return torch.linalg.inv(self.lattice).transpose(1, 2)


def ragged(counts: Tensor) -> tuple[Tensor, Tensor]:
    """(total,) the row of each item, and its place in it, for rows of these lengths."""
    rows = torch.arange(len(counts), device=counts.device)
    owner = torch.repeat_interleave(rows, counts)
    starts = torch.cumsum(counts, 0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - starts[owner]
