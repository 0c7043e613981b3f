"""``gnnmat simulate`` and ``gnnmat.simulate`` as a user meets them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

import gnnmat
from gnnmat.workflows.set_folder import simulation_text

from ..workflows.square_lattice import square, stripes

Invoke = Callable[..., Result]
SMALL = ["-n", "5", "--shard-size", "4", "--workers", "1", "--device", "cpu"]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs a command in this process; exceptions that escape it fail the test."""
    monkeypatch.setenv("COLUMNS", "200")
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: object) -> Result:
        line = ["simulate", *(str(word) for word in words)]
        return CliRunner().invoke(app, line, catch_exceptions=False)

    return run


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "square.yaml"
    path.write_text(simulation_text(square()))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_the_command_says_what_became_of_the_draws(
    invoke: Invoke, recipe: Path, tmp_path: Path
) -> None:
    done = invoke(recipe, "-o", tmp_path / "set", *SMALL)
    assert done.exit_code == 0, done.output
    assert "heisenberg: 5 drawn, 5 stable, 0 unstable; 5 images" in done.stdout
    counts = gnnmat.simulate(recipe, tmp_path / "set", images=5, shard_size=4).manifest.hypotheses
    drawn, rejected = counts["frustrated"].drawn, counts["frustrated"].rejected
    assert f"frustrated: {drawn} drawn, 5 stable, {rejected} unstable; 5 images" in done.stdout
    assert f"Overview:  {tmp_path}/set/overview.html" in done.stdout
    learn = f"gnnmat train spectra --set data.source.path={tmp_path}/set"
    assert f"Try next:  {learn}" in done.stdout


def test_python_and_the_command_write_the_same_files(
    invoke: Invoke, recipe: Path, tmp_path: Path
) -> None:
    options = ["--seed", "3", "--keep-unstable", "--set", "rendering.samples=3"]
    assert invoke(recipe, "-o", tmp_path / "command", *SMALL, *options).exit_code == 0
    made = gnnmat.simulate(
        recipe,
        tmp_path / "python",
        images=5,
        seed=3,
        keep_unstable=True,
        shard_size=4,
        workers=1,
        device="cpu",
        options={"rendering.samples": 3},
    )
    assert files(made.folder) == files(tmp_path / "command")
    assert len(made.open()) == 10


def test_plain_options_and_a_simulation_do_as_well(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = yaml.safe_load(recipe.read_text())
    by_name = gnnmat.simulate(plain, images=2, workers=1, device="cpu")
    assert by_name.folder == Path("simulated/square")
    other = gnnmat.simulate(square(), "other", images=2, workers=1, device="cpu")
    assert files(by_name.folder) == files(other.folder)
    with pytest.raises(gnnmat.GnnmatError, match="Options go with the name or the file"):
        gnnmat.simulate(plain, "third", options={"rendering.samples": 3})


def test_the_written_simulation_can_be_given_again(
    invoke: Invoke, recipe: Path, tmp_path: Path
) -> None:
    assert invoke(recipe, "-o", tmp_path / "a", *SMALL).exit_code == 0
    assert invoke(tmp_path / "a" / "simulation.yaml", "-o", tmp_path / "b", *SMALL).exit_code == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_warning_stands_on_standard_error(invoke: Invoke, recipe: Path, tmp_path: Path) -> None:
    blind = ["--set", "layout.incident_energies=[10,120]", "--set", "layout.first=0.35"]
    done = invoke(recipe, "-o", tmp_path / "set", *SMALL, *blind)
    assert done.exit_code == 0
    assert "Warning: Ei 120 meV: nothing of 'heisenberg' lies in these slices" in done.stderr
    assert "Warning" not in done.stdout


def test_couplings_that_no_image_tells_apart_are_said_before_and_after(
    invoke: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "stripes.yaml"
    path.write_text(simulation_text(stripes()))
    first, again = (invoke(path, "-o", tmp_path / "set", *SMALL) for _ in range(2))
    sentence = "Warning: Hypothesis 'stripes': the image stays the same"
    lines = "    same_image: [{exchange: [[X, Y]], larger: X}]\n"
    assert (first.stderr.count(sentence), again.stderr.count(sentence)) == (2, 1)
    assert (first.stderr.count(lines), again.stderr.count(lines)) == (2, 1)
    assert first.output.rindex(sentence) > first.output.index("stripes: 5 drawn")


def test_python_warns_as_python_does(recipe: Path, tmp_path: Path) -> None:
    blind = {"layout.incident_energies": [10, 120], "layout.first": 0.35}
    with pytest.warns(UserWarning, match="Ei 120 meV: nothing of"):
        gnnmat.simulate(recipe, tmp_path / "set", images=4, workers=1, options=blind)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pcsmi"], "There is no simulation 'pcsmi'"),
        (["RECIPE", "--set", "layout.pixls=3"], "Fix: Did you mean 'pixels'?"),
        (["RECIPE", "--set", "layout.pixls=3"], "layout.pixls"),
        (["RECIPE", "--set", "hypotheses.frustrated.couplings.J1.range=3"], "couplings.J1.range"),
        (["RECIPE", "--device", "gpu"], "Unknown device 'gpu'."),
    ],
)
def test_a_mistake_is_said_in_words(
    invoke: Invoke, recipe: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    line = [recipe if word == "RECIPE" else word for word in words]
    done = invoke(*line, "-o", tmp_path / "set")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "set").exists()


def test_a_simulation_is_printed_to_begin_with() -> None:
    app = importlib.import_module("gnnmat.cli").app
    plain = CliRunner().invoke(app, ["config", "square_lattice"]).stdout
    assert "# meV" in plain
    assert yaml.safe_load(plain)["name"] == "square_lattice"
    set_ = CliRunner().invoke(app, ["config", "square_lattice", "--set", "layout.pixels=8"]).stdout
    assert yaml.safe_load(set_)["layout"]["pixels"] == 8
