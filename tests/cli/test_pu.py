"""``gnnmat pu`` on a user's own crystals and labels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..train.tiny import graph_cache, write_cifs  # noqa: F401
from ..workflows.pu.made import labels
from .invoking import Invoke

OPTIONS = ["trainer.epochs=1", "trainer.batch_size=16", "trainer.accelerator=cpu",
           "trainer.threads=1", "trainer.logs=[]", "model.width=8", "model.layers=1",
           "pu.folds=2", "pu.val=0.2"]  # fmt: skip


def command(folder: Path, values: list[object], count: int) -> list[object]:
    cifs = write_cifs(folder / "cifs", count)
    table = pd.DataFrame({"id": [f"c{number:02d}" for number in range(count)], "made": values})
    table.to_csv(folder / "labels.csv", index=False)
    words: list[object] = ["pu", "-s", cifs, "-t", folder / "labels.csv", "--target", "made"]
    words += ["-n", 2, "-o", folder / "run", "-q"]
    return words + [word for option in OPTIONS for word in ("--set", option)]


def test_from_labels_to_scores_of_new_crystals(invoke: Invoke, tmp_path: Path) -> None:
    words = command(tmp_path, list(labels(40)), 40)
    found = invoke(*words)
    assert found.exit_code == 0, found.output
    for said in ("fit 2 of 2", "composition alone", "Above a score of 0.5", "report.html"):
        assert said in found.output
    again = invoke(*words)
    assert again.exit_code == 0
    new = invoke("predict", tmp_path / "run", tmp_path / "cifs" / "c00.cif")
    assert new.exit_code == 0, new.output
    assert "standard error" in new.output
    assert "probability" not in new.output
    why = invoke("explain", tmp_path / "run", tmp_path / "cifs" / "c00.cif", "-o", tmp_path / "why")
    assert why.exit_code == 0, why.output
    assert "log-odds of '1'" in why.output
    assert "nearest positives: c" in why.output
    page = next((tmp_path / "why").glob("c00*.html")).read_text()
    assert "Nearest known positives" in page


def test_labels_with_a_third_word_are_refused(invoke: Invoke, tmp_path: Path) -> None:
    values: list[object] = [*labels(40)]
    values[3] = "unknown"
    found = invoke(*command(tmp_path, values, 40))
    assert found.exit_code == 2
    assert "'unknown' (1 rows), first for 'c03'" in found.output


def test_a_recipe_that_does_not_exist_is_answered_with_those_that_do(invoke: Invoke) -> None:
    found = invoke("pu", "synthesisability")
    assert found.exit_code == 2
    assert "Shipped: synthesizability" in found.output
