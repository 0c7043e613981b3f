"""Beginning with a run, searching over options and auditing labels, from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from ..train.tiny import (  # noqa: F401
    crystals,
    graph_cache,
    trained,
    volumes,
    write_cifs,
)
from .invoking import Invoke

OPTIONS = ["trainer.epochs=1", "trainer.batch_size=6", "trainer.accelerator=cpu",
           "trainer.threads=1", "trainer.ema=null", "trainer.logs=[]", "split.val=0.2"]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> list[object]:
    """Options that name crystals and a target of a user's own."""
    folder = write_cifs(tmp_path / "cifs", 30)
    values = pd.DataFrame({"id": [f"c{n:02d}" for n in range(30)], "v": volumes(crystals(30))})
    values.to_csv(tmp_path / "values.csv", index=False)
    words: list[object] = ["-s", folder, "-t", tmp_path / "values.csv", "--target", "v", "-q"]
    return words + [word for option in OPTIONS for word in ("--set", option)]


def test_train_begins_with_a_run_and_takes_its_model(
    invoke: Invoke, data: list[object], tmp_path: Path
) -> None:
    done = invoke("train", *data, "--from", trained().folder, "--freeze", "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    written = (tmp_path / "run" / "config.yaml").read_text()
    assert "width: 8" in written
    assert "freeze: true" in written
    told = invoke("train", *data[:6], "--from", trained().folder, "-o", tmp_path / "again",
                  *data[7:])  # fmt: skip
    assert "Begins with" in told.output
    assert "the head is drawn anew" in told.output
    refused = invoke("train", *data, "--from", trained().folder, "--set", "model.width=16",
                     "-o", tmp_path / "other")  # fmt: skip
    assert refused.exit_code == 2
    assert "model.width: 8 there, 16 here" in refused.output
    assert "--set model.width=8" in refused.output
    assert not (tmp_path / "other").exists()


def test_freeze_needs_from(invoke: Invoke) -> None:
    refused = invoke("train", "known_crystals", "--freeze")
    assert refused.exit_code == 2
    assert "--freeze needs --from" in refused.output
    clash = invoke("train", "--resume", "x", "--from", "y")
    assert "takes no other option" in clash.output


def test_search_writes_a_recipe_that_train_takes(
    invoke: Invoke, data: list[object], tmp_path: Path
) -> None:
    words = [*data, "--set", "model.width=8", "--set", "model.layers=1",
             "--set", "optimizer.lr=1e-3"]  # fmt: skip
    found = invoke("tune", *words, "--budget", 2, "--space", "optimizer.lr=1e-3,1e-2",
                   "-o", tmp_path / "s")  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "trial 2 of 2:" in found.output
    assert ", best 0." in found.output or ", best 1." in found.output
    best = invoke("train", tmp_path / "s" / "best.yaml", "-o", tmp_path / "run", "-q")
    assert best.exit_code == 0, best.output
    wrong = invoke("tune", *words, "--space", "model.widht=1,2", "-o", tmp_path / "t")
    assert wrong.exit_code == 2
    assert "Did you mean 'width'" in wrong.output
    assert not (tmp_path / "t").exists()


@pytest.mark.filterwarnings("always::gnnmat.errors.GnnmatWarning")
def test_search_says_no_best_before_a_trial_ended(
    invoke: Invoke, data: list[object], tmp_path: Path
) -> None:
    words = ["--budget", 2, "--space", "optimizer.lr=1e30,2e30", "-o", tmp_path / "s"]
    found = invoke("tune", *data, "--set", "model.width=8", *words)
    assert found.exit_code == 2
    assert "trial 1 of 2: The loss became" in found.output
    assert "best" not in found.output
    assert "Note: The recipe itself lies outside the space and is not tried" in found.output


def test_audit_notes_what_the_first_run_knew(invoke: Invoke, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained().folder, run)
    text = (run / "config.yaml").read_text()
    assert "  run: null" in text
    (run / "config.yaml").write_text(text.replace("  run: null", "  run: /gone"))
    shown = invoke("audit", run)
    assert "Note: 12 labels may be training labels of /gone" in shown.output


def test_ids_that_look_like_markup_are_printed_as_they_are(invoke: Invoke, tmp_path: Path) -> None:
    run = shutil.copytree(trained().folder, tmp_path / "run")
    table = pd.read_csv(run / "predictions.csv")
    table["id"] = table["id"].astype(str) + "[/b][bold]"
    table.to_csv(run / "predictions.csv", index=False)
    shown = invoke("audit", run)
    assert shown.exit_code == 0
    assert "[/b][bold]" in shown.output


def test_audit_lists_and_writes(invoke: Invoke, tmp_path: Path) -> None:
    run = trained().folder
    shown = invoke("audit", run, "--top", 3, "-o", tmp_path / "a.csv")
    assert shown.exit_code == 0, shown.output
    assert "of 12 labels are suspect" in shown.output
    assert len(pd.read_csv(tmp_path / "a.csv")) == 12
    assert invoke("audit", run, "-o", tmp_path / "a.html").exit_code == 0
    assert "Suspect labels" in (tmp_path / "a.html").read_text()
    assert "ends in .csv or .html" in invoke("audit", run, "-o", tmp_path / "a.txt").output
    assert "learned, linear or log" in invoke("audit", run, "--scale", "cube").output
