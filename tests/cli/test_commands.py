"""The command line as a user meets it: train, predict, evaluate, crossval, config."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from gnnmat.errors import GnnmatError
from gnnmat.train.config import load_config, parse_config

from ..train.tiny import crystals, graph_cache, trained, volumes, write_cifs  # noqa: F401
from .invoking import Invoke

GNNMAT = str(Path(sys.executable).with_name("gnnmat"))
SMALL = ("epochs=2", "batch_size=6", "accelerator=cpu", "threads=1", "ema=null", "logs=[]")
OPTIONS = [f"trainer.{one}" for one in SMALL] + ["model.width=8", "model.layers=1"]
SETTINGS = [word for option in OPTIONS for word in ("--set", option)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``cifs/``, one of them broken, and ``values.csv``."""
    home = tmp_path_factory.mktemp("data")
    folder = write_cifs(home / "cifs", 24)
    (folder / "broken.cif").write_text("data_broken\nthis is no crystal\n")
    names = [f"c{number:02d}" for number in range(24)] + ["broken"]
    values = [*volumes(crystals(24)), 20.0]
    pd.DataFrame({"name": names, "volume": values}).to_csv(home / "values.csv", index=False)
    return home


def given(data: Path) -> list[object]:
    return ["--structures", data / "cifs", "--targets", data / "values.csv", "--target", "volume"]


@pytest.fixture(scope="module")
def installed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The run, the output and the errors of the installed command."""
    folder = tmp_path_factory.mktemp("installed") / "run"
    line = [GNNMAT, "train", *given(data), "--output", folder, *SETTINGS]
    line += ["--set", "trainer.logs=[tensorboard]"]
    done = subprocess.run(
        [str(word) for word in line],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, done.stderr


def test_training_without_yaml_tells_what_it_did(installed: tuple[Path, str, str]) -> None:
    folder, out, _ = installed
    assert f"24 read, 1 refused (reasons in {folder}/refused.csv)" in out
    assert "MAE" in out
    assert "composition forest" in out
    assert f"Report:    {folder}/report.html" in out
    assert f"Try next:  gnnmat predict {folder} YOUR_CRYSTAL.cif" in out
    refused = pd.read_csv(folder / "refused.csv")
    assert refused["id"].tolist() == ["broken"]
    assert (folder / "report.html").is_file()
    assert list((folder / "tensorboard").iterdir())


def test_console_is_ours_alone(installed: tuple[Path, str, str]) -> None:
    """No tip, no device line, no warning of a library."""
    assert installed[2] == ""


def test_help_answers_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['gnnmat', '--help']\n"
        "import importlib; app = importlib.import_module('gnnmat.cli').app\n"
        "try: app()\nexcept SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'lightning', 'pymatgen', 'ase', 'pandas', 'sklearn'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("train", "predict", "evaluate", "crossval", "config", "datasets"):
        assert name in done.stdout
    assert time.monotonic() - began < 20  # a second alone on a machine; this one may be busy


@pytest.mark.parametrize("name", ["train", "predict", "evaluate", "crossval", "config"])
def test_every_command_has_examples(name: str, invoke: Invoke) -> None:
    done = invoke(name, "--help")
    assert done.exit_code == 0
    assert f"gnnmat {name}" in done.output


def test_version_is_printed(invoke: Invoke) -> None:
    import gnnmat

    assert invoke("--version").output.strip() == gnnmat.__version__


def test_typing_mistake_in_an_option_is_met_with_the_right_one(invoke: Invoke) -> None:
    done = invoke("train", "--set", "model.widht=3")
    assert done.exit_code == 2
    assert "Error: model.widht: unknown option." in done.stderr
    assert "Fix: Did you mean 'width'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", [("--debug", "train"), ("train", "--debug")])
def test_debug_shows_the_traceback(words: tuple[str, ...], invoke: Invoke) -> None:
    with pytest.raises(GnnmatError, match="unknown option"):
        invoke(*words, "--set", "model.widht=3")


def test_debug_prints_a_traceback_and_plain_use_does_not() -> None:
    line = [GNNMAT, "predict", "nowhere", "x.cif"]
    both = [  # side by side: each spends its time on imports
        subprocess.Popen([*line, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for more in ([], ["--debug"])
    ]
    plain, debug = (one.communicate()[1] for one in both)
    assert [one.returncode == 2 for one in both] == [True, False]
    assert both[1].returncode != 0
    assert plain.startswith("Error: nowhere is not a finished run")
    assert "Traceback" not in plain
    assert "Traceback" in debug


def test_interrupted_command_ends_with_130(
    invoke: Invoke, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnnmat.models.gated import GatedEncoder

    original = GatedEncoder.local
    steps = {"taken": 0}

    def local(self: GatedEncoder, batch: object) -> object:
        steps["taken"] += 1
        if steps["taken"] == 7:
            raise KeyboardInterrupt
        return original(self, batch)  # type: ignore[arg-type]

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(GatedEncoder, "local", local)
        done = invoke("train", *given(data), "--output", folder, *SETTINGS)
    assert done.exit_code == 130
    assert f"Interrupted. Go on with: gnnmat train --resume {folder}" in done.stderr
    done = invoke("train", "--resume", folder)
    assert done.exit_code == 0
    assert "from the start" not in done.stdout
    assert "24 read, 1 refused" in done.stdout


def test_run_without_a_finished_epoch_begins_from_the_start(
    invoke: Invoke, installed: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(installed[0] / "config.yaml", folder)
    done = invoke("train", "--resume", folder)
    assert done.exit_code == 0
    assert "No epoch was finished before; training begins from the start." in done.stdout
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1, 2]


def test_finished_run_is_not_trained_again(
    invoke: Invoke, installed: tuple[Path, str, str]
) -> None:
    folder = installed[0]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = invoke("train", "--resume", folder)
    assert done.exit_code == 0
    assert f"{folder} was finished before; nothing was trained." in done.stdout
    assert "MAE" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("words", [("--epochs", "5"), ("--set", "x=1"), ("--overwrite",), ("r",)])
def test_resume_takes_no_other_option(
    words: tuple[str, ...], invoke: Invoke, installed: tuple[Path, str, str]
) -> None:
    done = invoke("train", "--resume", installed[0], *words)
    assert done.exit_code == 2
    assert "takes no other option" in done.stderr


def test_nothing_to_resume_is_said(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("train", "--resume", tmp_path)
    assert done.exit_code == 2
    assert "is not a run" in done.stderr
    assert done.stdout == ""


def test_taken_folder_is_refused(
    invoke: Invoke, data: Path, installed: tuple[Path, str, str]
) -> None:
    done = invoke("train", *given(data), "--output", installed[0])
    assert done.exit_code == 2
    assert "already holds a run" in done.stderr
    assert "--overwrite" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--targets", "values.csv"], "--targets needs --structures"),
        (["--structures", "absent/"], "absent"),
        (["nothing.yaml"], "There is no recipe 'nothing.yaml'"),
        (["--target", "hardness"], "No column 'hardness'"),
        (["--task", "clasification"], "task.kind"),
        (["--epochs", "0"], "trainer.epochs: input should be greater than 0"),
    ],
)
def test_mistakes_are_said_in_words(
    words: list[str], told: str, invoke: Invoke, tmp_path: Path
) -> None:
    done = invoke("train", *words, "--output", tmp_path / "run")
    assert done.exit_code == 2
    assert told in done.stderr


def test_target_of_several_columns_is_asked_for(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    table = pd.read_csv(data / "values.csv").assign(gap=1.0)
    table.to_csv(tmp_path / "two.csv", index=False)
    words = ["--structures", data / "cifs", "--targets", tmp_path / "two.csv"]
    done = invoke("train", *words, "--output", tmp_path / "run")
    assert done.exit_code == 2
    assert "Which column is to be learned?" in done.stderr
    assert "Columns: volume, gap." in done.stderr


def test_prediction_of_files_and_folders(
    invoke: Invoke, data: Path, installed: tuple[Path, str, str], tmp_path: Path
) -> None:
    done = invoke("predict", installed[0], data / "cifs" / "c03.cif")
    assert done.exit_code == 0
    assert "c03" in done.stdout
    assert "volume" in done.stdout
    assert done.stderr == ""
    csv = tmp_path / "out.csv"
    done = invoke("predict", installed[0], data / "cifs", "--output", csv)
    assert done.exit_code == 0
    assert f"Predictions: {csv}" in done.stdout
    assert "24 predicted, 1 refused" in done.stderr
    assert "refused  broken: " in done.stderr
    table = pd.read_csv(csv)
    assert len(table) == 25
    assert table["prediction"].notna().sum() == 24
    stored = pd.read_csv(installed[0] / "predictions.csv").set_index("id")["prediction"]
    good = table.dropna(subset="prediction").set_index("id")["prediction"]
    assert good[stored.index].to_numpy() == pytest.approx(stored.to_numpy(), rel=1e-4)


def test_prediction_of_nothing_readable_is_an_error(
    invoke: Invoke, data: Path, installed: tuple[Path, str, str]
) -> None:
    done = invoke("predict", installed[0], data / "cifs" / "broken.cif")
    assert done.exit_code == 2
    assert "broken" in done.stderr


def test_stored_scores_are_shown_again(invoke: Invoke, installed: tuple[Path, str, str]) -> None:
    done = invoke("evaluate", installed[0])
    assert done.exit_code == 0
    table = installed[1].split("Scores on")[1].split("Report:")[0].strip()
    words = table.split()
    assert done.stdout.split("Scores on")[1].split() == words


def test_new_data_are_scored(
    invoke: Invoke, data: Path, installed: tuple[Path, str, str], tmp_path: Path
) -> None:
    csv = tmp_path / "out.csv"
    words = ["--structures", data / "cifs", "--targets", data / "values.csv", "--output", csv]
    done = invoke("evaluate", installed[0], *words)
    assert done.exit_code == 0
    assert "24 read, 1 refused" in done.stdout
    assert "refused  broken" in done.stdout
    assert "MAE" in done.stdout
    table = pd.read_csv(csv)
    expected = (table["truth"] - table["prediction"]).abs().mean()
    line = next(line for line in done.stdout.splitlines() if "MAE" in line)
    assert f"{expected:.3g}" in line


def test_evaluation_needs_the_truth(
    invoke: Invoke, data: Path, installed: tuple[Path, str, str]
) -> None:
    done = invoke("evaluate", installed[0], "--targets", data / "values.csv")
    assert done.exit_code == 2
    assert "--targets needs --structures" in done.stderr
    done = invoke("evaluate", installed[0], "--structures", data / "cifs")
    assert done.exit_code == 2
    assert "No column 'volume'" in done.stderr


def test_folds_are_trained_and_go_on(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    source = {"kind": "files", "structures": str(data / "cifs")}
    source["targets"] = str(data / "values.csv")
    plain = {"name": "gap", "data": {"source": source, "targets": ["volume"]}}
    recipe.write_text(yaml.safe_dump(plain))
    line = ["crossval", recipe, "--folds", "2", "--output", tmp_path / "cv", *SETTINGS]
    done = invoke(*line)
    assert done.exit_code == 0
    assert "fold 0: MAE" in done.stdout
    assert "fold 1: MAE" in done.stdout
    assert f"Held-out predictions: {tmp_path}/cv/predictions.csv" in done.stdout
    assert len(pd.read_csv(tmp_path / "cv" / "predictions.csv")) == 24
    kept = tmp_path / "cv" / "fold-0" / "weights.safetensors"
    before = kept.stat().st_mtime_ns
    shutil.rmtree(tmp_path / "cv" / "fold-1")
    again = invoke(*line)
    assert again.exit_code == 0
    assert again.stdout == done.stdout
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("recipe", ["crystals", "known_crystals"])
def test_printed_recipe_reads_back_and_explains_itself(recipe: str, invoke: Invoke) -> None:
    done = invoke("config", recipe, "--set", "trainer.epochs=7")
    assert done.exit_code == 0
    assert parse_config(yaml.safe_load(done.stdout)) == load_config(recipe, ["trainer.epochs=7"])
    assert "# Passes over the training rows." in done.stdout


def test_evaluation_of_a_run_without_scores_says_how_to_go_on(
    invoke: Invoke, tmp_path: Path
) -> None:
    shutil.copy(trained().folder / "config.yaml", tmp_path)
    done = invoke("evaluate", tmp_path)
    assert done.exit_code == 2
    assert f"gnnmat train --resume {tmp_path}" in done.stderr


def test_default_folder_is_named_after_the_recipe(
    invoke: Invoke, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("train", *given(data), *SETTINGS, "--set", "name=volume", "--quiet")
    assert done.exit_code == 0
    assert "Report:    runs/volume/report.html" in done.stdout
    chosen = yaml.safe_load((tmp_path / "runs/volume/config.yaml").read_text())
    assert os.path.isabs(chosen["data"]["source"]["targets"])
