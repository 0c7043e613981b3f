"""Ensembles, thresholds and verdicts from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from ..train.tiny import (  # noqa: F401
    crystals,
    graph_cache,
    trained,
    volumes,
    write_cifs,
)
from .invoking import Invoke

TINY = ("trainer.epochs=1", "trainer.batch_size=6", "trainer.accelerator=cpu", "trainer.threads=1")
OPTIONS = [*TINY, "trainer.ema=null", "trainer.logs=[]", "model.width=8", "model.layers=1"]


def test_ensemble_is_trained_gone_on_with_judged_and_used(invoke: Invoke, tmp_path: Path) -> None:
    folder = write_cifs(tmp_path / "cifs", 30)
    values = pd.DataFrame({"id": [f"c{n:02d}" for n in range(30)], "v": volumes(crystals(30))})
    values.to_csv(tmp_path / "values.csv", index=False)
    run = tmp_path / "run"
    words = ["train", "-s", folder, "-t", tmp_path / "values.csv", "--target", "v", "-o", run, "-q"]
    words += [word for option in [*OPTIONS, "split.val=0.3"] for word in ("--set", option)]
    done = invoke(*words, "--members", 2)
    assert done.exit_code == 0, done.output
    assert "member 1 is finished" in done.output
    again = invoke("train", "--resume", run)
    assert again.exit_code == 0, again.output
    refused = invoke("train", "--resume", run, "--members", 3)
    assert refused.exit_code == 2
    plain = invoke("predict", run, folder / "c00.cif")
    assert "disagreement" in plain.output
    assert "distribution" not in plain.output
    fixed = invoke("trust", run, "--false-refusal", 0.2, "-q")
    assert fixed.exit_code == 0, fixed.output
    assert "20.0% of 9 validation rows are refused" in fixed.output
    judged = invoke("predict", run, folder, "-o", tmp_path / "table.csv")
    assert "of 30 in domain" in judged.output
    table = pd.read_csv(tmp_path / "table.csv")
    assert {"verdict", "in_domain", "trust_score", "disagreement"} <= set(table.columns)
    fixed = invoke("trust", run, "--false-refusal", 0.2, "--coverage", 0.5, "-q")
    assert "50% intervals, scaled by the spread of each crystal" in fixed.output
    assert "standard deviation over the members" in fixed.output
    judged = invoke("predict", run, folder / "c00.cif")
    first = judged.output.splitlines()[0].split()
    assert {"low", "high", "disagreement"} <= set(first)
    assert " yes " in judged.output or " no " in judged.output


def test_rate_that_the_rows_cannot_show_is_refused_in_words(invoke: Invoke, tmp_path: Path) -> None:
    run = shutil.copytree(trained().folder, tmp_path / "run")
    done = invoke("predict", run, tmp_path / "nothing.cif")
    assert done.exit_code == 2
    missing = invoke("predict", "pcsmo-exchagne", tmp_path / "nothing.cif")
    assert missing.exit_code == 2
    assert "pcsmo-exchagne" in missing.output


def test_sensitivity_prints_a_line_a_change_and_writes_all_of_them(
    invoke: Invoke, tmp_path: Path
) -> None:
    folder = write_cifs(tmp_path / "cifs", 4)
    words = ("sensitivity", trained().folder, folder, "-q", "-o", tmp_path / "changes.csv")
    done = invoke(*words, "--strain", 0.02, "--rattle", 0.05)
    assert done.exit_code == 0, done.output
    for line in ("4 crystals", "strain -2.0%", "strain +2.0%", "rattle 0.05 Å"):
        assert line in done.output
    assert len(pd.read_csv(tmp_path / "changes.csv")) == 4 * (2 + 3)
    refused = invoke(*words, "--strain", 2)
    assert refused.exit_code == 2
    assert "A strain of -2 is no small change" in refused.output


def test_models_are_listed(invoke: Invoke) -> None:
    assert invoke("models").exit_code == 0
