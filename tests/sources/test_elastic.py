"""Moduli of elastic tensors against pymatgen, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.elasticity.elastic import ElasticTensor

from gnnmat.errors import GnnmatError
from gnnmat.sources.elastic import UNITS, elastic_invariants
from gnnmat.sources.table import TableSource

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


def test_a_table_gets_the_invariants_and_refuses_unstable_crystals(tmp_path: Path) -> None:
    unstable = SILICON.copy()
    unstable[0, 0] = -1.0
    tensors = [SILICON.ravel().tolist(), unstable.ravel().tolist(), None]
    table = pd.DataFrame(
        {
            "id": ["si", "bad", "unknown"],
            "lattice": [(np.eye(3) * 4).ravel().tolist()] * 3,
            "numbers": [[14]] * 3,
            "frac": [[0.0, 0.0, 0.0]] * 3,
            "C": tensors,
            "K_voigt": [1.0, 2.0, 3.0],
        }
    )
    path = tmp_path / "elastic.parquet"
    table.to_parquet(path)
    records = TableSource(path=str(path), elastic="C").open()
    assert list(records.ids) == ["si", "unknown"]
    assert records.refused[0].id == "bad"
    assert "not positive definite" in records.refused[0].reason
    assert records.table["K_voigt"].iloc[0] == pytest.approx(97.84, abs=0.01)
    assert records.table["G_vrh"].isna().tolist() == [False, True]
    assert records.units["K_vrh"] == "GPa"
    assert set(UNITS) <= set(records.table.columns)


def test_the_shared_tensors_agree_with_their_published_moduli(shared_data: Path) -> None:
    path = shared_data / "elastic_tensors.parquet"
    records = TableSource(path=str(path), elastic="C_ij_flat").open()
    published = pd.read_parquet(path).set_index("id")["K_voigt"].loc[list(records.ids)]
    ratio = records.table["K_voigt"].to_numpy() / published.to_numpy()
    assert np.median(np.abs(ratio - 1)) < 0.01
    unstable = [one for one in records.refused if "not positive definite" in one.reason]
    assert 40 < len(unstable) < 120
