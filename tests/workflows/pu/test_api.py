"""``gnnmat.learn_pu`` from Python."""

from __future__ import annotations

from pathlib import Path

import gnnmat

from ...train.tiny import crystals, graph_cache  # noqa: F401
from .made import COUNT, labels

OPTIONS = {
    "pu.fits": 2,
    "pu.folds": 2,
    "pu.val": 0.1,
    "model.kind": "cgcnn",
    "model.width": 8,
    "model.layers": 1,
    "input.fold": False,
    "input.angles": 0,
    "trainer.epochs": 1,
    "trainer.accelerator": "cpu",
    "trainer.threads": 1,
    "trainer.logs": [],
}


def test_from_structures_and_labels_to_scores_of_new_crystals(tmp_path: Path) -> None:
    found = gnnmat.learn_pu(
        structures=crystals(COUNT),
        targets={"made": labels(), "other": [0.0] * COUNT},
        target="made",
        output=tmp_path / "run",
        options=OPTIONS,
    )
    assert len(found.scores) == COUNT
    assert found.summary["positives"] == sum(labels())
    table = found.load().predict(crystals(2))
    assert table["score"].between(0, 1).all()
