"""Filter by composition: each condition by hand, balance of charges by textbook compounds."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.stages.composition import Composition

from .formulas import candidates


def reasons(table: pd.DataFrame, **options: Any) -> list[str]:
    return list(Composition(**options).open(Path())(table).reasons)


@pytest.mark.parametrize(
    ("options", "formula", "reason"),
    [
        ({"needed": ["Ti", "O"]}, "CaTiO3", ""),
        ({"needed": ["Ti", "O"]}, "TiN", "a needed element is not there"),
        ({"forbidden": "Pb"}, "PbTiO3", "it has a forbidden element"),
        ({"only": ["Ca", "Ti", "O", "N"]}, "CaTiO3", ""),
        ({"only": ["Ca", "O"]}, "CaTiO3", "it has an element that is not among those allowed"),
        ({"min_elements": 2}, "Si", "fewer elements than 2"),
        ({"max_elements": 2}, "CaTiO3", "more elements than 2"),
        ({"min_atoms": 5}, "NaCl", "fewer atoms than 5"),
        ({"max_atoms": 3}, "NaCl", "more atoms than 3"),
        ({"noble_gases": "drop"}, "XeF2", "it has a noble gas"),
        ({"noble_gases": "keep"}, "XeF2", ""),
        ({"radioactive": "drop"}, "UO2", "it has a radioactive element"),
        ({"radioactive": "drop"}, "TcO2", "it has a radioactive element"),
        ({"radioactive": "drop"}, "Bi2O3", ""),  # Z = 83 counts as stable
        ({"radioactive": "drop"}, "PoO2", "it has a radioactive element"),
        # C is not Ca, and S is not Si.
        ({"forbidden": ["C", "S"]}, "CaSiO3", ""),
    ],
)
def test_each_condition_by_hand(options: dict[str, Any], formula: str, reason: str) -> None:
    assert reasons(candidates(formula), **options) == [reason]


def test_one_bad_formula_gets_a_reason_and_the_rest_go_on() -> None:
    table = candidates("NaCl", "Xx2O", None, "(oops)", "PbO")
    read = "failed: its formula cannot be read"
    wanted = ["", read, read, read, "it has a forbidden element"]
    assert reasons(table, forbidden=["Pb"]) == wanted


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"needed": ["Xx"]}, "'Xx' is no element"),
        ({"needed": ["O"], "forbidden": ["O"]}, "needed and forbidden at once"),
        ({"needed": ["O"], "only": ["Ti"]}, "not among 'only'"),
        ({"min_elements": 3, "max_elements": 2}, "max_elements is below min_elements"),
        ({"min_atoms": 3, "max_atoms": 2}, "max_atoms is below min_atoms"),
    ],
)
def test_what_cannot_be_met_is_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        Composition(**options)


def test_balance_of_textbook_compounds() -> None:
    pytest.importorskip("smact")
    table = candidates("NaCl", "CaTiO3", "Al2O3", "NaCl2", "CuZn", "Si", "Na3Cl", "NaArCl")
    unbalanced = "charges cannot balance"
    unknown = "an element has no oxidation state in the table"
    wanted = ["", "", "", unbalanced, "", "", unbalanced, unknown]
    assert reasons(table, balance="charge") == wanted
    assert reasons(table, balance="electronegativity") == wanted
    # Without the rule for metals brass has no charges that balance.
    alloys = reasons(table, balance="charge", include_alloys=False)
    assert alloys == [*wanted[:4], unbalanced, *wanted[5:]]


def test_an_anion_has_to_be_the_more_electronegative() -> None:
    pytest.importorskip("smact")
    # Electronegativities of Pauling: H 2.20, Si 1.90, Pt 2.28. Pt(+2) and two H(-1) balance, but
    # hydrogen is the less electronegative; in SiH4 it is the more.
    table = candidates("PtH2", "SiH4")
    ordered = "charges balance only against electronegativity"
    assert reasons(table, balance="charge") == ["", ""]
    assert reasons(table, balance="electronegativity") == [ordered, ""]


def test_the_verdicts_are_those_of_smact() -> None:
    screening = pytest.importorskip("smact.screening")
    formulas = ["MgO", "FeS2", "LiFePO4", "TiAl3", "BN", "K3N", "Sr2Cl", "CsAuO2", "YBa2Cu3O7"]
    for pauling, balance in ((False, "charge"), (True, "electronegativity")):
        found = [one == "" for one in reasons(candidates(*formulas), balance=balance)]
        wanted = [screening.smact_validity(one, use_pauling_test=pauling) for one in formulas]
        assert found == wanted


@pytest.mark.parametrize("name", ["icsd16", "smact14", "pymatgen_sp"])
def test_other_tables_of_oxidation_states(name: str) -> None:
    pytest.importorskip("smact")
    found = reasons(candidates("NaCl", "NaCl2"), balance="charge", oxidation_states=name)
    assert found == ["", "charges cannot balance"]


def test_a_formula_is_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screening = pytest.importorskip("smact.screening")
    asked: list[str] = []
    valid = screening.smact_validity

    def counted(formula: str, **options: Any) -> bool:
        asked.append(formula)
        return bool(valid(formula, **options))

    monkeypatch.setattr(screening, "smact_validity", counted)
    reasons(candidates(*["NaCl", "MgO"] * 5), balance="charge")
    assert sorted(asked) == ["MgO", "NaCl"]


def test_without_smact_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "smact":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(GnnmatError, match=r"gnnmat\[screen\]"):
        Composition(balance="charge").open(Path())
    Composition(balance="no").open(Path())
