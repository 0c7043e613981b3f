"""Moduli and stability of elastic tensors against pymatgen and Born's criteria."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.elasticity.elastic import ElasticTensor

from gnnmat.errors import GnnmatError
from gnnmat.properties.elastic import elastic_invariants, instability

# Silicon, GPa: C11, C12 and C44 of McSkimin & Andreatch, J. Appl. Phys. 35, 2161 (1964).
SILICON = np.diag([165.64] * 3 + [79.51] * 3)
SILICON[:3, :3] += 63.94 * (1 - np.eye(3))


def pymatgen_invariants(tensor: np.ndarray) -> dict[str, float]:
    other = ElasticTensor.from_voigt(tensor)
    return {
        "K_voigt": other.k_voigt,
        "G_voigt": other.g_voigt,
        "K_reuss": other.k_reuss,
        "G_reuss": other.g_reuss,
        "K_vrh": other.k_vrh,
        "G_vrh": other.g_vrh,
        "anisotropy": other.universal_anisotropy,
        "poisson": other.homogeneous_poisson,
    }


def test_silicon_has_the_known_bulk_modulus() -> None:
    found = elastic_invariants(SILICON.ravel().tolist())
    assert found["K_voigt"] == pytest.approx((165.64 + 2 * 63.94) / 3)
    assert found["K_voigt"] == pytest.approx(found["K_reuss"])  # cubic
    assert found["G_reuss"] < found["G_vrh"] < found["G_voigt"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_invariants_are_those_of_pymatgen(seed: int) -> None:
    root = np.random.default_rng(seed).normal(size=(6, 6))
    tensor = 100 * (root @ root.T + 0.5 * np.eye(6))
    assert elastic_invariants(tensor) == pytest.approx(pymatgen_invariants(tensor), rel=1e-6)


def test_an_unstable_tensor_is_refused_with_its_eigenvalue() -> None:
    tensor = SILICON.copy()
    tensor[3, 3] = -20.0
    with pytest.raises(GnnmatError, match=r"not positive definite: its lowest eigenvalue is -20"):
        elastic_invariants(tensor)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ([1.0] * 21, "has 21 numbers, expected 6 x 6"),
        ([float("nan")] * 36, "holds NaN or infinity"),
        (["a"] * 36, "something that is no number"),
        (SILICON + np.triu(np.full((6, 6), 30.0), 1), "not symmetric: two constants differ by 30"),
    ],
)
def test_what_is_no_elastic_tensor_is_refused(tensor: object, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        elastic_invariants(tensor)


def test_silicon_has_the_anisotropy_of_its_zener_ratio() -> None:
    # Cubic crystals have A_U = 6/5 (sqrt(A) - 1/sqrt(A))^2 with Zener's A = 2 C44 / (C11 - C12).
    # Source: Ranganathan & Ostoja-Starzewski, PRL 101, 055504 (2008).
    zener = 2 * 79.51 / (165.64 - 63.94)
    known = 6 / 5 * (np.sqrt(zener) - 1 / np.sqrt(zener)) ** 2
    assert elastic_invariants(SILICON)["anisotropy"] == pytest.approx(known)


def cubic(c11: float, c12: float, c44: float) -> np.ndarray:
    tensor = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    tensor[:3, :3] += c12
    return tensor


def born_cubic(c: np.ndarray) -> bool:
    return bool(c[0, 0] > c[0, 1] and c[0, 0] + 2 * c[0, 1] > 0 and c[3, 3] > 0)


def trigonal(c11: float, c12: float, c13: float, c33: float, c44: float, c14: float) -> np.ndarray:
    tensor = np.diag([c11, c11, c33, c44, c44, (c11 - c12) / 2]).astype(float)
    for i, j, value in ((0, 1, c12), (0, 2, c13), (1, 2, c13), (0, 3, c14), (1, 3, -c14)):
        tensor[i, j] = tensor[j, i] = value
    tensor[4, 5] = tensor[5, 4] = c14
    return tensor


def born_trigonal(c: np.ndarray) -> bool:
    return bool(
        c[0, 0] > abs(c[0, 1])
        and c[3, 3] > 0
        and 2 * c[0, 2] ** 2 < c[2, 2] * (c[0, 0] + c[0, 1])
        and 2 * c[0, 3] ** 2 < c[3, 3] * (c[0, 0] - c[0, 1])
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-60, 120), min_size=6, max_size=6))
def test_stability_is_that_of_the_criteria_of_born(c: list[int]) -> None:
    # Mouhat & Coudert, PRB 90, 224104 (2014), cubic and rhombohedral class I; with C14 = 0 the
    # latter are those of hexagonal crystals.
    for tensor, born in (
        (cubic(*c[:3]), born_cubic),
        (trigonal(*c), born_trigonal),
        (trigonal(*c[:5], 0), born_trigonal),
    ):
        lowest = np.linalg.eigvalsh(tensor).min()
        if abs(lowest) < 1e-3:
            continue  # on the border, where rounding decides
        assert (instability(tensor) == "") == born(tensor)


def test_instability_says_which_eigenvalue_is_lowest() -> None:
    assert instability(SILICON) == ""
    assert "lowest eigenvalue is -10 GPa" in instability(cubic(100, 110, 50))
    with pytest.raises(GnnmatError, match="NaN"):
        instability([np.nan] * 36)
