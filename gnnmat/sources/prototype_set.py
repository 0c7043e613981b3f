"""Crystals of textbook structure types in any number, for telling structure types apart."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.check import check_crystal
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.prototype_draws import CLASSES, HEAVIEST, Drawn, draw, species_of
from gnnmat.sources.prototypes import PROTOTYPES, Prototype
from gnnmat.sources.records import Records
from gnnmat.sources.symmetry_labels import labels, operations

DECIMALS = 6  # fractional coordinates that agree so far are those of one atom
CENTRED = {
    "P": np.eye(3),
    "I": np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]) / 2,
    "F": np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) / 2,
}
"""Primitive vectors, as rows, in units of the conventional ones."""


class PrototypesSource(BaseModel):
    """Crystals of 13 structure types, drawn at random with plausible elements and lengths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["prototypes"] = "prototypes"
    samples: int = Field(default=100, gt=0, le=100_000, description="crystals of each class")
    seed: int = Field(default=0, ge=0, description="decides every draw")
    classes: tuple[str, ...] = Field(
        default=(), description=f"structure types to draw; empty: all of {', '.join(CLASSES)}"
    )
    lightest: int = Field(default=3, ge=1, le=HEAVIEST, description="lowest atomic number")
    heaviest: int = Field(default=83, ge=1, le=HEAVIEST, description="highest atomic number")
    contrast: float = Field(
        default=0.15,
        ge=0,
        lt=1,
        description="least difference of the atomic numbers of two species of a crystal, as a "
        "share of the higher: X-rays cannot tell rock salt of equal species from simple cubic",
    )
    scatter: float = Field(
        default=0.08,
        ge=0,
        le=0.3,
        description="half-width of bond lengths around the sum of covalent radii, relative",
    )
    bain_margin: float = Field(
        default=0.08,
        ge=0.01,
        le=0.2,
        description="least distance of c/a of bct crystals from 1, where they are bcc, and from "
        "the square root of 2, where they are fcc",
    )

    @field_validator("classes", mode="after")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CLASSES:
                raise ValueError(f"there is no class '{name}'. {did_you_mean(name, CLASSES)}")
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is named {names.count(name)} times, expected once")
        return names

    def open(self) -> Records:
        """The crystals, class by class, with their prototype, symmetry, elements, a, c and u.

        A crystal depends on seed, class and its number in the class alone: more samples, or fewer
        classes, leave the others as they are.

        Raises:
            GnnmatError: no element of the range fits a class.
        """
        if self.lightest > self.heaviest:
            raise GnnmatError(
                f"lightest ({self.lightest}) is above heaviest ({self.heaviest}).",
                fix="Exchange the two atomic numbers.",
            )
        drawn: list[Drawn] = []
        for name in self.classes or CLASSES:
            species = species_of(name, self.lightest, self.heaviest, self.contrast)
            for number in range(self.samples):
                random = np.random.default_rng([self.seed, CLASSES.index(name), number]).random
                drawn.append(
                    draw(name, species, random, scatter=self.scatter, margin=self.bain_margin)
                )
        kinds = {one.prototype: PROTOTYPES[one.prototype] for one in drawn}
        ids = [
            f"{one.prototype}-{_formula(one)}-{place % self.samples + 1}"
            for place, one in enumerate(drawn)
        ]
        return Records(
            ids=ids,
            raws=drawn,
            read=build_drawn,
            fingerprint=hashlib.sha256(repr((drawn, kinds)).encode()).hexdigest(),
            table=_table(drawn),
            units={"a": "Å", "c": "Å"},
        )


def build_drawn(drawn: Drawn) -> Crystal:
    """The primitive cell of a crystal that was drawn; species in the order of its numbers."""
    kind = PROTOTYPES[drawn.prototype]
    lattice, species, frac = primitive_cell(kind, drawn.a, drawn.c, drawn.u)
    return check_crystal(as_crystal(lattice, np.array(drawn.numbers)[species], frac))


def primitive_cell(
    kind: Prototype, a: float, c: float | None, u: float | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """The primitive cell of a prototype, from the operations of its space group.

    As `gnnmat.sources.prototypes.build_prototype`, some hundred times as fast; the vectors of the
    cell may be others.

    Args:
        kind: the prototype.
        a: lattice parameter, Å.
        c: second lattice parameter, Å.
        u: internal parameter.

    Returns:
        lattice (3, 3) in Å, place of each atom's species in the formula (atoms,), frac (atoms, 3).
    """
    rotations, translations = operations(kind.number)
    vectors = CENTRED[kind.space_group[0]]
    species: list[int] = []
    places: list[NDArray[np.float64]] = []
    for number, site in enumerate(kind.sites):
        start = np.array([u if one == "u" else one for one in site], dtype=np.float64)
        images = (rotations @ start + translations) @ np.linalg.inv(vectors)
        wrapped = np.round(images, DECIMALS) % 1
        _, first = np.unique(wrapped, axis=0, return_index=True)
        kept = np.sort(first)
        species += [number] * len(kept)
        places.append(images[kept] % 1)
    return vectors @ _conventional(kind, a, c), np.array(species), np.concatenate(places)


def _conventional(kind: Prototype, a: float, c: float | None) -> NDArray[np.float64]:
    """(3, 3) conventional lattice vectors as rows, Å."""
    height = a if c is None else c
    if kind.family == "hexagonal":
        return np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, height]])
    return np.diag([a, a, height])


def _formula(drawn: Drawn) -> str:
    from ase.data import chemical_symbols

    counts = PROTOTYPES[drawn.prototype].counts
    return "".join(
        chemical_symbols[number] + (str(count) if count > 1 else "")
        for number, count in zip(drawn.numbers, counts, strict=True)
    )


def _table(drawn: list[Drawn]) -> pd.DataFrame:
    from ase.data import chemical_symbols

    numbers = np.array([PROTOTYPES[one.prototype].number for one in drawn])
    elements = ["-".join(sorted(chemical_symbols[z] for z in one.numbers)) for one in drawn]
    columns = {
        "prototype": [one.prototype for one in drawn],
        **labels(numbers),
        "elements": elements,
        "a": [one.a for one in drawn],
        "c": [np.nan if one.c is None else one.c for one in drawn],
        "u": [np.nan if one.u is None else one.u for one in drawn],
    }
    return pd.DataFrame(columns)
