"""Tables of elements: prices of raw materials, lists of hazards, which have stable isotopes."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from ase.data import atomic_masses

from gnnmat.errors import did_you_mean
from gnnmat.sources.prototype_label import SYMBOLS

Result = TypeVar("Result")

MASS = {symbol: float(atomic_masses[place]) for place, symbol in enumerate(SYMBOLS, start=1)}
NOBLE_GASES = frozenset("He Ne Ar Kr Xe Rn Og".split())
# No stable isotope. Bismuth-209 decays in 2e19 years and counts as stable.
# Source: IUPAC, Standard atomic weights 2021 (Prohaska et al., Pure Appl. Chem. 94, 573 (2022)).
RADIOACTIVE = frozenset(("Tc", "Pm", *SYMBOLS[83:]))
# Kilograms in the unit of a quotation. Source: pound and troy ounce, NIST SP 811 (2008), B.8.
KILOGRAMS = {
    "USD/kg": 1.0,
    "USD/t": 1000.0,
    "USD/10kg": 10.0,  # the metric ton unit of ores
    "USD/lb": 0.45359237,
    "cent/lb": 45.359237,
    "USD/oz": 0.0311034768,
}
_PART = re.compile(r"([A-Z][a-z]?)(\d*)")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")


@lru_cache(maxsize=200_000)
def amounts(formula: str) -> Mapping[str, int]:
    """Atoms of each element in a formula without brackets, ``CaTiO3``.

    Raises:
        ValueError: it is no such formula.
    """
    if not _FORMULA.fullmatch(formula):
        raise ValueError(f"'{formula}' is no formula such as CaTiO3")
    found: dict[str, int] = {}
    for symbol, amount in _PART.findall(formula):
        if symbol not in MASS:
            raise ValueError(f"'{symbol}' in '{formula}' is no element")
        found[symbol] = found.get(symbol, 0) + int(amount or 1)
    return found


def mass_fractions(formula: str) -> dict[str, float]:
    """Share of each element in the mass of a compound."""
    masses = {symbol: count * MASS[symbol] for symbol, count in amounts(formula).items()}
    total = sum(masses.values())
    return {symbol: mass / total for symbol, mass in masses.items()}


def chemical_system(formula: str) -> str:
    """The elements of a formula, sorted: ``Ca-O-Ti``."""
    return "-".join(sorted(amounts(formula)))


def known_elements(given: tuple[str, ...]) -> tuple[str, ...]:
    """The same symbols.

    Raises:
        ValueError: one of them is no element.
    """
    for symbol in given:
        if symbol not in MASS:
            raise ValueError(f"'{symbol}' is no element. {did_you_mean(symbol, SYMBOLS)}")
    return given


def by_formula(
    table: pd.DataFrame, work: Callable[[str], Result], failed: Callable[[str], Result]
) -> list[Result]:
    """What a function says of the formula of each candidate; it is asked once a formula.

    Args:
        table: candidates with a column ``formula``.
        work: from a formula.
        failed: from a plain phrase, where the formula is none or ``work`` raises.
    """
    codes, formulas = pd.factorize(table["formula"].to_numpy(dtype=object), use_na_sentinel=False)
    found: list[Result] = []
    for formula in formulas:
        # Reasons are counted, so they must not hold the formula itself.
        try:
            amounts(formula)
        except (ValueError, TypeError):
            found.append(failed("its formula cannot be read"))
            continue
        try:
            found.append(work(formula))
        except Exception as error:
            found.append(failed(f"looking at its formula raised {type(error).__name__}"))
    return [found[code] for code in codes]


@cache
def prices() -> dict[str, float]:
    """Price of elements in USD/kg, from ``element_prices.csv``, whose head names the sources."""
    return {row["element"]: _price(row) for row in _rows("element_prices.csv")}


@cache
def hazards() -> dict[str, frozenset[str]]:
    """Elements on each list: ``air``, ``water``, ``rohs`` and ``radioactive``."""
    lists: dict[str, set[str]] = {}
    for row in _rows("element_hazards.csv"):
        lists.setdefault(row["list"], set()).add(row["element"])
    return {**{name: frozenset(found) for name, found in lists.items()}, "radioactive": RADIOACTIVE}


def content(element: str, counted_as: str) -> float:
    """Mass fraction of an element in a raw material: given, or that of a formula."""
    try:
        return float(counted_as)
    except ValueError:
        return mass_fractions(counted_as)[element]


def _price(row: Mapping[str, str]) -> float:
    quoted = float(row["quoted"]) / KILOGRAMS[row["unit"]]
    return quoted / content(row["element"], row["counted_as"])


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    yield from csv.DictReader(line for line in text if not line.startswith("#"))


def mass_weighted(formula: str, values: Mapping[str, float]) -> float:
    """Mean of a quantity of the elements, by their mass in a compound; NaN where one is missing."""
    return sum(share * values.get(one, np.nan) for one, share in mass_fractions(formula).items())
