"""Heads on a frozen encoder: out of bag, each for itself, and never on a trunk that knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from gnnmat.errors import GnnmatError
from gnnmat.workflows.pu.folder import PuRun
from gnnmat.workflows.pu.heads import Bags, score_bags
from gnnmat.workflows.pu.options import parse_pu
from gnnmat.workflows.pu.run import learn_pu

from ...train.tiny import graph_cache, trained  # noqa: F401
from .made import learned, made_records

ROWS = 600
HEADS = ["pu.method=heads", "pu.fits=8", "pu.held_out=0.2", "pu.ratio=0.5"]


def features() -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Features, hidden truth, and labels of half of the positives."""
    draw = np.random.default_rng(0)
    truth = draw.random(ROWS) < 0.4
    plain = draw.normal(size=(ROWS, 6)) + 1.5 * truth[:, None]
    return torch.tensor(plain, dtype=torch.float32), truth, truth & (draw.random(ROWS) < 0.5)


def bags(count: int = 4) -> Bags:
    draw = np.random.default_rng(1)
    train = draw.random((count, ROWS)) < 0.5
    return Bags(train, ~train)


def test_heads_rank_hidden_positives_they_have_not_seen() -> None:
    rows, truth, known = features()
    some = bags()
    said = score_bags(rows, known, some, 0).numpy()
    there = ~known & some.test.any(axis=0)
    mean = np.nanmean(np.where(some.test, said, np.nan)[:, there], axis=0)
    assert roc_auc_score(truth[there], mean) > 0.85


def test_a_head_learns_from_its_own_rows_alone() -> None:
    rows, _, known = features()
    one, other = bags(), bags()
    other.train[1] = np.roll(other.train[1], 7)
    other.train[2] |= one.train.any(axis=0) & ~other.train.any(axis=0)  # the same rows are used
    first, second = (score_bags(rows, known, some, 0)[0] for some in (one, other))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)
    moved = rows.clone()
    moved[~one.train.any(axis=0)] += 5.0
    again = score_bags(moved, known, one, 0)[0]
    torch.testing.assert_close(again[one.train[0]], first[one.train[0]])


@pytest.fixture(scope="module")
def trunk() -> Path:
    return trained().folder


def run_heads(trunk: Path, folder: Path) -> PuRun:
    plain = {
        "name": "tiny",
        "data": {"targets": ["made"]},
        "task": {"kind": "pu"},
        "trainer": {"accelerator": "cpu", "threads": 1},
        "pu": {"val": 0.1, "folds": 2},
    }
    config = parse_pu(plain, [f"start.run={trunk}", *HEADS])
    return learn_pu(config, folder, records=made_records())


def test_scores_on_a_frozen_encoder_and_no_network_for_new_crystals(
    trunk: Path, tmp_path: Path
) -> None:
    found = run_heads(trunk, tmp_path / "heads")
    table = found.scores
    unlabelled = table[table["label"] == "0"]
    assert unlabelled["score"].between(0, 1).sum() > 0.8 * len(unlabelled)
    assert table["fits"].max() == 8
    with pytest.raises(GnnmatError, match="no networks"):
        found.load()


def test_a_trunk_that_knows_the_labels_is_refused(tmp_path: Path) -> None:
    knows = learned(tmp_path / "knows", "pu.fits=2")
    with pytest.raises(GnnmatError, match="learned labels of this kind") as error:
        run_heads(knows.folder, tmp_path / "heads")
    assert "out of bag" in str(error.value.why)
    assert not (tmp_path / "heads").exists()


def test_heads_need_a_run_to_begin_with() -> None:
    with pytest.raises(GnnmatError, match="needs start.run"):
        parse_pu({"task": {"kind": "pu"}}, ["pu.method=heads"])
