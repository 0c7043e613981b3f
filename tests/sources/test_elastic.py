"""Tables with a column of elastic tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gnnmat.properties.elastic import UNITS
from gnnmat.sources.table import TableSource

# Silicon, GPa: C11, C12 and C44 of McSkimin & Andreatch, J. Appl. Phys. 35, 2161 (1964).
SILICON = np.diag([165.64] * 3 + [79.51] * 3)
SILICON[:3, :3] += 63.94 * (1 - np.eye(3))


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
