"""Trains the stored run of ``test_checkpoint.py`` anew; ``python -m tests.train.renew_golden``."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from gnnmat.train.checkpoint import CONFIG, SPEC, STATE, WEIGHTS
from gnnmat.workflows.training import train

from .tiny import config, crystals, records

GOLDEN = Path(__file__).with_name("golden_run")

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        given = replace(records(), units={"volume": "Å^3"})
        run = train(
            config(trainer__epochs=40, optimizer__lr=0.03), Path(scratch) / "run", records=given
        )
        GOLDEN.mkdir(exist_ok=True)
        for name in (CONFIG, SPEC, STATE, WEIGHTS):
            shutil.copy(run.folder / name, GOLDEN / name)
        table = run.load().predict(crystals(3, seed=42))
    expected = {name: table[name].tolist() for name in ("formula", "unit", "prediction")}
    (GOLDEN / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
