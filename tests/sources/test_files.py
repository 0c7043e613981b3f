"""Files and their CSV: every structure and every row ends up read, or refused with a reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from pydantic import ValidationError

from gnnmat.errors import GnnmatError
from gnnmat.sources.files import FilesSource
from gnnmat.sources.listing import unique_names

CRYSTALS = Path(__file__).parents[1] / "crystals"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "structures"
    place.mkdir()
    for name in ("NaCl.cif", "Si.vasp", "CsCl.extxyz"):
        shutil.copy(CRYSTALS / name, place)
    return place


def write_csv(folder: Path, text: str) -> str:
    path = folder.parent / "values.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def reasons(source: FilesSource) -> dict[str, str]:
    return {refusal.id: refusal.reason for refusal in source.open().refused}


def test_a_folder_with_a_csv_gives_ids_values_and_crystals(folder: Path) -> None:
    targets = write_csv(folder, "name,gap,kind\nSi,1.1,metalloid\nNaCl.cif,8.5,salt\nCsCl,,salt\n")
    records = FilesSource(structures=str(folder), targets=targets, units={"gap": "eV"}).open()
    assert list(records.ids) == ["CsCl", "NaCl", "Si"]
    np.testing.assert_array_equal(records.table["gap"], [np.nan, 8.5, 1.1])
    assert records.table["kind"].tolist() == ["salt", "salt", "metalloid"]
    assert records.units == {"gap": "eV"}
    assert [len(records.read(raw).numbers) for raw in records.raws] == [2, 8, 2]
    assert records.refused == []
    assert records.origin(1).endswith("NaCl.cif")
    # The values that the extended XYZ carries itself are there too.
    assert records.table["lattice_constant"].tolist()[0] == 4.12
    assert "Properties" not in records.table.columns


def test_files_without_row_and_rows_without_file_are_refused(folder: Path) -> None:
    targets = write_csv(folder, "id,gap\nSi,1.1\nGe,0.7\n")
    records = FilesSource(structures=str(folder), targets=targets).open()
    assert list(records.ids) == ["Si"]
    found = {refusal.id: refusal.reason for refusal in records.refused}
    assert found["Ge"] == "the row has no structure file"
    assert found["NaCl"] == f"no row in '{targets}'"
    assert set(found) == {"Ge", "NaCl", "CsCl"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,gap\nSi,1.1\nSi,1.2\n", "the id 'Si' appears twice, in rows 1 and 2"),
        ("id,gap\nSi,1.1\n ,1.2\n", "row 2: the id is empty"),
        ("id,gap\nA,1\nB,2\n", "No row of"),
        ("id,gap,gap\nSi,1,2\n", "two columns called"),
        ("", "not a readable CSV file"),
        ("id,gap\nSi,1,2,3\n", "not a readable CSV file: Error tokenizing data"),
    ],
)
def test_a_bad_csv_is_refused_with_row_column_and_value(
    folder: Path, text: str, words: str
) -> None:
    source = FilesSource(structures=str(folder), targets=write_csv(folder, text))
    with pytest.raises(GnnmatError) as caught:
        source.open()
    assert words in str(caught.value)


@pytest.mark.parametrize("bad", ["1.2 eV", "1,2", "about 3"])
def test_a_text_among_numbers_leaves_the_other_columns_alone(folder: Path, bad: str) -> None:
    targets = write_csv(folder, f'id,gap,note\nSi,1.1,1\nNaCl,2,"{bad}"\nCsCl,3,n/a\n')
    table = FilesSource(structures=str(folder), targets=targets).open().table
    np.testing.assert_array_equal(table["gap"], [3, 2, 1.1])
    assert table["note"].tolist() == [None, bad, "1"]


@pytest.mark.parametrize("missing", ["", "n/a", "N/A", "nan", "None", "-", " "])
def test_words_for_a_missing_value_are_nan_in_a_column_of_numbers(
    folder: Path, missing: str
) -> None:
    targets = write_csv(folder, f"id,gap\nSi,1.1\nNaCl,{missing}\nCsCl,3\n")
    values = FilesSource(structures=str(folder), targets=targets).open().table["gap"]
    assert values.dtype == float
    np.testing.assert_array_equal(values, [3, np.nan, 1.1])


def test_a_row_that_ends_early_has_no_value_there(folder: Path) -> None:
    targets = write_csv(folder, "id,gap,width\nSi,1.1\nNaCl\nCsCl,3,4\n")
    table = FilesSource(structures=str(folder), targets=targets).open().table
    np.testing.assert_array_equal(table["gap"], [3, np.nan, 1.1])
    np.testing.assert_array_equal(table["width"], [4, np.nan, np.nan])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_and_a_byte_order_mark_are_understood(folder: Path, separator: str) -> None:
    rows = ["\ufeffid,gap", "Si,1.5", "NaCl,2", "CsCl,3"]
    targets = write_csv(folder, "\n".join(rows).replace(",", separator))
    records = FilesSource(structures=str(folder), targets=targets, id_column="id").open()
    assert records.table["gap"].tolist() == [3, 2, 1.5]


def test_another_column_may_hold_the_ids(folder: Path) -> None:
    targets = write_csv(folder, "gap,file\n1.1,Si\n")
    records = FilesSource(structures=str(folder), targets=targets, id_column="file").open()
    assert list(records.ids) == ["Si"]
    with pytest.raises(GnnmatError, match="Did you mean 'file'"):
        FilesSource(structures=str(folder), targets=targets, id_column="fil").open()


def test_files_with_the_same_stem_get_longer_ids_and_no_guess(folder: Path) -> None:
    shutil.copy(folder / "Si.vasp", folder / "Si.poscar")
    (folder / "old").mkdir()
    shutil.copy(folder / "NaCl.cif", folder / "old")
    records = FilesSource(structures=str(folder)).open()
    assert set(records.ids) == {"CsCl", "NaCl", "old/NaCl", "Si.poscar", "Si.vasp"}
    targets = write_csv(folder, "id,gap\nSi,1\nCsCl,2\nold/NaCl,3\n")
    found = reasons(FilesSource(structures=str(folder), targets=targets))
    assert found["Si"] == ("the row fits several structures: Si.poscar, Si.vasp; name one of them")
    assert found["Si.vasp"].startswith("no row in")


def test_two_rows_for_one_structure_are_refused(folder: Path) -> None:
    targets = write_csv(folder, "id,gap\nSi,1\nSi.vasp,2\n")
    found = reasons(FilesSource(structures=str(folder), targets=targets))
    assert found["Si.vasp"] == "an earlier row ('Si') names the same structure"


def test_several_structures_in_one_file_are_parts_with_their_own_values(folder: Path) -> None:
    for name in ("two.cif", "strained.extxyz"):
        shutil.copy(CRYSTALS / name, folder)
    records = FilesSource(structures=str(folder)).open()
    assert list(records.ids)[3:] == ["strained#1", "strained#2", "strained#3", "two#1", "two#2"]
    assert records.table["strain"].tolist()[3:6] == [0.0, 0.02, 0.04]
    assert [len(records.read(raw).numbers) for raw in records.raws] == [2, 8, 2, 2, 2, 2, 2, 1]
    targets = write_csv(folder, "id,gap\nSi,1\ntwo#2,2\nstrained,3\n")
    chosen = FilesSource(structures=str(folder), targets=targets)
    assert list(chosen.open().ids) == ["Si", "two#2"]
    assert reasons(chosen)["strained"] == (
        "the file holds 3 structures; name them strained#1, strained#2, ..."
    )


@pytest.mark.parametrize("name", ["rows.db", "rows.json"])
def test_an_ase_database_is_listed_with_its_key_value_pairs(tmp_path: Path, name: str) -> None:
    with connect(tmp_path / name) as database:
        for symbol, gap in (("Si", 1.1), ("Ge", 0.7), ("C", 5.5)):
            database.write(bulk(symbol, "diamond", a=5.5), gap=gap, note=symbol)
        del database[1]
    records = FilesSource(structures=str(tmp_path)).open()
    assert list(records.ids) == ["rows#1", "rows#2"]
    assert records.table["gap"].tolist() == [0.7, 5.5]
    assert [records.read(raw).numbers[0] for raw in records.raws] == [32, 6]


def test_strangers_in_the_folder_are_reported_and_obvious_company_is_not(folder: Path) -> None:
    for name in ("README", "notes.md", ".hidden.cif", "values.csv", "sketch.docx", "plot.png"):
        (folder / name).write_text("x")
    records = FilesSource(structures=str(folder)).open()
    assert len(records) == 3
    assert [(refusal.id, refusal.reason) for refusal in records.refused] == [
        ("sketch.docx", "not a crystal file")
    ]


def test_patterns_and_lists_are_followed(folder: Path) -> None:
    for run in ("a", "b"):
        (folder / run).mkdir()
        shutil.copy(folder / "Si.vasp", folder / run / "CONTCAR")
    pattern = FilesSource(structures=str(folder / "*" / "CONTCAR")).open()
    assert list(pattern.ids) == ["a/CONTCAR", "b/CONTCAR"]
    several = (str(folder / "NaCl.cif"), str(folder / "*.vasp"))
    assert list(FilesSource(structures=several).open().ids) == ["NaCl", "Si"]


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="No crystal file in"):
        FilesSource(structures=str(tmp_path)).open()
    with pytest.raises(GnnmatError, match="There is no file or folder"):
        FilesSource(structures=str(tmp_path / "absent")).open()
    with pytest.raises(GnnmatError, match="variable NO_SUCH_FOLDER, which is not set"):
        FilesSource(structures="$NO_SUCH_FOLDER/x").open()


def test_a_missing_table_of_values_is_named(folder: Path) -> None:
    with pytest.raises(GnnmatError, match=r"The table of values 'absent\.csv' does not exist"):
        FilesSource(structures=str(folder), targets="absent.csv").open()
    targets = write_csv(folder, "id,gap\nSi,1\n")
    with pytest.raises(GnnmatError, match="has no column 'gapp'"):
        FilesSource(structures=str(folder), targets=targets, units={"gapp": "eV"}).open()


def test_the_fingerprint_follows_contents_not_names_nor_values(folder: Path) -> None:
    source = FilesSource(
        structures=str(folder), targets=write_csv(folder, "id,gap\nSi,1\nNaCl,2\n")
    )
    first = source.open().fingerprint
    write_csv(folder, "id,gap\nSi,7\nNaCl,8\n")
    assert source.open().fingerprint == first
    (folder / "Si.vasp").rename(folder / "Sj.vasp")
    write_csv(folder, "id,gap\nSj,7\nNaCl,8\n")
    assert source.open().fingerprint == first
    text = (folder / "Sj.vasp").read_text()
    (folder / "Sj.vasp").write_text(text.replace("5.431", "5.432"))
    assert source.open().fingerprint != first


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="target_column"):
        FilesSource(structures="x", target_column="gap")  # type: ignore[call-arg]


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    assert unique_names(["a/Si.cif", "b/Si.cif", "b/Si.vasp", "Ge.cif.gz", "POSCAR.Si"]) == [
        "a/Si",
        "b/Si.cif",
        "b/Si.vasp",
        "Ge",
        "POSCAR.Si",
    ]
    assert unique_names(["x/Si.cif", "x/Si.cif"]) == ["x/Si.cif", "x/Si.cif (2)"]
