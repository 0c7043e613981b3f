"""Reference entries of a convex hull: what they say of the lowest energy at a composition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.workflows.screening.element_tables import amounts

# Diagrams held at a time. Candidates come shard by shard, and a system is rarely far from itself.
DIAGRAMS = 2000
# Subsets of the elements of a candidate double with each one, and so does the work of the hull.
MOST_ELEMENTS = 9


class NoReference(LookupError):
    """A composition whose hull cannot be told, and why, in a plain phrase."""


@dataclass(frozen=True)
class References:
    """Lowest known energy by formula, sorted by chemical system.

    Args:
        energies: eV/atom by reduced formula, in the order of elements in which it was given.
        formation: they are formation energies, so that elements are at zero at most.
    """

    energies: Mapping[str, float]
    formation: bool
    systems: dict[frozenset[str], list[tuple[str, float]]] = field(default_factory=dict)
    elements: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for formula, energy in self.energies.items():
            system = frozenset(amounts(formula))
            self.systems.setdefault(system, []).append((formula, energy))
            self.elements.update(system)

    def within(self, system: frozenset[str]) -> Iterator[tuple[str, float]]:
        """Formulas and energies of the references made of no other elements."""
        for size in range(1, len(system) + 1):
            for part in combinations(sorted(system), size):
                yield from self.systems.get(frozenset(part), ())

    def require(self, system: frozenset[str]) -> None:
        """See that a hull can be built.

        Raises:
            NoReference: it cannot.
        """
        if len(system) > MOST_ELEMENTS:
            raise NoReference(f"more elements than {MOST_ELEMENTS}, too many for a hull")
        if not system <= self.elements:
            raise NoReference("an element of it is in no reference")
        if not self.formation and any(frozenset([one]) not in self.systems for one in system):
            raise NoReference("an element of it has no reference energy")


class Hull:
    """The convex hull of reference entries, one phase diagram a chemical system.

    Source: `pymatgen.analysis.phase_diagram`; Ong et al., Chem. Mater. 20, 1798 (2008).
    """

    def __init__(self, references: References) -> None:
        self.references = references
        self._diagram = lru_cache(DIAGRAMS)(self._build)

    def __call__(self, formula: str) -> tuple[float, int]:
        """Energy of the hull at a composition in eV/atom, and how many compounds made it.

        Raises:
            NoReference: there are too few references, or too many elements.
        """
        from pymatgen.core import Composition

        found = amounts(formula)
        system = frozenset(found)
        self.references.require(system)
        diagram, compounds = self._diagram(system)
        energy = diagram.get_hull_energy_per_atom(Composition(dict(found)))
        return float(energy), compounds

    def _build(self, system: frozenset[str]) -> tuple[Any, int]:
        from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
        from pymatgen.core import Composition

        entries, compounds = [], 0
        for formula, energy in self.references.within(system):
            composition = Composition(dict(amounts(formula)))
            entries.append(PDEntry(composition, energy * composition.num_atoms))
            compounds += len(composition) > 1
        if self.references.formation:
            entries += [PDEntry(Composition(one), 0.0) for one in sorted(system)]
        return PhaseDiagram(entries), compounds


def read_references(path: Path, formula: str, energy: str, *, formation: bool) -> References:
    """The references of a table, the lowest energy of each formula.

    Args:
        path: CSV or parquet, a row an entry.
        formula: name of the column of formulas; brackets and any multiple are understood.
        energy: name of the column of energies in eV/atom; rows without one are left out.
        formation: whether these are formation energies.

    Raises:
        GnnmatError: no such file or column, or no row that can be used.
    """
    table = _table(path, (formula, energy))
    values = pd.to_numeric(table[energy], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    lowest: dict[str, float] = {}
    for text, value in zip(table[formula].astype(str), values, strict=True):
        name = reduced(text) if np.isfinite(value) else ""
        if name and value < lowest.get(name, np.inf):
            lowest[name] = float(value)
    if not lowest:
        raise GnnmatError(
            f"hull.entries: {path} has no row with a formula and an energy.",
            why=f"{len(table)} rows; columns '{formula}' and '{energy}' in eV/atom were looked at.",
        )
    return References(lowest, formation)


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            there: list[str] = list(pq.read_schema(path).names)
        else:
            there = list(pd.read_csv(path, nrows=0).columns)
        missing = next((one for one in columns if one not in there), None)
        if missing is None:
            read = pd.read_parquet if path.suffix == ".parquet" else _read_csv
            found: pd.DataFrame = read(path, columns=list(columns))
            return found
    except (OSError, ValueError) as error:
        raise GnnmatError(
            f"hull.entries: {path} cannot be read.",
            why=str(error).splitlines()[0],
            fix="a CSV or parquet table with a formula and an energy in eV/atom in each row",
        ) from error
    raise GnnmatError(
        f"hull.entries: {path} has no column '{missing}'.",
        why=f"It has {', '.join(there)}.",
        fix=f"hull.entries_formula, hull.entries_energy. {did_you_mean(missing, there)}",
    )


def _read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    # "NaN" is no formula, but "NA" and "N" could be; only empty cells are missing.
    return pd.read_csv(path, usecols=columns, keep_default_na=False)


def reduced(text: str) -> str:
    """The formula without brackets or common factors; nothing where it is none."""
    try:
        found = dict(amounts(text))
    except ValueError:
        from pymatgen.core import Composition

        try:
            counts = Composition(text).as_dict()
        except (ValueError, TypeError, KeyError):
            return ""
        if not counts or any(value % 1 or value <= 0 for value in counts.values()):
            return ""
        found = {symbol: int(value) for symbol, value in counts.items()}
    common = gcd(*found.values())
    if not common:
        return ""
    return "".join(f"{one}{found[one] // common}" for one in sorted(found))
