"""A spin Hamiltonian as written down in YAML: sites, bonds by vector or distance, couplings."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.spin_waves.lattice import cell_vectors, unit
from gnnmat.simulation.spin_waves.no_bonds import (
    check_vector,
    joins_nothing,
    nearest_lengths,
)
from gnnmat.simulation.spin_waves.system import SpinSystem

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
MATCH = 1e-3  # fractions of the cell: coordinates are often rounded to three or four decimals


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )


class Coupling(_Part):
    """One number of the Hamiltonian, in meV."""

    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest value drawn, meV; null keeps the reference."
    )
    reference: float = Field(0.0, description="A value known or guessed, meV.")

    @field_validator("range")
    @classmethod
    def _upwards(cls, range_: tuple[float, float] | None) -> tuple[float, float] | None:
        if range_ is not None and range_[0] > range_[1]:
            low, high = range_
            raise ValueError(f"{low:g} to {high:g} runs downwards; write [{high:g}, {low:g}]")
        return range_


class Site(_Part):
    """A magnetic ion with its ordered moment."""

    name: str = Field(description="Used by bonds; several sites may share a name.")
    ion: str = Field(description="Element and charge, such as Mn3+, for the form factor.")
    spin: float = Field(gt=0, description="Spin quantum number S.")
    position: Vector = Field(description="Fractions of the magnetic cell.")
    direction: Vector = Field(
        description="Cartesian direction of the ordered spin; the moment points against it."
    )


class Exchange(_Part):
    """Anisotropic exchange: a whole matrix, or a Dzyaloshinskii-Moriya vector."""

    matrix: Matrix | None = Field(None, description="Multiplies the coupling; S_i . matrix . S_j")
    dm: Vector | None = Field(None, description="d of d . (S_i x S_j), from i to j.")

    def pattern(self) -> NDArray[np.float64]:
        """(3, 3) matrix between S_i and S_j."""
        if (self.matrix is None) == (self.dm is None):
            raise GnnmatError("Give an exchange either as 'matrix' or as 'dm'.")
        if self.matrix is not None:
            return np.array(self.matrix, dtype=float)
        x, y, z = self.dm or (0.0, 0.0, 0.0)
        return np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]], dtype=float)


class Bonds(_Part):
    """All bonds that share a coupling: chosen by vector, by distance, by relative spin."""

    coupling: str = Field(description="Name of the coupling, positive is antiferromagnetic.")
    start: tuple[str, ...] = Field(("*",), alias="from", description="Site names, * fits any.")
    end: tuple[str, ...] = Field(("*",), alias="to", description="Site names, * fits any.")
    vectors: tuple[Vector, ...] = Field(
        (), description="From start to end, in fractions of the magnetic cell."
    )
    distance: float | None = Field(None, gt=0, description="Length in Å, instead of vectors.")
    tolerance: float = Field(0.01, gt=0, description="Of the distance, Å.")
    spin: Literal["same", "opposite", "any"] = Field(
        "any", description="Only between moments along the same or opposite directions."
    )
    exchange: Literal["heisenberg"] | Exchange = Field(
        "heisenberg", description="'heisenberg', {matrix: 3x3} or {dm: [x, y, z]}."
    )


class Onsite(_Part):
    """A single-ion term: the coupling times (axis . S)^2; positive is an easy plane."""

    coupling: str = Field(description="Name of the coupling, meV.")
    sites: tuple[str, ...] = Field(("*",), description="Site names, * fits any.")
    axis: Vector = Field((0.0, 0.0, 1.0), description="Cartesian direction.")


class SpinModel(_Part):
    """Lattice, ordered moments and terms of a spin Hamiltonian."""

    lattice: tuple[float, ...] | Matrix = Field(
        description="a, b, c in Å [and alpha, beta, gamma in degrees], or three vectors; of the "
        "magnetic cell."
    )
    sites: tuple[Site, ...] = Field(min_length=1, description="All ions of the magnetic cell.")
    couplings: dict[str, Coupling] = Field(description="By name, in the order of parameters.")
    bonds: tuple[Bonds, ...] = Field((), description="Exchange terms, each bond once.")
    onsite: tuple[Onsite, ...] = Field((), description="Single-ion terms.")
    field: Vector = Field((0.0, 0.0, 0.0), description="Magnetic field, tesla, Cartesian.")
    g: float = Field(2.0, description="Landé factor.")

    def build(self) -> SpinSystem:
        """The arrays of this Hamiltonian.

        Raises:
            GnnmatError: a name that is not there, or a rule that finds no bond.
        """
        names = list(self.couplings)
        terms: list[tuple[int, int, tuple[int, int, int], int, NDArray[np.float64]]] = []
        for rule in self.bonds:
            number = self._number(rule.coupling)
            pattern = np.eye(3) if isinstance(rule.exchange, str) else rule.exchange.pattern()
            found = self._bonds(rule, symmetric=np.allclose(pattern, pattern.T))
            terms += [(i, j, offset, number, pattern) for i, j, offset in found]
        onsite = [
            (site, self._number(rule.coupling), np.outer(axis, axis))
            for rule in self.onsite
            for axis in [unit(rule.axis, f"the axis of {rule.coupling}")]
            for site in self._sites(rule.sites, rule.coupling)
        ]
        return SpinSystem(
            lattice=self.cell(),
            positions=np.array([site.position for site in self.sites]),
            ions=tuple(site.ion for site in self.sites),
            spins=np.array([site.spin for site in self.sites]),
            directions=np.array([unit(s.direction, f"site {s.name}") for s in self.sites]),
            couplings=tuple(names),
            bond_sites=np.array([t[:2] for t in terms], dtype=np.int64).reshape(-1, 2),
            bond_offset=np.array([t[2] for t in terms], dtype=np.int64).reshape(-1, 3),
            bond_coupling=np.array([t[3] for t in terms], dtype=np.int64),
            bond_pattern=np.array([t[4] for t in terms], dtype=float).reshape(-1, 3, 3),
            onsite_site=np.array([t[0] for t in onsite], dtype=np.int64),
            onsite_coupling=np.array([t[1] for t in onsite], dtype=np.int64),
            onsite_pattern=np.array([t[2] for t in onsite], dtype=float).reshape(-1, 3, 3),
            field=np.array(self.field),
            g=self.g,
            site_names=tuple(site.name for site in self.sites),
        )

    @property
    def reference(self) -> dict[str, float]:
        """The reference value of every coupling, meV."""
        return {name: coupling.reference for name, coupling in self.couplings.items()}

    def cell(self) -> NDArray[np.float64]:
        """(3, 3) lattice vectors in Å."""
        if any(isinstance(one, float) and one <= 0 for one in self.lattice[:3]):
            raise GnnmatError(
                f"The lattice {list(self.lattice)} has a length that is not positive.",
                fix="Give a, b and c in Å.",
            )
        return cell_vectors(self.lattice)

    def _number(self, coupling: str) -> int:
        names = list(self.couplings)
        if coupling not in names:
            raise GnnmatError(
                f"No coupling called '{coupling}'.", fix=did_you_mean(coupling, names)
            )
        return names.index(coupling)

    def _sites(self, patterns: tuple[str, ...], rule: str) -> list[int]:
        found = [
            place
            for place, site in enumerate(self.sites)
            if any(fnmatchcase(site.name, pattern) for pattern in patterns)
        ]
        if not found:
            raise GnnmatError(
                f"Coupling '{rule}': no site is called {' or '.join(patterns)}.",
                why=f"Sites: {', '.join(sorted({site.name for site in self.sites}))}.",
            )
        return found

    def _bonds(self, rule: Bonds, symmetric: bool) -> list[tuple[int, int, tuple[int, int, int]]]:
        """(i, j, cell of j), each bond once."""
        if bool(rule.vectors) == (rule.distance is not None):
            raise GnnmatError(f"Bonds of '{rule.coupling}' need either vectors or a distance.")
        if rule.distance is not None and not symmetric:
            raise GnnmatError(
                f"Bonds of '{rule.coupling}': a Dzyaloshinskii-Moriya vector needs vectors.",
                why="A distance does not say which end of a bond comes first.",
            )
        starts = self._sites(rule.start, rule.coupling)
        ends = self._sites(rule.end, rule.coupling)
        found: dict[tuple[int, int, tuple[int, int, int]], None] = {}
        for i in starts:
            for j in ends:
                if not self._spins_fit(rule, i, j):
                    continue
                for offset in self._offsets(rule, i, j):
                    if i == j and not any(offset):
                        raise GnnmatError(f"A bond of '{rule.coupling}' joins a site to itself.")
                    back = (j, i, tuple(-n for n in offset))
                    # A bond between equals is met from both ends; a DM vector turns around.
                    if back not in found or (not symmetric and rule.vectors):
                        found[i, j, offset] = None
        self._check_joined(rule, starts, ends, bool(found))
        return list(found)

    def _check_joined(self, rule: Bonds, starts: list[int], ends: list[int], any_: bool) -> None:
        positions = np.array([site.position for site in self.sites])
        for vector in rule.vectors:
            check_vector(rule.coupling, vector, positions, MATCH)
        if not any_:
            pairs = [(i, j) for i in starts for j in ends if self._spins_fit(rule, i, j)]
            there = nearest_lengths(pairs, positions, self.cell())
            raise joins_nothing(
                rule.coupling, (rule.start, rule.end), rule.spin, rule.distance, there
            )

    def _spins_fit(self, rule: Bonds, i: int, j: int) -> bool:
        if rule.spin == "any":
            return True
        first = unit(self.sites[i].direction, "")
        along = float(first @ unit(self.sites[j].direction, ""))
        return along > 0.999 if rule.spin == "same" else along < -0.999

    def _offsets(self, rule: Bonds, i: int, j: int) -> list[tuple[int, int, int]]:
        start, end = np.array(self.sites[i].position), np.array(self.sites[j].position)
        if rule.distance is not None:
            reach = rule.distance + rule.tolerance
            heights = 1 / np.linalg.norm(np.linalg.inv(self.cell()), axis=0)
            n = np.ceil(reach / heights + np.abs(end - start)).astype(int)
            grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in n), indexing="ij"), -1)
            cells = grid.reshape(-1, 3)
            length = np.linalg.norm((end - start + cells) @ self.cell(), axis=1)
            cells = cells[np.abs(length - rule.distance) <= rule.tolerance]
        else:
            exact = start + np.array(rule.vectors) - end
            near = np.round(exact)
            cells = near[np.abs(exact - near).max(axis=1) < MATCH].astype(int)
        return [(int(a), int(b), int(c)) for a, b, c in cells]
