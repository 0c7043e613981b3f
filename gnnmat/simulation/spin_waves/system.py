"""A spin Hamiltonian as plain arrays: what every solver here takes.

H = sum over bonds (each once) S_i . (sum of value * pattern) . S_j
  + sum over sites S_i . (value * pattern) . S_i + g mu_B B . sum_i S_i

Every term is linear in one named coupling, so a batch of Hamiltonians is one array of values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SpinSystem:
    """An ordered magnet with named couplings.

    Args:
        lattice: (3, 3) vectors of the magnetic cell in Å, one a row.
        positions: (n, 3) fractions of the magnetic cell.
        ions: n names such as ``Mn3+``, for the magnetic form factor.
        spins: (n,) spin quantum numbers S.
        directions: (n, 3) Cartesian unit vectors of the ordered spins; moments point
            against them (only a field and DM exchange tell).
        couplings: names of the p couplings, values in meV.
        bond_sites: (b, 2) sites i, j of every bond.
        bond_offset: (b, 3) cell of j, in lattice vectors; i lies in cell 0.
        bond_coupling: (b,) which coupling scales the bond.
        bond_pattern: (b, 3, 3) dimensionless exchange matrix; the identity is Heisenberg
            exchange, J > 0 antiferromagnetic.
        onsite_site: (o,) site of every single-ion term.
        onsite_coupling: (o,) which coupling scales it.
        onsite_pattern: (o, 3, 3) symmetric dimensionless matrix; z z^T with D > 0 is easy plane.
        field: (3,) magnetic field in tesla, Cartesian.
        g: Landé factor of all sites.
        site_names: n names, for messages.
    """

    lattice: Floats
    positions: Floats
    ions: tuple[str, ...]
    spins: Floats
    directions: Floats
    couplings: tuple[str, ...]
    bond_sites: Ints
    bond_offset: Ints
    bond_coupling: Ints
    bond_pattern: Floats
    onsite_site: Ints
    onsite_coupling: Ints
    onsite_pattern: Floats
    field: Floats
    g: float = 2.0
    site_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, p = len(self.positions), len(self.couplings)
        lengths = np.linalg.norm(self.directions, axis=1)
        if not np.allclose(lengths, 1, atol=1e-9):
            raise GnnmatError("Directions of spins must be unit vectors.")
        if len(self.bond_sites) and (self.bond_sites.min() < 0 or self.bond_sites.max() >= n):
            raise GnnmatError(f"A bond names a site outside 0 to {n - 1}.")
        used = np.concatenate([self.bond_coupling, self.onsite_coupling])
        if len(used) and (used.min() < 0 or used.max() >= p):
            raise GnnmatError(f"A term names a coupling outside 0 to {p - 1}.")
        if not (self.spins > 0).all():
            raise GnnmatError("Spin quantum numbers must be positive.")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def bond_vector(self) -> Floats:
        """(b, 3) from i to j in fractions of the magnetic cell."""
        i, j = self.bond_sites.T
        vector: Floats = self.positions[j] + self.bond_offset - self.positions[i]
        return vector

    @property
    def reciprocal(self) -> Floats:
        """(3, 3) reciprocal vectors in 1/Å, one a row, with the factor 2 pi."""
        inverse: Floats = np.linalg.inv(self.lattice).astype(np.float64)
        return 2 * np.pi * inverse.T

    @property
    def is_collinear(self) -> bool:
        """Whether all moments lie along one axis, and every term keeps that axis apart.

        True for Heisenberg exchange and single-ion terms, symmetric, without elements that mix
        the axis with the plane across it, and a field along the axis.
        """
        axis = self.directions[0]
        if not np.allclose(np.abs(self.directions @ axis), 1, atol=1e-9):
            return False
        patterns = np.concatenate([self.bond_pattern, self.onsite_pattern])
        if not np.allclose(patterns, patterns.transpose(0, 2, 1), atol=1e-12):
            return False
        along = patterns @ axis
        mixed = along - (along @ axis)[:, None] * axis
        field_across = self.field - (self.field @ axis) * axis
        return bool(np.allclose(mixed, 0, atol=1e-12) and np.allclose(field_across, 0, atol=1e-12))
