"""``gnnmat explain`` on crystals as a user meets it."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from ..train.tiny import graph_cache, trained  # noqa: F401
from ..workflows.explained_crystals import CRYSTALS, SALT, linear_ensemble, with_state

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Runs the command in this process, in an empty folder."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: object) -> Result:
        line = ["explain", *(str(word) for word in words)]
        return CliRunner().invoke(app, line, catch_exceptions=False)

    return run


def test_one_crystal_gives_a_page_here(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(linear_ensemble(), SALT)
    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert first.startswith("NaCl: volume = ")
    assert second.split()[::2] == ["Na", "Cl"]
    assert third == "Page:   NaCl-explanation.html"
    page = (tmp_path / "NaCl-explanation.html").read_text("utf-8")
    assert "Completeness error" in page


def test_several_crystals_give_a_folder_and_say_what_was_refused(
    invoke: Invoke, tmp_path: Path
) -> None:
    done = invoke(linear_ensemble(), SALT, CRYSTALS / "Si.vasp", "absent.cif")
    assert done.exit_code == 0, done.output
    assert "Folder: explanations" in done.stdout
    assert "refused  absent" in done.stderr
    found = {path.name for path in (tmp_path / "explanations").iterdir()}
    assert {"index.html", "NaCl.html", "Si.html", "atoms.csv", "bonds.csv"} <= found


def test_a_table_and_the_checks(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(linear_ensemble(), SALT, "-o", "x.csv", "--check", "--method", "elements")
    assert done.exit_code == 0, done.output
    assert "Table:  x.csv" in done.stdout
    assert "contributions of atoms add up" in done.stdout
    assert set(pd.read_csv(tmp_path / "x.csv")["part"]) == {"atom", "bond"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "cam"], "no method 'cam' for crystals"),
        (["--target", "volumes"], "Did you mean 'volume'?"),
        (["--class", "large"], "has no class 'large'"),
        (["--atom", "3"], "not one an atom"),
        (["--fit", "pcsmo"], "--fit is for spectra"),
        (["other.cif", "-o", "x.html"], "one page, but there are 2 crystals"),
        (["-o", "taken"], "there is a file of that name"),
    ],
)
def test_mistakes_are_said_in_words(
    invoke: Invoke, tmp_path: Path, words: list[str], said: str
) -> None:
    shutil.copy(SALT, tmp_path / "other.cif")
    (tmp_path / "taken").write_text("a file")
    done = invoke(linear_ensemble(), SALT, *words)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_options_of_crystals_are_refused_for_spectra(invoke: Invoke) -> None:
    done = invoke("pcsmo-exchange", "x.npz", "--check")
    assert done.exit_code == 2
    assert "are for crystals" in done.stderr
    done = invoke("pcsmo-exchange", "x.npz", "y.npz")
    assert done.exit_code == 2
    assert "One spectrum" in done.stderr


def test_a_state_is_given_by_name(invoke: Invoke) -> None:
    words = ("--state", "temperature=300", "--state", "functional=PBE", "-o", "x.html")
    done = invoke(with_state(), SALT, *words)
    assert done.exit_code == 0, done.output
    for said, wrong in (
        ("trained with the state 'temperature'", ()),
        ("expected NAME=VALUE", ("--state", "temperature")),
        ("'temperature' twice: 1 and 2", ("--state", "temperature=1", "--state", "temperature=2")),
    ):
        done = invoke(with_state(), SALT, *wrong)
        assert done.exit_code == 2
        assert said in done.stderr
