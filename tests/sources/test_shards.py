"""Tables in shards: a folder or a pattern of parquet files opens as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.table import TableSource


def shard(folder: Path, name: str, ids: list[str], **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "id": ids,
            "lattice": [[4.0, 0, 0, 0, 4, 0, 0, 0, 4]] * len(ids),
            "numbers": [[55, 17]] * len(ids),
            "frac": [[0.0, 0, 0, 0.5, 0.5, 0.5]] * len(ids),
            **columns,
        }
    )
    frame.to_parquet(folder / name)
    return frame


@pytest.mark.parametrize("pattern", ["", "*.parquet"])
def test_a_folder_of_shards_is_one_table(tmp_path: Path, pattern: str) -> None:
    first = shard(tmp_path, "part-0.parquet", ["a", "b"], gap=[1.0, 2.0])
    second = shard(tmp_path, "part-1.parquet", ["c"], gap=[3], note=["x"])
    (tmp_path / "_about.parquet").write_bytes(b"not a shard")
    (tmp_path / ".part-2.parquet").write_bytes(b"half written")
    (tmp_path / "README.md").write_text("shards")
    given = str(tmp_path / pattern) if not pattern else str(tmp_path / "part-*.parquet")
    records = TableSource(path=given).open()
    whole = tmp_path / "whole"
    whole.mkdir()
    pd.concat([first, second]).to_parquet(whole / "table.parquet")
    one = TableSource(path=str(whole / "table.parquet")).open()
    assert records.ids == one.ids == ["a", "b", "c"]
    assert records.fingerprint == one.fingerprint
    assert records.table["gap"].tolist() == [1.0, 2.0, 3.0]
    assert records.table["note"].isna().tolist() == [True, True, False]
    assert records.origins == [
        "part-0.parquet, row 1",
        "part-0.parquet, row 2",
        "part-1.parquet, row 1",
    ]


def test_rows_without_ids_are_numbered_through(tmp_path: Path) -> None:
    for number in range(2):
        shard(tmp_path, f"{number}.parquet", ["x", "y"]).drop(columns="id").to_parquet(
            tmp_path / f"{number}.parquet"
        )
    assert TableSource(path=str(tmp_path)).open().ids == ["1", "2", "3", "4"]


def test_lists_of_whole_numbers_and_others_fit_together(tmp_path: Path) -> None:
    shard(
        tmp_path,
        "0.parquet",
        ["a"],
        frac=[[0, 0, 0, 1, 1, 1]],
        lattice=[[4, 0, 0, 0, 4, 0, 0, 0, 4]],
    )
    shard(tmp_path, "1.parquet", ["b"])
    records = TableSource(path=str(tmp_path)).open()
    np.testing.assert_allclose(records.read(records.raws[1]).frac[1], 0.5)


def test_a_bad_row_is_refused_by_its_own_file(tmp_path: Path) -> None:
    shard(tmp_path, "0.parquet", ["a", "b"])
    shard(tmp_path, "1.parquet", ["c", "d"], numbers=[[1], [55, 17]])
    records = TableSource(path=str(tmp_path)).open()
    assert records.ids == ["a", "b", "d"]
    assert records.refused[0].origin == f"{tmp_path / '1.parquet'}, row 1"


def test_shards_that_are_no_single_table_are_named(tmp_path: Path) -> None:
    def error() -> str:
        with pytest.raises(GnnmatError) as caught:
            TableSource(path=str(tmp_path)).open()
        return str(caught.value)

    assert "holds no table" in error()
    shard(tmp_path, "0.parquet", ["a"], gap=[1.0])
    shard(tmp_path, "1.parquet", ["b"], gap=["wide"])
    assert "are no single table" in error()
    shard(tmp_path, "1.parquet", ["a"], gap=[1.0])
    assert "the id 'a' appears twice" in error()
    pd.DataFrame({"id": ["b"], "gap": [1.0]}).to_parquet(tmp_path / "1.parquet")
    assert "1.parquet' has no structures" in error()
    (tmp_path / "1.parquet").write_bytes(b"PAR1 cut short")
    assert "1.parquet' is not a readable table" in error()
    with pytest.raises(GnnmatError, match="The pattern .* holds no table"):
        TableSource(path=str(tmp_path / "no*.parquet")).open()
    (tmp_path / "a.csv").write_text("id\n")
    with pytest.raises(GnnmatError, match=r"also fits .*a.csv', which is no parquet file"):
        TableSource(path=str(tmp_path / "*")).open()
