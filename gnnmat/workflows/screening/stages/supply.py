"""What the elements of a candidate cost, and which public lists of hazards they are on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.workflows.screening.element_tables import (
    MASS,
    amounts,
    by_formula,
    hazards,
    mass_weighted,
    prices,
)
from gnnmat.workflows.screening.stage import KEPT, Judged, Opened, Stage

Hazard = Literal["rohs", "air", "water", "radioactive"]


class Supply(Stage):
    """Price of the raw materials, and elements that a list of hazards names.

    It adds ``price``, USD for the elements in a kilogram of the compound as they are traded (ore,
    oxide or metal), most of them means of 2024 from the U.S. Geological Survey. Nothing of
    making, purifying or growing is in it, and prices of rare metals change twofold in a year: use
    it to tell gold from iron. Oxygen and nitrogen are counted as free. Of an element without a
    price the compound has none.

    ``hazards`` names the lists of hazards that one of its elements is on: ``rohs`` (Pb, Hg, Cd),
    ``air`` (U.S. Clean Air Act, 112(b): Sb As Be Cd Cr Co Pb Mn Hg Ni Se), ``water`` (40 CFR
    401.15: Sb As Be Cd Cr Cu Pb Hg Ni Se Ag Tl Zn) and ``radioactive`` (no stable isotope). They
    name elements whose compounds are regulated somewhere, not solids that are dangerous.
    """

    kind: Literal["supply"] = "supply"
    max_price: float | None = Field(None, gt=0, description="Highest price, USD/kg; null: any.")
    unknown_price: Literal["keep", "drop"] = Field(
        "keep", description="Candidates with an element that has no price in the table."
    )
    toxic: tuple[Hazard, ...] = Field(
        (), description="Lists whose elements are dropped: rohs, air, water, radioactive."
    )
    prices: str | None = Field(
        None,
        description="Table of your own (CSV) with columns element and price in USD/kg; its "
        "prices replace those of gnnmat, element by element.",
    )

    @field_validator("toxic", mode="before")
    @classmethod
    def _several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @classmethod
    def example(cls) -> Supply:
        """A small instance for contract tests."""
        return cls(max_price=1000, toxic=("rohs",))

    def gives(self) -> Sequence[str]:
        return ("price", "hazards")

    def open(self, folder: Path) -> Opened:
        own = {} if self.prices is None else _own_prices(Path(self.prices))
        return _Supplied(self, {**prices(), **own})


class _Supplied:
    def __init__(self, stage: Supply, known: Mapping[str, float]) -> None:
        self.stage = stage
        self.known = known

    def __call__(self, table: pd.DataFrame) -> Judged:
        found = by_formula(table, self._look, lambda phrase: (np.nan, "", f"failed: {phrase}"))
        price = np.array([one[0] for one in found], dtype=float)
        reasons = [one[2] for one in found]
        notes = []
        if (
            self.stage.unknown_price == "keep"
            and (np.isnan(price) & (np.array(reasons) == "")).any()
        ):
            missing = " ".join(sorted(set(MASS) - set(self.known), key=list(MASS).index))
            notes = [f"No price is known of {missing}: candidates with them have none and stay."]
        return Judged.of(
            table,
            reasons=reasons,
            units={"price": "USD/kg"},
            notes=notes,
            price=price,
            hazards=[one[1] for one in found],
        )

    def _look(self, formula: str) -> tuple[float, str, str]:
        there = set(amounts(formula))
        price = mass_weighted(formula, self.known)
        on = [name for name, listed in sorted(hazards().items()) if there & listed]
        return price, " ".join(on), self._reason(price, on)

    def _reason(self, price: float, on: Sequence[str]) -> str:
        stage = self.stage
        for name in stage.toxic:
            if name in on:
                return f"it has an element of the list {name}"
        if np.isnan(price):
            return "no price is known" if stage.unknown_price == "drop" else KEPT
        if stage.max_price is not None and price > stage.max_price:
            return f"above {stage.max_price:g} USD/kg"
        return KEPT


def _own_prices(path: Path) -> dict[str, float]:
    """Prices by element of a user's table.

    Raises:
        GnnmatError: no such file, no such columns, no element, or no price.
    """
    try:
        table = pd.read_csv(path, comment="#")
    except (OSError, ValueError) as error:
        raise GnnmatError(f"supply.prices: {path} cannot be read.", why=str(error)) from error
    for column in ("element", "price"):
        if column not in table:
            raise GnnmatError(
                f"supply.prices: {path} has no column '{column}'.",
                why=f"It has {', '.join(map(str, table.columns))}.",
                fix="a head 'element,price', prices in USD/kg",
            )
    found: dict[str, float] = {}
    for element, price in zip(table["element"], table["price"], strict=True):
        symbol = str(element).strip()
        if symbol not in MASS:
            raise GnnmatError(
                f"supply.prices: '{symbol}' in {path} is no element.",
                fix=did_you_mean(symbol, MASS),
            )
        value = pd.to_numeric(price, errors="coerce")
        if not np.isfinite(value) or value < 0:
            raise GnnmatError(f"supply.prices: the price of {symbol} in {path} is '{price}'.")
        found[symbol] = float(value)
    return found
