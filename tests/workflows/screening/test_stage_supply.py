"""Price and hazards: prices by hand from the quotations, refusals of own tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis import cost
from pymatgen.core import Composition, Element

from gnnmat.errors import GnnmatError
from gnnmat.sources.prototype_label import SYMBOLS
from gnnmat.workflows.screening import element_tables
from gnnmat.workflows.screening.element_tables import (
    KILOGRAMS,
    RADIOACTIVE,
    amounts,
    chemical_system,
    hazards,
    mass_fractions,
    prices,
)
from gnnmat.workflows.screening.stage import Judged
from gnnmat.workflows.screening.stages.supply import Supply

from .formulas import candidates


def judged(table: pd.DataFrame, **options: Any) -> Judged:
    return Supply(**options).open(Path())(table)


# Each by hand from MCS 2026: cents or dollars a pound, troy ounce or ton, by contained element.
@pytest.mark.parametrize(
    ("element", "price"),
    [
        ("Cu", 4.318 / 0.45359237),
        ("Au", 2388 / 31.1034768 * 1000),
        ("Ni", 16.812),
        ("Si", 1.7034 / 0.45359237),
        ("Li", 11.8 / (2 * 6.94 / 73.89)),
        ("W", 252 / 7.93),  # the chapter: a metric ton unit of WO3 has 7.93 kg of W
        ("Ta", 167 / 0.81897),  # the chapter: the oxide is 81.897% Ta
        ("Nb", 26 / 0.65),  # the chapter: ferroniobium is 65% Nb
        ("Mn", 0.553),
        ("Nd", 56 / (2 * 144.242 / 336.48)),
        ("V", 5.44 / 0.45359237 / 0.56),  # the chapter: 0.56 V in V2O5
        ("O", 0.0),
    ],
)
def test_prices_by_hand(element: str, price: float) -> None:
    assert prices()[element] == pytest.approx(price, rel=2e-3)


def test_prices_lie_near_those_of_another_time() -> None:
    """Of metals traded as such, within tenfold of what pymatgen has of 2013 in USD/kg."""
    path = Path(cost.__file__).with_name("costdb_elements.csv")
    rows = (line.split(",") for line in path.read_text(encoding="utf-8").splitlines())
    old = {row[0]: float(row[1]) for row in rows}
    for symbol in "Al Ni Cu Zn Ag In Sn Pb Bi Co Mo W Ga Ge Pt Pd Au Ir Re Te Mg Si Ti".split():
        assert 0.1 < prices()[symbol] / old[symbol] < 10, symbol


def test_every_row_of_the_tables_is_an_element_with_a_source() -> None:
    folder = Path(element_tables.__file__).parent
    for name, source in (("element_prices.csv", "source"), ("element_hazards.csv", "entry")):
        table = pd.read_csv(folder / name, comment="#", keep_default_na=False)
        assert table[source].str.strip().astype(bool).all()
        assert not table.duplicated(["element", table.columns[1]]).any()
    assert set(prices()) <= set(SYMBOLS)
    assert all(value >= 0 and np.isfinite(value) for value in prices().values())
    assert set(hazards()) == {"air", "water", "rohs", "radioactive"}
    assert all(found <= set(SYMBOLS) for found in hazards().values())


def test_radioactive_elements_are_those_of_pymatgen() -> None:
    assert {one.symbol for one in Element if one.is_radioactive} == RADIOACTIVE


def test_units_are_those_of_the_standards() -> None:
    assert KILOGRAMS["USD/oz"] * 32_150.7 == pytest.approx(1000, rel=1e-5)  # MCS 2026, silver
    assert KILOGRAMS["USD/lb"] * 2204.62 == pytest.approx(1000, rel=1e-5)


@pytest.mark.parametrize("formula", ["NaCl", "CaTiO3", "Ca3P2O8", "LiFePO4", "Si"])
def test_mass_fractions_are_those_of_pymatgen(formula: str) -> None:
    composition = Composition(formula)
    for symbol, share in mass_fractions(formula).items():
        assert share == pytest.approx(composition.get_wt_fraction(symbol), rel=1e-3)
    assert dict(amounts(formula)) == composition.as_dict()
    assert chemical_system(formula) == composition.chemical_system


def test_price_of_a_compound_is_weighted_by_mass() -> None:
    found = judged(candidates("CuAu", "Cu3Au"))
    cu, au = prices()["Cu"], prices()["Au"]
    one = (63.546 * cu + 196.967 * au) / (63.546 + 196.967)
    three = (3 * 63.546 * cu + 196.967 * au) / (3 * 63.546 + 196.967)
    assert list(found.columns["price"]) == pytest.approx([one, three], rel=1e-4)
    assert found.units["price"] == "USD/kg"


def test_dear_candidates_are_dropped() -> None:
    found = judged(candidates("NaCl", "PtO2", "CuZn"), max_price=100)
    assert list(found.reasons) == ["", "above 100 USD/kg", ""]


def test_a_candidate_without_a_price_stays_with_a_note() -> None:
    table = candidates("LuO", "NaCl")
    found = judged(table, max_price=100)
    assert list(found.reasons) == ["", ""]
    assert np.isnan(found.columns["price"].iloc[0])
    assert len(found.notes) == 1
    assert "Lu" in found.notes[0].split()
    assert list(judged(table, unknown_price="drop").reasons) == ["no price is known", ""]
    assert judged(candidates("NaCl")).notes == ()


def test_elements_of_a_list_are_dropped_and_named() -> None:
    table = candidates("PbTiO3", "NiO", "UO2", "CaO", "ZnO")
    found = judged(table, toxic=["rohs", "radioactive"])
    wanted = ["it has an element of the list rohs", "", "it has an element of the list radioactive"]
    assert list(found.reasons) == [*wanted, "", ""]
    assert list(found.columns["hazards"]) == [
        "air rohs water",
        "air water",
        "radioactive",
        "",
        "water",
    ]
    assert judged(table, toxic="water").reasons[4] == "it has an element of the list water"


def test_one_bad_formula_gets_a_reason_and_the_rest_go_on() -> None:
    found = judged(candidates("NaCl", "Xx", None))
    assert list(found.reasons) == ["", *["failed: its formula cannot be read"] * 2]


def test_own_prices_replace_those_of_the_table(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("element,price\nLu,10\nAu,1\n", encoding="utf-8")
    found = judged(candidates("Lu", "Au", "Cu"), prices=str(own))
    assert list(found.columns["price"]) == pytest.approx([10, 1, prices()["Cu"]])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("element,cost\nAu,1\n", "no column 'price'"),
        ("element,price\nXx,1\n", "'Xx' in .* is no element"),
        ("element,price\nAu,cheap\n", "the price of Au in .* is 'cheap'"),
        ("element,price\nAu,-1\n", "the price of Au"),
        ("", "cannot be read"),
    ],
)
def test_bad_tables_are_refused_when_the_stage_is_opened(
    tmp_path: Path, text: str, word: str
) -> None:
    own = tmp_path / "own.csv"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(GnnmatError, match=word):
        Supply(prices=str(own)).open(tmp_path)


def test_a_missing_table_is_refused_when_the_stage_is_opened(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="cannot be read"):
        Supply(prices=str(tmp_path / "none.csv")).open(tmp_path)
