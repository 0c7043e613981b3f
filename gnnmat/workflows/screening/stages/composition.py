"""Candidates by the elements they are made of, and by whether their charges can balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.element_tables import (
    NOBLE_GASES,
    RADIOACTIVE,
    amounts,
    by_formula,
    known_elements,
)
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage

Valid = Callable[..., bool]


class Composition(Stage):
    """Keep candidates by elements, numbers of elements and atoms, and balance of charges.

    Charges balance if each element can have one of its oxidation states so that the sum is zero;
    electronegativity is balanced if in such a case every anion is more electronegative than every
    cation. Both say whether a formula makes sense as an ionic compound, and nothing of whether it
    is stable: many alloys, clusters and suboxides that exist do not pass.

    Source: smact, Davies et al., J. Open Source Softw. 4, 1361 (2019), `smact_validity`; the test
    itself is that of Davies et al., Chem 1, 617 (2016).
    """

    kind: Literal["composition"] = "composition"
    needed: tuple[str, ...] = Field((), description="Elements that all have to be there: [Li, O].")
    forbidden: tuple[str, ...] = Field((), description="Elements of which none may be there.")
    only: tuple[str, ...] = Field((), description="No elements but these; empty: any.")
    min_elements: int = Field(1, ge=1, description="Fewest different elements.")
    max_elements: int | None = Field(None, ge=1, description="Most different elements; null: any.")
    min_atoms: int = Field(1, ge=1, description="Fewest atoms in the cell.")
    max_atoms: int | None = Field(None, ge=1, description="Most atoms in the cell; null: any.")
    noble_gases: Literal["keep", "drop"] = Field("keep", description="Compounds with He to Rn.")
    radioactive: Literal["keep", "drop"] = Field(
        "keep", description="Compounds with Tc, Pm, Po and all elements after it."
    )
    balance: Literal["no", "charge", "electronegativity"] = Field(
        "no",
        description="Drop what cannot be charge neutral, or also what has no order of charges that "
        "follows electronegativity; needs pip install 'gnnmat[screen]'.",
    )
    include_alloys: bool = Field(
        True, description="Compounds of metals alone pass the balance, whatever their charges."
    )
    oxidation_states: Literal["icsd24", "icsd16", "smact14", "pymatgen_sp"] = Field(
        "icsd24", description="Table of oxidation states in smact; icsd24 is its default."
    )

    @field_validator("needed", "forbidden", "only", mode="before")
    @classmethod
    def _several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("needed", "forbidden", "only")
    @classmethod
    def _elements(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return known_elements(given)

    @model_validator(mode="after")
    def _can_be_met(self) -> Composition:
        both = sorted({*self.needed} & {*self.forbidden})
        if both:
            raise ValueError(f"{', '.join(both)}: needed and forbidden at once")
        outside = sorted({*self.needed} - {*self.only}) if self.only else []
        if outside:
            raise ValueError(f"{', '.join(outside)}: needed, but not among 'only'")
        for what in ("elements", "atoms"):
            most = getattr(self, f"max_{what}")
            if most is not None and most < getattr(self, f"min_{what}"):
                raise ValueError(f"max_{what} is below min_{what}")
        return self

    @classmethod
    def example(cls) -> Composition:
        """A small instance for contract tests."""
        return cls(forbidden=("Pb",), max_elements=3, max_atoms=20)

    def open(self, folder: Path) -> Opened:
        return _Composed(self, None if self.balance == "no" else _smact())


class _Composed:
    def __init__(self, stage: Composition, valid: Valid | None) -> None:
        self.stage = stage
        self.valid = valid

    def __call__(self, table: pd.DataFrame) -> Judged:
        stage = self.stage
        reasons = np.full(len(table), KEPT, dtype=object)
        atoms = table["atoms"].to_numpy()
        reasons[atoms < stage.min_atoms] = f"fewer atoms than {stage.min_atoms}"
        if stage.max_atoms is not None:
            reasons[atoms > stage.max_atoms] = f"more atoms than {stage.max_atoms}"
        left = np.flatnonzero(reasons == KEPT)
        reasons[left] = by_formula(table.iloc[left], self._reason, "failed: {}".format)
        return Judged.of(table, reasons=reasons)

    def _reason(self, formula: str) -> str:
        found = amounts(formula)
        return self._elements(found) or (self._balance(formula, found) if self.valid else KEPT)

    def _elements(self, found: Mapping[str, int]) -> str:
        stage, there = self.stage, set(found)
        if len(there) < stage.min_elements:
            return f"fewer elements than {stage.min_elements}"
        if stage.max_elements is not None and len(there) > stage.max_elements:
            return f"more elements than {stage.max_elements}"
        if not there.issuperset(stage.needed):
            return "a needed element is not there"
        if there.intersection(stage.forbidden):
            return "it has a forbidden element"
        if stage.only and not there.issubset(stage.only):
            return "it has an element that is not among those allowed"
        if stage.noble_gases == "drop" and there & NOBLE_GASES:
            return "it has a noble gas"
        if stage.radioactive == "drop" and there & RADIOACTIVE:
            return "it has a radioactive element"
        return KEPT

    def _balance(self, formula: str, found: Mapping[str, int]) -> str:
        assert self.valid is not None
        ordered = self.stage.balance == "electronegativity"
        if self._valid(formula, ordered):
            return KEPT
        if not all(_has_states(one, self.stage.oxidation_states) for one in found):
            return "an element has no oxidation state in the table"
        if ordered and self._valid(formula, False):
            return "charges balance only against electronegativity"
        return "charges cannot balance"

    def _valid(self, formula: str, ordered: bool) -> bool:
        assert self.valid is not None
        name = self.stage.oxidation_states
        return self.valid(
            formula,
            use_pauling_test=ordered,
            include_alloys=self.stage.include_alloys,
            # smact reads its default table only if none is named.
            oxidation_states_set=None if name == "icsd24" else name,
        )


def _smact() -> Valid:
    try:
        from smact.screening import smact_validity
    except ImportError as error:
        raise GnnmatError(
            "Balance of charges needs the package smact, which is not installed.",
            fix="pip install 'gnnmat[screen]', or composition.balance=no",
        ) from error
    found: Valid = smact_validity
    return found


@cache
def _has_states(symbol: str, table: str) -> bool:
    """Whether smact's table has an oxidation state for an element."""
    if table == "icsd24":
        from smact.utils.oxidation import ICSD24OxStatesFilter

        rows = ICSD24OxStatesFilter().filter(consensus=3, include_zero=False, commonality="low")
        return symbol in set(rows["element"])
    import smact

    attribute = {"pymatgen_sp": "oxidation_states_sp"}.get(table, f"oxidation_states_{table}")
    return bool(getattr(smact.Element(symbol), attribute, None))
