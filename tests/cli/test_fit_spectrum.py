"""``gnnmat fit-spectrum`` as a user meets it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gnnmat.errors import GnnmatError
from gnnmat.sources.spectrum import write_spectrum
from gnnmat.workflows.set_folder import simulation_text

from ..workflows.test_fit_spectrum import QUICK, TRUTH, measured, small

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs the command in this process, with little effort."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("gnnmat.simulation.inference.contender.Effort", lambda: QUICK)
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: object) -> Result:
        line = ["fit-spectrum", *(str(word) for word in words), "--device", "cpu"]
        return CliRunner().invoke(app, line, catch_exceptions=False)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A spectrum and a simulation."""
    folder = tmp_path_factory.mktemp("files")
    simulation = folder / "square.yaml"
    simulation.write_text(simulation_text(small()))
    return write_spectrum(folder / "made.npz", measured(small(), TRUTH)), simulation


def test_the_command_prints_couplings_odds_advice_and_a_conclusion(
    invoke: Invoke, files: tuple[Path, Path], tmp_path: Path
) -> None:
    spectrum, simulation = files
    done = invoke(spectrum, "-s", simulation, "-o", tmp_path / "fit", "--next-ei", "12")
    assert done.exit_code == 0, done.output
    assert "frustrated, with odds of 10^" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("J2"))
    assert row.split()[3] == "meV"
    assert float(row.split()[1]) == pytest.approx(0.6, abs=0.2)
    assert "Ei 12 meV, all slices" in done.stdout
    assert f"To look at: {tmp_path}/fit/fit.html" in done.stdout
    assert (tmp_path / "fit" / "fit.json").is_file()


@pytest.mark.filterwarnings("default::gnnmat.errors.GnnmatWarning")
def test_a_spectrum_without_a_mask_is_fitted_with_a_note(
    invoke: Invoke, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnnmat.workflows.fit_spectrum.fit_all", stop)
    _, simulation = files
    made = measured(small(), TRUTH)
    whole = replace(made, mask=np.zeros_like(made.mask), name="whole")
    spectrum = write_spectrum(tmp_path / "whole.npz", whole)
    absent = "instrument.mask=$NOWHERE/gaps.npz"
    done = invoke(spectrum, "-s", simulation, "--set", absent, "--hypothesis", "heisenberg")
    assert "reached" in done.stderr
    assert "Note: 'whole' comes without a mask, and none is at hand" in done.stderr
    done = invoke(spectrum, "-s", simulation, "--mask", "absent.npy")
    assert done.exit_code == 2
    assert "absent.npy" in done.stderr


def stop(*_: object, **__: object) -> None:
    """In place of the fit, whose result does not matter here."""
    raise GnnmatError("reached")


def test_mistakes_are_said_in_words(invoke: Invoke, files: tuple[Path, Path]) -> None:
    spectrum, simulation = files
    done = invoke(spectrum, "-s", simulation, "--hypothesis", "frustratd")
    assert done.exit_code == 2
    assert "There is no hypothesis 'frustratd'" in done.stderr
    assert "Did you mean 'frustrated'?" in done.stderr
    done = invoke(spectrum, "-s", simulation, "--start", "no-such-run")
    assert done.exit_code == 2
    assert "no-such-run" in done.stderr
    done = invoke("absent.npz", "-s", simulation)
    assert done.exit_code == 2
    assert "absent.npz" in done.stderr
