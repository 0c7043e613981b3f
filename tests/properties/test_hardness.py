"""Closed forms against values worked out in the literature, and against pymatgen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.analysis.elasticity import ElasticTensor

from gnnmat.properties.hardness import (
    hardness_chen,
    hardness_mazhnik,
    hardness_teter,
    hardness_tian,
    toughness_mazhnik,
)
from gnnmat.properties.moduli import HIGHEST, LOWEST, faults, poisson, pugh, young

# K, G in GPa and volume an atom in Å^3 of the crystal; hardness in GPa and toughness in MPa m^0.5
# as Mazhnik & Oganov (2019) state them for these moduli.
WORKED = {
    "diamond": (442, 535, 5.67, 101.7, 6.39),
    "c-BN": (400, 409, 5.93, 74.3, 5.25),
    "WC": (439, 302, 10.38, 35.0, 7.72),
    "MgO": (163, 131, 9.40, 18.6, 1.91),
}
MODULI = st.floats(1, 600)


@pytest.mark.parametrize("name", list(WORKED))
def test_hardness_and_toughness_are_those_of_the_paper(name: str) -> None:
    k, g, volume, hard, tough = WORKED[name]
    assert float(hardness_mazhnik(k, g)) == pytest.approx(hard, abs=0.06)
    assert float(toughness_mazhnik(k, g, volume)) == pytest.approx(tough, rel=2e-3)


def test_elastic_constants_are_those_of_pymatgen() -> None:
    k, g = 163.0, 131.0
    c = np.zeros((6, 6))
    c[:3, :3] = k - 2 * g / 3
    c[np.arange(3), np.arange(3)] += 2 * g
    c[np.arange(3, 6), np.arange(3, 6)] = g
    tensor = ElasticTensor.from_voigt(c)
    assert float(young(k, g)) == pytest.approx(tensor.y_mod / 1e9)
    assert float(poisson(k, g)) == pytest.approx(tensor.homogeneous_poisson)


def test_other_formulas_are_counted_by_hand() -> None:
    # G / K = 0.8: 0.64 * 100 = 64, 64^0.585 = 11.393; 0.8^1.137 = 0.77592, 100^0.708 = 26.062.
    assert float(hardness_chen(125, 100)) == pytest.approx(2 * 11.393 - 3, rel=1e-4)
    assert float(hardness_tian(125, 100)) == pytest.approx(0.92 * 0.77592 * 26.062, rel=1e-4)
    assert float(hardness_teter(125, 100)) == pytest.approx(15.1)


@given(MODULI, MODULI)
def test_stable_solids_have_a_ratio_in_bounds_and_a_modulus_between_its_limits(
    k: float, g: float
) -> None:
    nu, e = float(poisson(k, g)), float(young(k, g))
    assert LOWEST < nu < HIGHEST
    assert e == pytest.approx(2 * g * (1 + nu))
    assert e == pytest.approx(3 * k * (1 - 2 * nu))
    assert float(pugh(k, g)) == pytest.approx(g / k)
    assert faults(k, g) == ""


@pytest.mark.parametrize(
    ("k", "g", "words"),
    [
        (-5.0, 10.0, "bulk modulus is not positive"),
        (50.0, -1.0, "shear modulus is not positive"),
        (np.nan, 10.0, "no number"),
        (0.0, 10.0, "bulk modulus is not positive"),
    ],
)
def test_unphysical_moduli_are_named_and_never_become_numbers(
    k: float, g: float, words: str
) -> None:
    assert words in str(faults(k, g))
    for formula in (hardness_mazhnik, hardness_chen, hardness_tian, hardness_teter, young, poisson):
        assert np.isnan(formula(k, g))
    assert np.isnan(toughness_mazhnik(k, g, 10.0))
    assert np.isnan(toughness_mazhnik(100.0, 80.0, -1.0))


def test_arrays_are_taken_row_by_row() -> None:
    rows = np.array(list(WORKED.values()))
    found = hardness_mazhnik(rows[:, 0], rows[:, 1])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, rows[:, 3], rtol=2e-3)
    mixed = toughness_mazhnik([442, -1], [535, 100], [5.67, 10])
    assert np.isnan(mixed).tolist() == [False, True]
