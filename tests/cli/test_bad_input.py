"""Targets that cannot be learned as they are: what the command line says of each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from gnnmat.cli import app  # noqa: TID251
from typer.testing import CliRunner, Result

from ..train import tiny
from ..train.tiny import graph_cache  # noqa: F401

SIZES = {"Al": 4.05, "Cu": 3.61, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pt": 3.92}
NAMES = tuple(SIZES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six fcc metals as CIF files, one atom each."""
    from pymatgen.core import Lattice, Structure

    place = tmp_path_factory.mktemp("cifs")
    for name, a in SIZES.items():
        metal = Structure(Lattice.cubic(a), [name], [[0, 0, 0]])
        metal.to(filename=str(place / f"{name}.cif"))
    return place


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def said(result: Result) -> str:
    """Everything the command printed, on one line."""
    return " ".join((result.stdout + result.stderr).split())


def trained(folder: Path, tmp_path: Path, values: dict[str, list[object]], *more: object) -> str:
    """What is said when the first column is learned for one epoch."""
    table = tmp_path / "values.csv"
    pd.DataFrame({"id": NAMES, **values}).to_csv(table, index=False)
    words = ["train", "-s", folder, "-t", table, "--target", next(iter(values)), "--epochs", 1]
    result = call(*words, "-q", "-o", tmp_path / "run", *SMALL, *more)
    assert result.exit_code in (0, 2), said(result)
    return said(result)


SMALL = ("--set", "model.width=4", "--set", "model.layers=1", "--set", "trainer.logs=[]")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [1, 2, "1.2 eV", 4, 5, 6],
            "holds the text '1.2 eV' ('Ag'), expected a number. 5 of the 6",
        ),
        (["a", "b", "c", "a", "b", "c"], "holds the text 'c' ('Ag'), expected a number."),
        ([1, 2, "inf", 4, 5, 6], "holds an infinite value ('Ag')"),
        ([1, 2, 1e39, 4, 5, 6], "holds 1e+39 ('Ag'): too large to learn"),
        ([7, 7, 7, 7, 7, 7], "nothing to learn from a constant"),
        (["", "n/a", "", "-", "", ""], "holds no number at all"),
    ],
    ids=["unit", "words", "infinite", "large", "constant", "empty"],
)
def test_a_column_that_is_no_numbers_is_refused_in_words(
    folder: Path,
    tmp_path: Path,
    values: list[object],
    words: str,
) -> None:
    assert words in trained(folder, tmp_path, {"gap": values})
    assert not (tmp_path / "run").exists(), "the mended run would be refused"


def test_a_text_in_another_column_does_not_stop_the_run(folder: Path, tmp_path: Path) -> None:
    values = {"size": [1, 2, 3, 4, 5, 6], "note": [1, 2, "see text", 4, 5, "inf"]}
    assert "Scores on" in trained(folder, tmp_path, values)


def test_one_class_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    words = ["--task", "classification"]
    found = trained(folder, tmp_path, {"metal": ["yes"] * 6}, *words)
    assert "holds only the class 'yes', at least two are needed" in found


def test_one_class_in_the_training_rows_is_refused_in_words(folder: Path, tmp_path: Path) -> None:
    table = {"metal": ["no", "yes", "yes", "yes", "yes", "yes"], "part": ["test", *["train"] * 5]}
    split = ["--set", "split.kind=column", "--set", "split.column=part"]
    found = trained(folder, tmp_path, table, "--task", "classification", *split)
    assert "'metal' has one class only in the training rows. All 5 labelled rows are 'yes'" in found


def test_a_unit_that_disagrees_with_the_model_is_refused(tmp_path: Path) -> None:
    from gnnmat.errors import GnnmatError
    from gnnmat.sources.table import TableSource
    from gnnmat.workflows.evaluating import evaluate_run
    from gnnmat.workflows.training import train

    path = tiny.write_table(tmp_path / "t.parquet", pd.DataFrame({"gap": range(12)}))
    source = {"data__source__kind": "table", "data__source__path": str(path)}
    run = train(tiny.config("gap", **source, data__source__units="{gap: eV}"), tmp_path / "run")
    other = TableSource(path=str(path), units={"gap": "meV"}).open()
    with pytest.raises(GnnmatError, match="'gap' is in meV, but the model learned it in eV"):
        evaluate_run(run.folder, other)


def test_batches_of_one_crystal_train(tmp_path: Path) -> None:
    path = tiny.write_table(tmp_path / "t.parquet", pd.DataFrame({"gap": range(12)}))
    # Crystals of two atoms: normalisation needs more than one value.
    table = pd.read_parquet(path)
    table = table[table["numbers"].map(len) == 2]
    table.to_parquet(path)
    words = ["--set", "data.source.kind=table", "--set", f"data.source.path={path}"]
    words += ["--set", "trainer.batch_size=1", "--set", "data.targets=[gap]", *SMALL]
    result = call("train", "crystals", *words, "--epochs", 1, "-q", "-o", tmp_path / "run")
    assert result.exit_code == 0, said(result)


def test_a_batch_of_one_atom_is_trained_or_refused_in_words(folder: Path, tmp_path: Path) -> None:
    values = {"size": [1, 2, 3, 4, 5, 6]}
    found = trained(folder, tmp_path, values, "--set", "trainer.batch_size=1")
    assert "A training batch holds a single atom" in found or "Scores on" in found


def test_one_crystal_for_training_is_trained_or_refused_in_words(
    folder: Path,
    tmp_path: Path,
) -> None:
    values = {"size": [1, "", "", "", "", ""]}
    found = trained(folder, tmp_path, values)
    assert "A training batch holds a single atom" in found or "Report:" in found
