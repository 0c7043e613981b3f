"""Data set cards: the shipped ones, cards of one's own, and the formats they name."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from pymatgen.core import Lattice, Structure

from gnnmat.errors import GnnmatError
from gnnmat.sources.card import CardSource, load_card, shipped_cards
from gnnmat.sources.card_columns import Column, card_values
from gnnmat.sources.card_schema import KFold
from gnnmat.sources.card_table import renewed

ROOT = Path(__file__).parents[2]
MATBENCH = [name for name in shipped_cards() if name.startswith("matbench_")]

ROCK_SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
)
GAP = {"unit": "eV", "meaning": "gap"}


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
    path.write_text(
        yaml.safe_dump({k: v for k, v in card.items() if v is not ...}, sort_keys=False)
    )
    return str(path)


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


def test_a_column_of_curves_is_kept_as_it_is() -> None:
    frame = pd.DataFrame({"dos": [[1.0, 2.0], [3.0, 4.0]]})
    column = Column(unit="", meaning="density of states", curve=True)
    assert card_values(frame, {"dos": column}, "x")["dos"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    plain = Column(unit="", meaning="density of states")
    with pytest.raises(GnnmatError, match="is not a number"):
        card_values(frame, {"dos": plain}, "x")
