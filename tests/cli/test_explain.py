"""``gnnmat explain`` as a user meets it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gnnmat.workflows.set_folder import simulation_text

from ..workflows.explained import ensemble, spectrum_file
from ..workflows.square_lattice import square
from ..workflows.test_fit_spectrum import QUICK

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


def test_the_command_prints_the_answer_and_writes_the_page(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(ensemble(), spectrum_file())
    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert first.split()[:2] in (["Answer:", "heisenberg"], ["Answer:", "frustrated"])
    assert second == "Verdict:  Not judged: no thresholds are set."
    assert third == "Page:     made-explanation.html"
    page = (tmp_path / "made-explanation.html").read_text("utf-8")
    assert "gradient times intensity" in page


def test_method_and_page_can_be_chosen(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(ensemble(), spectrum_file(), "--method", "cam", "-o", tmp_path / "x.html")
    assert done.exit_code == 0, done.output
    assert "exact class activation map" in (tmp_path / "x.html").read_text("utf-8")


def test_mistakes_are_said_in_words(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(ensemble(), spectrum_file(), "--method", "grad-cam")
    assert done.exit_code == 2
    assert "There is no method 'grad-cam'" in done.stderr
    assert "grad_cam" in done.stderr.split("grad-cam", 1)[1]
    done = invoke(ensemble(), "absent.npz")
    assert done.exit_code == 2
    assert "absent.npz" in done.stderr
    done = invoke("no-such-model", spectrum_file())
    assert done.exit_code == 2
    assert "no-such-model" in done.stderr
    np.savez(tmp_path / "small.npz", image=np.ones((3, 4), np.float32))
    done = invoke(ensemble(), tmp_path / "small.npz")
    assert done.exit_code == 2
    assert "(3, 4)" in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_a_run_that_knows_only_classes_gets_a_fit_from_a_search(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnnmat.simulation.inference.contender.Effort", lambda: QUICK)
    simulation = tmp_path / "square.yaml"
    simulation.write_text(simulation_text(square()))
    done = invoke(ensemble(), spectrum_file(), "--fit", simulation, "-o", tmp_path / "x.html")
    assert done.exit_code == 0, done.output
    assert "heisenberg" in (tmp_path / "x.html").read_text("utf-8")
    done = invoke(ensemble(), spectrum_file(), "--fit", "squar_lattice")
    assert done.exit_code == 2
    assert "Did you mean 'square_lattice'?" in done.stderr
