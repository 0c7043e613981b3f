"""The registry of derived properties: names, shapes, units and faults."""

from __future__ import annotations

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.properties.derived import DERIVED, INPUTS, Derived
from gnnmat.properties.hardness import toughness_mazhnik

DIAMOND = {"K_vrh": 442.0, "G_vrh": 535.0, "volume": 5.67, "mass": 12.011}
NAMED = {
    "hardness", "toughness", "hardness_chen", "hardness_tian", "hardness_teter", "young",
    "poisson", "pugh", "debye_temperature", "grueneisen", "melting_lindemann", "expansion",
}  # fmt: skip


def of(one: Derived, **given: object) -> dict[str, object]:
    return {name: given[name] for name in one.needs}


def test_every_property_is_named_and_told_of() -> None:
    assert set(DERIVED) >= NAMED
    for name, one in DERIVED.items():
        assert one.name == name
        assert set(one.needs) <= set(INPUTS)
        assert one.about
        assert one.source


@pytest.mark.parametrize("one", DERIVED.values(), ids=str)
def test_members_and_rows_are_worked_out_one_by_one(one: Derived) -> None:
    rng = np.random.default_rng(0)
    members = {
        "K_vrh": rng.uniform(50, 400, (3, 4)),
        "G_vrh": rng.uniform(30, 300, (3, 4)),
        "volume": rng.uniform(6, 20, 4),
        "mass": rng.uniform(10, 60, 4),
    }
    found = one.function(**of(one, **members))
    assert found.dtype == np.float64
    assert found.shape == (3, 4)
    assert np.isfinite(found).all()
    for member in range(3):
        for row in range(4):
            single = {
                name: values[member, row] if values.ndim == 2 else values[row]
                for name, values in members.items()
            }
            assert float(one.function(**of(one, **single))) == pytest.approx(found[member, row])


@pytest.mark.parametrize("one", DERIVED.values(), ids=str)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"K_vrh": -5.0}, "the bulk modulus is not positive"),
        ({"G_vrh": 0.0}, "the shear modulus is not positive"),
        ({"K_vrh": np.nan}, "a modulus is no number"),
        ({"volume": -1.0}, "the volume of an atom is not positive"),
        ({"mass": np.inf}, "the mass of an atom is not positive"),
    ],
)
def test_unphysical_input_has_a_reason_and_no_value(
    one: Derived, change: dict[str, float], words: str
) -> None:
    if not set(change) <= set(one.needs):
        return
    given = of(one, **{**DIAMOND, **change})
    assert str(one.faults(**given)) == words
    assert np.isnan(one.function(**given))
    assert str(one.faults(**of(one, **DIAMOND))) == ""
    assert np.isfinite(one.function(**of(one, **DIAMOND)))


def test_needs_are_given_by_name_in_any_order() -> None:
    mixed = dict(reversed(of(DERIVED["toughness"], **DIAMOND).items()))
    known = toughness_mazhnik(442.0, 535.0, 5.67)
    assert float(DERIVED["toughness"].function(**mixed)) == float(known)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(GnnmatError, match="toughness cannot be derived without volume"):
        DERIVED["toughness"].faults(K_vrh=100.0, G_vrh=80.0)
