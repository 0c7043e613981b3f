"""Structure tables: rows are cut out lazily, joined by id, and refused one by one."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.sources.read import CifText
from gnnmat.sources.table import TableSource

CRYSTALS = Path(__file__).parents[1] / "crystals"


def frame(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "id": ["salt", "chain", "cube"],
        "lattice": [[4.0, 0, 0, 0, 4, 0, 0, 0, 4], [9.0, 0, 0, 0, 9, 0, 0, 0, 3]] * 1
        + [[3.0, 0, 0, 0, 3, 0, 0, 0, 3]],
        "numbers": [[55, 17], [6], [84]],
        "frac": [[0.0, 0, 0, 0.5, 0.5, 0.5], [0.0, 0, 0], [0.0, 0, 0]],
        "gap": [8.0, None, 0.0],
    }
    return pd.DataFrame({**columns, **changes})


def saved(folder: Path, table: pd.DataFrame, name: str = "table.parquet") -> str:
    path = folder / name
    if name.endswith(".parquet"):
        table.to_parquet(path)
    elif name.endswith(".jsonl"):
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("name", ["table.parquet", "table.jsonl"])
def test_a_table_gives_its_crystals_and_values(tmp_path: Path, name: str) -> None:
    source = TableSource(path=saved(tmp_path, frame(), name), units={"gap": "eV"})
    records = source.open()
    assert list(records.ids) == ["salt", "chain", "cube"]
    assert list(records.table.columns) == ["gap"]
    np.testing.assert_array_equal(records.table["gap"], [8.0, np.nan, 0.0])
    assert [records.read(raw).numbers.tolist() for raw in records.raws] == [[55, 17], [6], [84]]
    salt = records.read(records.raws[0])
    np.testing.assert_array_equal(salt.lattice, np.eye(3) * 4)
    np.testing.assert_array_equal(salt.frac, [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert records.origin(2) == f"{name}, row 3"


def test_nested_lists_are_flattened(tmp_path: Path) -> None:
    path = tmp_path / "nested.jsonl"
    rows = [
        {"id": "a", "lattice": (np.eye(3) * 4).tolist(), "numbers": [1], "frac": [[0, 0, 0.0]]},
        {
            "id": "b",
            "lattice": (np.eye(3) * 5).tolist(),
            "numbers": [2, 3],
            "frac": [[0, 0, 0.0], [0.5, 0, 0]],
        },
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    records = TableSource(path=str(path)).open()
    assert records.read(records.raws[1]).frac.tolist() == [[0, 0, 0], [0.5, 0, 0]]
    assert records.read(records.raws[1]).lattice[2, 2] == 5


@pytest.mark.parametrize("name", ["table.parquet", "table.csv", "table.jsonl"])
def test_a_column_of_cif_text_serves_too(tmp_path: Path, name: str) -> None:
    text = (CRYSTALS / "NaCl.cif").read_text()
    table = pd.DataFrame({"id": ["a", "b"], "cif": [text, text], "gap": [8.5, 8.4]})
    records = TableSource(path=saved(tmp_path, table, name)).open()
    assert isinstance(records.raws[0], CifText)
    assert len(records.read(records.raws[1]).numbers) == 8
    assert records.table["gap"].tolist() == [8.5, 8.4]


def test_a_row_is_a_small_payload(tmp_path: Path) -> None:
    many = pd.concat([frame()] * 1000).drop(columns="id")
    records = TableSource(path=saved(tmp_path, many)).open()
    assert list(records.ids[:2]) == ["1", "2"]
    assert len(pickle.dumps(records.raws[1500])) < 1000


def test_rows_that_are_no_crystal_are_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    table = frame(
        lattice=[[4.0] * 8, None, [3.0, 0, 0, 0, 3, 0, 0, 0, 3]],
        frac=[[0.0, 0, 0, 0.5, 0.5, 0.5], [0.0, 0, 0], [0.0, 0, 0]],
    )
    records = TableSource(path=saved(tmp_path, table)).open()
    assert list(records.ids) == ["cube"]
    assert records.read(records.raws[0]).numbers.tolist() == [84]
    assert [(refusal.id, refusal.reason) for refusal in records.refused] == [
        ("salt", "the lattice has 8 numbers, expected 9"),
        ("chain", "lattice is missing or empty"),
    ]
    assert records.refused[0].origin.endswith("table.parquet, row 1")
    assert records.origin(0) == "table.parquet, row 3"


def test_coordinates_that_do_not_fit_the_atoms_are_refused(tmp_path: Path) -> None:
    table = frame(frac=[[0.0, 0, 0], [0.0, 0, 0], [0.0, 0, 0]])
    records = TableSource(path=saved(tmp_path, table)).open()
    assert records.refused[0].reason == ("there are 2 atomic numbers but 3 coordinates, expected 6")


@pytest.mark.parametrize("column", ["lattice", "frac", "numbers"])
def test_a_missing_number_inside_a_list_is_refused_when_read(tmp_path: Path, column: str) -> None:
    table = frame()
    table.at[1, column] = [None, *table.at[1, column][1:]]
    records = TableSource(path=saved(tmp_path, table)).open()
    with pytest.raises(GnnmatError, match="NaN or infinity|not whole numbers"):
        records.read(records.raws[1])
    assert records.read(records.raws[2]).numbers.tolist() == [84]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (frame().drop(columns="frac"), "has no column 'frac'"),
        (frame()[["id", "gap"]], "has no structures. Expected the columns lattice, numbers"),
        (frame(numbers=[1, 2, 3]), "column 'numbers' is int64, expected lists of numbers"),
        (frame(numbers=[["Na"], ["K"], ["H"]]), "expected lists of numbers"),
        (frame(id=["a", "b", "a"]), "the id 'a' appears twice, in rows 1 and 3"),
        (frame(id=["a", None, "c"]), "row 2: the id is empty"),
        (frame(lattice=[[1.0], [1.0], [1.0]]), "has no row with a structure. The first of 3: salt"),
        (pd.DataFrame({"id": ["a"], "cif": [5]}), "column 'cif' is int64, expected text"),
    ],
)
def test_a_bad_table_is_refused_in_plain_words(
    tmp_path: Path, table: pd.DataFrame, words: str
) -> None:
    with pytest.raises(GnnmatError) as caught:
        TableSource(path=saved(tmp_path, table)).open()
    assert words in caught.value.sentence


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 cut short")
    for path, words in [
        (str(broken), "is not a readable table"),
        (str(tmp_path / "absent.parquet"), "does not exist"),
        (str(tmp_path), "broken.parquet' is not a readable table"),
        (__file__, "is no table"),
    ]:
        with pytest.raises(GnnmatError) as caught:
            TableSource(path=path).open()
        assert words in str(caught.value)


def test_paths_may_hold_environment_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, frame())
    monkeypatch.setenv("MY_TABLES", str(tmp_path))
    assert len(TableSource(path="$MY_TABLES/table.parquet").open()) == 3
    assert len(TableSource(path="${MY_TABLES}/table.parquet").open()) == 3
    monkeypatch.delenv("MY_TABLES")
    with pytest.raises(GnnmatError, match="variable MY_TABLES, which is not set"):
        TableSource(path="$MY_TABLES/table.parquet").open()


def test_labels_join_and_ids_restrict(tmp_path: Path) -> None:
    labels = pd.DataFrame({"id": ["cube", "salt", "lost"], "e": [1.0, 2.0, 3.0], "split": "old"})
    chosen = pd.DataFrame({"id": ["cube", "salt", "gone"], "split": ["val", "train", "train"]})
    path = saved(tmp_path, frame())
    first = saved(tmp_path, labels, "labels.parquet")
    second = saved(tmp_path, chosen, "chosen.csv")
    joined = TableSource(path=path, labels=first).open()
    np.testing.assert_array_equal(joined.table["e"], [2.0, np.nan, 1.0])
    assert [refusal.id for refusal in joined.refused] == ["lost"]
    records = TableSource(path=path, labels=first, ids=second).open()
    assert list(records.ids) == ["salt", "cube"]
    assert records.table["split"].tolist() == ["train", "val"]
    assert records.table["e"].tolist() == [2.0, 1.0]
    assert records.table["gap"].tolist() == [8.0, 0.0]
    assert [(refusal.id, refusal.reason) for refusal in records.refused] == [
        ("gone", f"no structure with this id in '{path}'")
    ]
    stranger = saved(tmp_path, pd.DataFrame({"id": ["x"], "e": [1]}), "stranger.csv")
    with pytest.raises(GnnmatError, match="No id of"):
        TableSource(path=path, labels=stranger).open()


def test_the_fingerprint_follows_structures_and_nothing_else(tmp_path: Path) -> None:
    def fingerprint(table: pd.DataFrame) -> str:
        return TableSource(path=saved(tmp_path, table)).open().fingerprint

    first = fingerprint(frame())
    assert fingerprint(frame(gap=[0.0, 1.0, 2.0])) == first
    assert fingerprint(frame().assign(extra="x")) == first
    moved = frame()
    moved.at[1, "frac"] = [0.0, 0.0, 0.1]
    assert fingerprint(moved) != first
    assert fingerprint(frame().iloc[::-1]) != first
    other = frame()
    other.at[2, "numbers"] = [52]
    assert fingerprint(other) != first


def test_the_fingerprint_of_cif_text_follows_the_text(tmp_path: Path) -> None:
    def fingerprint(*texts: str) -> str:
        table = pd.DataFrame({"cif": texts, "gap": np.random.default_rng().random(len(texts))})
        return TableSource(path=saved(tmp_path, table)).open().fingerprint

    assert fingerprint("ab", "c") == fingerprint("ab", "c")
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_the_materials_project_opens_fast_and_restricted(shared_data: Path) -> None:
    folder = shared_data / "materials_project"
    start = time.perf_counter()
    whole = TableSource(path=str(folder / "structures.parquet")).open()
    assert time.perf_counter() - start < 10  # 0.2 s on an idle machine
    assert len(whole) == 110_184
    records = TableSource(
        path=str(folder / "structures.parquet"),
        labels=str(folder / "labels.parquet"),
        ids=str(folder / "e_form_10k.csv"),
    ).open()
    assert records.table["split"].value_counts().to_dict() == {"train": 10_000, "val": 1_000}
    assert records.table["e_form"].notna().all()
    place = whole.ids.index(records.ids[700])
    np.testing.assert_array_equal(
        whole.read(whole.raws[place]).frac, records.read(records.raws[700]).frac
    )
