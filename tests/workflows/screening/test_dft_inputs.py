"""Inputs of first principles: those of pymatgen, in folders of their own, never written over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from pymatgen.core import SETTINGS, Structure
from pymatgen.io.vasp import sets

from gnnmat.errors import GnnmatError
from gnnmat.workflows.screening.stage import KEPT
from gnnmat.workflows.screening.stages import dft_inputs
from gnnmat.workflows.screening.stages.dft_inputs import DftInputs, safe_name

from .small_crystals import judged, table_of

FILES = {"INCAR", "KPOINTS", "POSCAR", "POTCAR.spec"}


@pytest.fixture(autouse=True)
def _no_potcars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR", raising=False)


def salt() -> Any:
    return bulk("NaCl", "rocksalt", a=5.64)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file()
    }


@pytest.mark.parametrize("name", ["MPRelaxSet", "MPStaticSet"])
@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_files_are_those_of_pymatgen(name: str, tmp_path: Path) -> None:
    found = judged(DftInputs(input_set=name), table_of({"mp-1": salt()}), tmp_path)
    assert found.columns["inputs"][0] == "dft_inputs/mp-1"
    assert list(found.reasons) == [KEPT]
    folder = tmp_path / "dft_inputs" / "mp-1"
    assert set(contents(folder)) == FILES
    structure = Structure(salt().cell.array, ["Na", "Cl"], salt().get_scaled_positions())
    getattr(sets, name)(structure).write_input(str(tmp_path / "theirs"), potcar_spec=True)
    assert contents(folder) == contents(tmp_path / "theirs")
    assert (folder / "POTCAR.spec").read_text().split() == ["Na_pv", "Cl"]
    assert any("POTCARs are licensed" in note for note in found.notes)


def test_settings_of_incar_replace_those_of_the_set(tmp_path: Path) -> None:
    judged(DftInputs(incar={"NCORE": 4, "ENCUT": 600}), table_of({"a": salt()}), tmp_path)
    lines = (tmp_path / "dft_inputs" / "a" / "INCAR").read_text().splitlines()
    assert "NCORE = 4" in lines
    assert any(line.startswith("ENCUT = 600") for line in lines)


def test_ids_cannot_leave_the_folder_and_do_not_meet(tmp_path: Path) -> None:
    ids = ["../x", "a/b", "a-b", "a\\b", "..", ".", "", "/etc/passwd", "x" * 300, "ü" * 300, "a\0b"]
    screen = tmp_path / "screen"
    found = judged(DftInputs(), table_of({one: salt() for one in ids}), screen)
    assert list(found.reasons) == [KEPT] * len(ids)
    places = [screen / one for one in found.columns["inputs"]]
    assert len({str(one).lower() for one in places}) == len(ids)
    for place in places:
        assert place.resolve().parent == (screen / "dft_inputs").resolve()
        assert set(contents(place)) == FILES
    assert set(os.listdir(tmp_path)) == {"screen"}
    assert found.columns["inputs"][2] == "dft_inputs/a-b"


@pytest.mark.parametrize("one", ["mp-149", "agm001234567", "Si_2.cif", "icsd 12"])
def test_plain_ids_stay_readable(one: str) -> None:
    assert safe_name(one).startswith(one.split()[0])
    assert (safe_name(one) == one) == (" " not in one)


def test_the_same_again_changes_nothing_and_other_inputs_go_beside(tmp_path: Path) -> None:
    table = table_of({"a": salt()})
    first = judged(DftInputs(), table, tmp_path)
    folder = tmp_path / "dft_inputs"
    (folder / "a" / "OUTCAR").write_text("computed")
    before = {one: one.stat().st_mtime_ns for one in folder.rglob("*")}
    again = judged(DftInputs(), table, tmp_path)
    assert list(again.columns["inputs"]) == list(first.columns["inputs"])
    assert {one: one.stat().st_mtime_ns for one in folder.rglob("*")} == before
    other = judged(DftInputs(incar={"NCORE": 4}), table, tmp_path)
    place = other.columns["inputs"][0]
    assert place.startswith("dft_inputs/a-")
    assert "NCORE" in (tmp_path / place / "INCAR").read_text()
    assert "NCORE" not in (folder / "a" / "INCAR").read_text()
    (tmp_path / place / "INCAR").write_text("mine")
    third = judged(DftInputs(incar={"NCORE": 4}), table, tmp_path)
    assert list(third.reasons) == [dft_inputs.TAKEN]
    assert (tmp_path / place / "INCAR").read_text() == "mine"


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Not even where the same files lie behind them."""
    table, outside = table_of({"a": salt()}), tmp_path / "outside"
    judged(DftInputs(), table, outside)
    (tmp_path / "dft_inputs").mkdir()
    (tmp_path / "dft_inputs" / "a").symlink_to(outside / "dft_inputs" / "a")
    found = judged(DftInputs(), table, tmp_path)
    assert found.columns["inputs"][0] != "dft_inputs/a"
    assert os.listdir(outside / "dft_inputs") == ["a"]


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    scratch = tmp_path / "dft_inputs" / ".a.unfinished"
    scratch.mkdir(parents=True)
    (scratch / "INCAR").write_text("half")
    (scratch / ".KPOINTS.x7").write_text("half")
    judged(DftInputs(), table_of({"a": salt()}), tmp_path)
    assert os.listdir(tmp_path / "dft_inputs") == ["a"]
    assert set(contents(tmp_path / "dft_inputs" / "a")) == FILES
    assert "half" not in (tmp_path / "dft_inputs" / "a" / "INCAR").read_text()


def test_a_full_disk_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dft_inputs.os, "rename", full)
    with pytest.raises(GnnmatError, match=r"cannot be written(.|\n)*No space left"):
        judged(DftInputs(), table_of({"a": salt()}), tmp_path)
    assert os.listdir(tmp_path / "dft_inputs") == []


def test_elements_without_potential_are_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    table = table_of({"am": bulk("Am", "fcc", a=5.0), "a": salt()})
    found = judged(DftInputs(), table, tmp_path)
    assert list(found.reasons) == [dft_inputs.NO_POTENTIAL, KEPT]
    assert list(found.columns["inputs"].isna()) == [True, False]


def test_an_exception_of_pymatgen_is_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets.MPRelaxSet, "kpoints", property(lambda _: 1 / 0))
    found = judged(DftInputs(), table_of({"a": salt()}), tmp_path)
    assert list(found.reasons) == ["failed: pymatgen raised ZeroDivisionError"]
    assert "ZeroDivisionError: division by zero" in found.notes[0]


def test_potcars_are_written_where_pymatgen_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path))
    absent = judged(DftInputs(), table_of({"a": salt()}), tmp_path)
    assert absent.notes == (dft_inputs.SOME_MISSING,)
    assert set(contents(tmp_path / absent.columns["inputs"][0])) == FILES
    monkeypatch.setattr(sets.MPRelaxSet, "potcar", property(lambda _: "licensed text"))
    found = judged(DftInputs(), table_of({"b": salt()}), tmp_path)
    place = tmp_path / found.columns["inputs"][0]
    assert (place / "POTCAR").read_text() == "licensed text"


def test_what_pymatgen_warns_of_is_a_note(tmp_path: Path) -> None:
    found = judged(DftInputs(), table_of({"cu": bulk("Cu")}), tmp_path)
    assert any("metal with ISMEAR < 0" in note for note in found.notes)


def test_stages_of_other_names_have_folders_of_their_own(tmp_path: Path) -> None:
    found = judged(DftInputs(name="static / run"), table_of({"a": salt()}), tmp_path)
    folder = found.columns["inputs"][0].split("/")[0]
    assert folder.startswith("static-run-")
    assert (tmp_path / folder / "a" / "INCAR").is_file()
