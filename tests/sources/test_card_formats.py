"""The file formats that a card can name, compared with pymatgen."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.card import CardSource
from gnnmat.sources.card_json import _Values, crystal_of_atoms, crystal_of_structure

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
)
CAESIUM = Structure(Lattice.cubic(4.12), ["Cs+", "Cl-"], [[0] * 3, [0.5] * 3])
MIXED = Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0] * 3])


def matminer_file(folder: Path, column: str = "is_metal") -> Path:
    """A file as matminer writes it: `store_dataframe_as_json` of a frame with structures."""
    rows = [[ROCK_SALT.as_dict(), False], [MIXED.as_dict(), True], [CAESIUM.as_dict(), True]]
    table = {"index": [0, 1, 2], "columns": ["structure", column], "data": rows}
    path = folder / "data.json.gz"
    path.write_bytes(gzip.compress(json.dumps(table).encode()))
    return path


def jarvis_file(folder: Path) -> Path:
    """A file as JARVIS gives it: one JSON list of dictionaries in a zip."""
    items = [
        {"jid": "JVASP-1", "gap": 1.0, "extra": [1, 2], "atoms": _atoms(ROCK_SALT, False)},
        {"jid": "JVASP-2", "gap": "na", "extra": [], "atoms": _atoms(CAESIUM, True)},
    ]
    path = folder / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.json", json.dumps(items))
    return path


def _atoms(structure: Structure, cartesian: bool) -> dict[str, Any]:
    coords = structure.cart_coords if cartesian else structure.frac_coords
    return {
        "lattice_mat": structure.lattice.matrix.tolist(),
        "coords": coords.tolist(),
        "elements": [
            site.specie.element.symbol if hasattr(site.specie, "element") else site.specie.symbol
            for site in structure
        ],
        "abc": list(structure.lattice.abc),
        "angles": list(structure.lattice.angles),
        "cartesian": cartesian,
        "props": [""] * len(structure),
    }


def _card_for(folder: Path, file: Path, reader: dict[str, Any], **columns: Any) -> CardSource:
    card: dict[str, Any] = dict.fromkeys(
        ("title", "description", "source", "licence", "citation"), "a test"
    )
    card |= {"name": "mine", "files": [{"path": file.name}], "reader": reader}
    card |= {"columns": columns, "target": next(iter(columns))}
    (folder / "mine.yaml").write_text(yaml.safe_dump(card))
    return CardSource(name=str(folder / "mine.yaml"), folder=folder / "cache")


IS_METAL = {"unit": "", "meaning": "metal or not", "classes": ["nonmetal", "metal"]}
GAP = {"unit": "eV", "meaning": "gap"}


def test_matminer_structures_agree_with_pymatgen(tmp_path: Path) -> None:
    reader = {"kind": "matminer_json", "id_prefix": "mb-mine"}
    source = _card_for(tmp_path, matminer_file(tmp_path), reader, is_metal=IS_METAL)
    for _ in range(2):  # parsed, then from the table
        records = source.open()
        assert list(records.ids) == ["mb-mine-1", "mb-mine-2", "mb-mine-3"]
        assert records.table["is_metal"].tolist() == ["nonmetal", "metal", "metal"]
        for row, structure in ((0, ROCK_SALT), (2, CAESIUM)):
            crystal = records.read(records.raws[row])
            np.testing.assert_array_equal(crystal.lattice, structure.lattice.matrix)
            np.testing.assert_array_equal(crystal.frac, structure.frac_coords)
            assert list(crystal.numbers) == [site.specie.Z for site in structure]
        with pytest.raises(GnnmatError, match="disordered"):
            records.read(records.raws[1])
    assert records.origin(1) == "data.json.gz, row 2"


def test_a_vacancy_is_disorder_too() -> None:
    half_empty = Structure(Lattice.cubic(3.6), [{"Cu": 0.5}], [[0] * 3])
    with pytest.raises(GnnmatError, match="partial occupancy"):
        crystal_of_structure(half_empty.as_dict())


def test_deuterium_is_hydrogen_and_an_unknown_symbol_is_refused() -> None:
    heavy = {"lattice_mat": np.eye(3), "coords": [[0, 0, 0]], "elements": ["D"]}
    assert list(crystal_of_atoms(heavy).numbers) == [1]
    with pytest.raises(GnnmatError, match="'X' is not a chemical element"):
        crystal_of_atoms(heavy | {"elements": ["X"]})


def test_a_json_file_is_parsed_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _card_for(
        tmp_path, matminer_file(tmp_path), {"kind": "matminer_json"}, is_metal=IS_METAL
    )
    before = source.open()
    monkeypatch.setattr("gnnmat.sources.card_readers.read_matminer", None)
    assert source.open().fingerprint == before.fingerprint
    monkeypatch.undo()
    text = gzip.decompress((tmp_path / "data.json.gz").read_bytes()).replace(b"5.64", b"5.65")
    (tmp_path / "data.json.gz").write_bytes(gzip.compress(text))
    assert source.open().fingerprint != before.fingerprint


def test_a_large_file_says_that_it_is_read_for_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gnnmat.sources.converted.LARGE", 0)
    source = _card_for(tmp_path, jarvis_file(tmp_path), {"kind": "jarvis_json"}, gap=GAP)
    source.open()
    assert "Reading data.zip for the first time" in capsys.readouterr().err
    source.open()
    assert capsys.readouterr().err == ""


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder is needed")
    source = _card_for(tmp_path, jarvis_file(tmp_path), {"kind": "jarvis_json"}, gap=GAP)
    with pytest.raises(GnnmatError, match="cannot be written"):
        source.open()


def test_jarvis_atoms_agree_with_pymatgen(tmp_path: Path) -> None:
    source = _card_for(tmp_path, jarvis_file(tmp_path), {"kind": "jarvis_json"}, gap=GAP)
    for _ in range(2):
        records = source.open()
        assert list(records.ids) == ["JVASP-1", "JVASP-2"]
        np.testing.assert_array_equal(records.table["gap"], [1.0, np.nan])
        for row, structure in enumerate((ROCK_SALT, CAESIUM)):
            crystal = records.read(records.raws[row])
            np.testing.assert_allclose(crystal.lattice, structure.lattice.matrix, atol=1e-12)
            np.testing.assert_allclose(crystal.frac, structure.frac_coords, atol=1e-12)
            assert list(crystal.numbers) == [site.specie.Z for site in structure]


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.98])
@pytest.mark.parametrize("kind", ["matminer_json", "jarvis_json"])
def test_a_file_cut_short_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    file = matminer_file(tmp_path) if kind == "matminer_json" else jarvis_file(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(GnnmatError, match="cut short or is not the JSON file expected"):
        _card_for(tmp_path, file, {"kind": kind}, gap=GAP).open()
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("text", ["", "<html>Please log in</html>", "[1, 2]", '{"a": 1', "7"])
@pytest.mark.parametrize("kind", ["matminer_json", "jarvis_json"])
def test_another_file_than_expected_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    file = tmp_path / "data.json"
    file.write_text(text)
    with pytest.raises(GnnmatError, match="cut short or is not the JSON file expected"):
        _card_for(tmp_path, file, {"kind": kind}, gap=GAP).open()


def test_a_matminer_table_without_structures_is_refused(tmp_path: Path) -> None:
    source = _card_for(
        tmp_path,
        matminer_file(tmp_path),
        {"kind": "matminer_json", "structure": "crystal"},
        is_metal=IS_METAL,
    )
    with pytest.raises(GnnmatError, match="no table with a column 'crystal'"):
        source.open()


def test_a_prototype_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,formula,a,gap\nx,NaCl,5.64,8.5\n")
    source = _card_for(tmp_path, tmp_path / "p.csv", {"kind": "prototypes"}, gap=GAP)
    with pytest.raises(GnnmatError, match="no column 'prototype'"):
        source.open()


def test_a_prototype_without_its_lattice_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "id,prototype,formula,a,gap\nx,rocksalt,NaCl,5.64,8.5\ny,rocksalt,KCl,,8.7\n"
    )
    source = _card_for(tmp_path, tmp_path / "p.csv", {"kind": "prototypes"}, gap=GAP)
    records = source.open()
    assert list(records.read(records.raws[0]).numbers) == [11, 17]
    with pytest.raises(GnnmatError, match="lattice parameter a is missing"):
        records.read(records.raws[1])


class _Dribble(io.StringIO):
    """A file that gives two characters at a time, so that every value is cut somewhere."""

    def read(self, size: int | None = -1) -> str:
        return super().read(2)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(PLAIN, max_size=5), st.sampled_from([None, 1]))
def test_values_from_a_stream_are_those_of_the_whole_text(
    values: list[Any], indent: int | None
) -> None:
    text = json.dumps(values, indent=indent)
    assert list(_Values(_Dribble(text)).items()) == json.loads(text)
