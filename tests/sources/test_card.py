"""Data set cards: the shipped ones, cards of one's own, and the formats they name."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.card import CardSource, load_card, shipped_cards
from gnnmat.sources.card_columns import Column
from gnnmat.sources.card_json import _Values
from gnnmat.sources.card_schema import KFold
from gnnmat.sources.card_table import renewed

ROOT = Path(__file__).parents[2]
MATBENCH = [name for name in shipped_cards() if name.startswith("matbench_")]

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
)
CAESIUM = Structure(Lattice.cubic(4.12), ["Cs+", "Cl-"], [[0] * 3, [0.5] * 3])
MIXED = Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0] * 3])


def write_card(folder: Path, **changes: Any) -> str:
    """A small card of one's own with its table, and the path to name it by."""
    table = folder / "data.csv"
    if not table.exists():
        rows = [("s1", 1.5, "beta", "good"), ("s2", "na", "alpha", ""), ("s3", 2, "", "odd")]
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sample", "gap", "phase", "note", "cif"])
            writer.writerows([*row, ROCK_SALT.to(fmt="cif")] for row in rows)
    card: dict[str, Any] = {
        "name": "mine",
        "title": "A few crystals",
        "description": "Made for a test.",
        "source": "this test",
        "licence": "CC0",
        "citation": "none",
        "files": [{"path": "data.csv", "sha256": None}],
        "reader": {"kind": "table", "id": "sample"},
        "columns": {
            "gap": {"unit": "eV", "meaning": "band gap"},
            "phase": {"unit": "", "meaning": "phase", "classes": ["alpha", "beta"]},
            "note": {"unit": "", "meaning": "remark", "text": True},
        },
        "target": "gap",
    }
    card.update(changes)
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in card.items() if v is not ...}))
    return str(path)


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
    name = next(iter(columns))
    path = write_card(
        folder,
        files=[{"path": file.name, "sha256": None}],
        reader=reader,
        columns=columns,
        target=name,
    )
    return CardSource(name=path, folder=folder / "cache")


IS_METAL = {"unit": "", "meaning": "metal or not", "classes": ["nonmetal", "metal"]}
GAP = {"unit": "eV", "meaning": "gap"}


# --- the shipped cards -------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_cards())
def test_a_shipped_card_says_all_that_a_user_needs(name: str) -> None:
    card = load_card(name)
    assert card.name == name
    assert card.licence.strip()
    assert card.citation.strip()
    assert card.provenance.strip()
    assert card.target in card.columns
    for file in card.files:
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.path or str(file.url).startswith("https://")
    plain = yaml.safe_load(shipped_cards()[name].read_text(encoding="utf-8"))
    assert all("unit" in column for column in plain["columns"].values())


def test_the_matbench_sets_with_structures_are_there_with_their_folds() -> None:
    # The nine sets whose input is a structure: matbench_v0.1_dataset_metadata.json of matbench;
    # folds: scripts/mvb01_generate_validation.py there.
    short = "dielectric jdft2d log_gvrh log_kvrh mp_e_form mp_gap mp_is_metal perovskites phonons"
    assert [f"matbench_{name}" for name in short.split()] == MATBENCH
    for name in MATBENCH:
        split = load_card(name).split
        assert isinstance(split, KFold)
        assert (split.n_splits, split.shuffle, split.random_state) == (5, True, 18012019)
        assert split.stratified == (name == "matbench_mp_is_metal")
        assert load_card(name).files[0].sha256


def test_the_known_crystals_open_and_every_one_is_read() -> None:
    records = CardSource(name="known_crystals").open()
    assert len(records) >= 60
    assert all(len(records.read(raw).numbers) > 0 for raw in records.raws)
    assert records.table["bulk_modulus"].notna().sum() > 30
    assert records.units["bulk_modulus"] == "GPa"


def test_the_materials_project_says_what_is_needed() -> None:
    for act in (
        CardSource(name="materials_project").open,
        CardSource(name="materials_project").fetch,
    ):
        with pytest.raises(GnnmatError, match="MP_API_KEY"):
            act()


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(GnnmatError, match="Did you mean 'matbench_phonons'"):
        load_card("matbench_phonon")


def test_the_table_in_the_docs_is_up_to_date() -> None:
    page = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert renewed(page) == page, "run: python -m gnnmat.sources.card_table docs/datasets.md"


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(GnnmatError, match="no place for the table"):
        renewed("# Data sets")


def test_the_card_in_the_docs_is_a_card(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    example = next(
        part for part in page.split("```yaml\n")[1:] if part.startswith("name: my_oxides")
    )
    card = yaml.safe_load(example.split("```")[0])
    card["columns"]["fold"] = {"unit": "", "meaning": "train, val or test", "text": True}
    (tmp_path / "my_oxides.yaml").write_text(yaml.safe_dump(card))
    assert load_card(str(tmp_path / "my_oxides.yaml")).target == "band_gap"


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_levels_are_those_of_a_sample() -> None:
    from gnnmat.sample import Level

    assert get_args(Column.model_fields["level"].annotation) == get_args(Level)


# --- a card of one's own -----------------------------------------------------------------------


def test_a_new_data_set_is_one_yaml_file(tmp_path: Path) -> None:
    records = CardSource(name=write_card(tmp_path)).open()
    assert list(records.ids) == ["s1", "s2", "s3"]
    np.testing.assert_array_equal(records.table["gap"], [1.5, np.nan, 2.0])
    assert list(records.table.columns) == ["gap", "phase", "note"]
    assert records.table["phase"].tolist()[:2] == ["beta", "alpha"]
    assert pd.isna(records.table["phase"][2])
    assert records.units == {"gap": "eV", "phase": "", "note": ""}
    assert sorted(records.read(records.raws[0]).numbers) == [11] * 4 + [17] * 4


def test_a_target_does_not_change_the_fingerprint_and_a_structure_does(tmp_path: Path) -> None:
    name = write_card(tmp_path)
    before = CardSource(name=name).open().fingerprint
    table = tmp_path / "data.csv"
    table.write_text(table.read_text().replace("s1,1.5", "s1,1.6"))
    assert CardSource(name=name).open().fingerprint == before
    table.write_text(table.read_text().replace("5.64", "5.65"))
    assert CardSource(name=name).open().fingerprint != before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licens": "CC0"}, "licens: unknown entry.\nFix: Did you mean 'licence'?"),
        ({"reader": {"kind": "table", "idd": "x"}}, "idd: unknown entry"),
        ({"reader": {"kind": "tabel"}}, "'table'"),
        ({"licence": ...}, "licence: Field required"),
        ({"licence": ""}, "licence: "),
        ({"target": "gab"}, "target 'gab' is not among the columns (gap, phase, note)"),
        ({"columns": {"gap": {"meaning": "gap"}}}, "columns.gap.unit: Field required"),
        ({"name": "../mine"}, "name: "),
        ({"files": []}, "`files` and `reader` go together"),
        ({"files": [], "reader": None}, "`access` must say"),
        ({"files": [{"path": "a.csv", "url": "http://h/a.csv"}]}, "either `url` or `path`"),
        ({"files": [{"path": "a.csv"}, {"path": "b.csv"}]}, "a card has one file"),
        ({"files": [{"path": "data.csv", "sha256": "abc"}]}, "expected 64 hex digits"),
        ({"files": [{"url": "http://h/"}]}, "no plain file name"),
        ({"files": [{"url": "http://h/..%2f..", "name": "../x"}]}, "no plain file name"),
        ({"split": {"kind": "column", "column": "fold"}}, "split column 'fold'"),
        ({"split": {"kind": "kfold", "n_splits": 1}}, "n_splits"),
    ],
)
def test_a_mistake_in_a_card_names_the_card_and_the_entry(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = write_card(tmp_path, **changes)
    with pytest.raises(GnnmatError) as caught:
        load_card(path)
    assert str(caught.value).startswith(f"Card '{path}'")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("- a", "is not a list of entries"),
        ("!!python/object:os.system {}", "is not YAML"),
    ],
)
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(GnnmatError, match=words):
        load_card(str(tmp_path / "bad.yaml"))


def test_a_card_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="There is no card"):
        load_card(str(tmp_path / "none.yaml"))


def test_a_missing_column_suggests_the_nearest(tmp_path: Path) -> None:
    name = write_card(tmp_path, columns={"gapp": GAP}, target="gapp")
    with pytest.raises(GnnmatError, match="column 'gapp' is not in the file") as caught:
        CardSource(name=name).open()
    assert "Did you mean 'gap'?" in str(caught.value)


def test_a_word_among_numbers_names_the_row(tmp_path: Path) -> None:
    name = write_card(tmp_path, columns={"note": GAP}, target="note")
    with pytest.raises(GnnmatError, match="column 'note', row 1: 'good' is not a number"):
        CardSource(name=name).open()


def test_an_unknown_class_names_the_row(tmp_path: Path) -> None:
    phase = {"unit": "", "meaning": "phase", "classes": ["alpha", "gamma"]}
    name = write_card(tmp_path, columns={"phase": phase}, target="phase")
    with pytest.raises(GnnmatError, match="row 1: 'beta' is not one of the classes"):
        CardSource(name=name).open()


def test_a_local_file_that_is_absent_is_named(tmp_path: Path) -> None:
    name = write_card(tmp_path, files=[{"path": "other.csv"}])
    with pytest.raises(GnnmatError, match="not on disk") as caught:
        CardSource(name=name).open()
    assert str(tmp_path / "other.csv") in str(caught.value)


def test_a_local_file_is_compared_with_its_checksum(tmp_path: Path) -> None:
    write_card(tmp_path)
    sha = hashlib.sha256((tmp_path / "data.csv").read_bytes()).hexdigest()
    name = write_card(tmp_path, files=[{"path": "data.csv", "sha256": sha}])
    assert CardSource(name=name).fetch()[0].verified
    with (tmp_path / "data.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(GnnmatError, match=f"Expected sha256 {sha}, got "):
        CardSource(name=name).open()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_column_becomes_a_target() -> None:
    target = Column(unit="eV", meaning="gap", classes=("a", "b")).target("gap")
    assert (target.name, target.unit, target.level, target.classes) == (
        "gap",
        "eV",
        "sample",
        ("a", "b"),
    )


# --- formats -----------------------------------------------------------------------------------


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
