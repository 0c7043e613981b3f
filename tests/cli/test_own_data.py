"""A user's own folder and table: what a refused command leaves behind, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from gnnmat.cli import app  # noqa: TID251
from typer.testing import CliRunner, Result

import gnnmat
from gnnmat.sources.crystal import Crystal, as_crystal


@pytest.fixture(autouse=True)
def _graph_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six fcc metals as CIF files."""
    from pymatgen.core import Lattice, Structure

    place = tmp_path / "cifs"
    place.mkdir()
    for name, a in {"Al": 4.05, "Cu": 3.61, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pt": 3.92}.items():
        Structure(Lattice.cubic(a), [name], [[0, 0, 0]]).to(filename=str(place / f"{name}.cif"))
    return place


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_refused_training_leaves_no_folder_that_blocks_the_mended_one(
    folder: Path, tmp_path: Path
) -> None:
    table, run = tmp_path / "values.csv", tmp_path / "run"
    table.write_text("id,size\nAl,1\nCu,1.2 eV\nAg,3\nAu,4\nNi,5\nPt,6\n")
    words = ["train", "-s", folder, "-t", table, "--target", "size", "--epochs", 1, "-q", "-o", run]
    assert call(*words).exit_code == 2
    assert not run.exists()
    table.write_text("id,size\nAl,1\nCu,1\nAg,1\nAu,1\nNi,1\nPt,1\n")
    assert "nothing to learn from a constant" in call(*words).stderr
    assert not run.exists()


def test_folder_of_other_files_is_not_made_a_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("id,size\nAl,1\nCu,2\n")
    before = sorted(folder.iterdir())
    done = call("train", "-s", folder, "-t", tmp_path / "values.csv", "-q", "-o", folder)
    assert done.exit_code == 2
    assert "is not empty and holds no run" in done.stderr
    assert sorted(folder.iterdir()) == before


def test_table_without_rows_and_folder_without_crystals_are_said(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "values.csv").write_text("id,size\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ["-t", tmp_path / "values.csv", "-q", "-o", tmp_path / "run"]
    assert "has no rows" in call("train", "-s", folder, *words).stderr
    assert f"No crystal file in {empty}" in call("train", "-s", empty, *words).stderr.replace(
        "\n", ""
    )


def test_unknown_task_is_met_with_the_right_one(folder: Path) -> None:
    done = call("train", "--task", "clasification")
    assert done.exit_code == 2
    assert "Did you mean 'classification'?" in done.stderr


def test_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    table = tmp_path / "values.csv"
    table.write_text("id\n")
    done = call("predict", tmp_path / "no-run", "x.cif", "-o", table / "p.csv")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert "not a folder" in done.stderr


def test_one_crystal_of_one_atom_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("id,size\nAl,1\n")
    done = call(
        "train", "-s", folder / "Al.cif", "-t", tmp_path / "values.csv", "--epochs", 1, "-q",
        "-o", tmp_path / "run", "--set", "model={kind: cgcnn}",
        "--set", "input={kind: crystal_graph}",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "single atom" in done.stderr


def test_fit_of_own_crystals_takes_the_recipe_for_own_crystals(tmp_path: Path) -> None:
    def metal(a: float, number: int) -> Crystal:
        return as_crystal([a, 0, 0, 0, a, 0, 0, 0, a], [number, 14], [[0, 0, 0], [0.5, 0.5, 0.5]])

    crystals = [metal(3.0 + 0.1 * k, 20 + k) for k in range(8)]
    gaps = [0.0, 0.0, 1.0, 2.0, 0.5, 0.0, 3.0, 1.5]  # zeros have no logarithm
    run = gnnmat.fit(
        structures=crystals,
        targets={"band_gap": gaps},
        output=tmp_path / "run",
        options={"trainer.epochs": 1, "trainer.logs": []},
    )
    config = gnnmat.load_config(run.folder / "config.yaml")
    assert (config.name, config.task.scale) == ("crystals", "standard")  # type: ignore[union-attr]


def test_refused_overwrite_leaves_the_run_as_it_was(folder: Path, tmp_path: Path) -> None:
    table, run = tmp_path / "values.csv", tmp_path / "run"
    table.write_text("id,size\nAl,1\nCu,2\nAg,3\nAu,4\nNi,5\nPt,6\n")
    words = ["train", "-s", folder, "-t", table, "--target", "size", "--epochs", 1, "-q", "-o", run]
    assert call(*words).exit_code == 0
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    done = call(*words, "--overwrite", "--set", "split.kind=column", "--set", "split.column=none")
    assert done.exit_code == 2
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_order_of_options_does_not_matter() -> None:
    kind, by = "split.kind=group", "split.by=prototype"
    for first, second in ((kind, by), (by, kind)):
        config = gnnmat.load_config("known_crystals", [first, second])
        assert config.split.by == "prototype"  # type: ignore[union-attr]


def test_one_target_needs_no_brackets() -> None:
    config = gnnmat.load_config("crystals", ["data.targets=band_gap"])
    assert config.data.targets == ("band_gap",)


def test_folds_by_element_are_refused_in_words() -> None:
    done = call("crossval", "--set", "split.kind=group", "--set", "split.by=element", "-q")
    assert done.exit_code == 2
    assert "cannot be cut into folds" in done.stderr
