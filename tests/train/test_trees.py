"""Trees say what scikit-learn's do, stand beside networks, and are refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from sklearn.ensemble import GradientBoostingClassifier

from gnnmat.errors import GnnmatError
from gnnmat.train import trees as module
from gnnmat.train.trees import FILE, Trees, load_trees, mixed

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(400, 5))
POSITIVE = FEATURES[:, 0] * FEATURES[:, 1] + 0.3 * RANDOM.normal(size=400) > 0.4


@pytest.fixture(scope="module")
def grown() -> Trees:
    return Trees.grow(FEATURES, POSITIVE, 30, seed=3)


@pytest.fixture(scope="module")
def theirs() -> GradientBoostingClassifier:
    """What scikit-learn makes of the same rows."""
    half = len(POSITIVE) / 2
    weight = np.where(POSITIVE, half / POSITIVE.sum(), half / (~POSITIVE).sum())
    return GradientBoostingClassifier(
        n_estimators=30, learning_rate=0.3, max_depth=None, max_leaf_nodes=63, min_samples_leaf=8,
        max_features=0.3, random_state=3,
    ).fit(FEATURES, POSITIVE, sample_weight=weight)  # fmt: skip


def test_they_say_what_scikit_learn_says(grown: Trees, theirs: GradientBoostingClassifier) -> None:
    new = np.random.default_rng(1).normal(size=(1000, 5))
    for rows in (FEATURES, new):
        np.testing.assert_allclose(
            grown.logits(rows), theirs.decision_function(rows), rtol=1e-5, atol=1e-5
        )
    assert len(grown) == 30
    assert grown.logits(new[:0]).shape == (0,)


def test_rows_on_a_threshold_go_where_scikit_learn_sends_them(
    grown: Trees, theirs: GradientBoostingClassifier
) -> None:
    inner = grown.column >= 0
    rows = np.zeros((inner.sum(), 5), dtype=np.float64)
    rows[np.arange(inner.sum()), grown.column[inner]] = grown.threshold[inner]
    just_above = np.nextafter(rows.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    for asked in (rows, just_above):
        np.testing.assert_allclose(
            grown.logits(asked), theirs.decision_function(asked), rtol=1e-5, atol=1e-5
        )


def test_rows_are_asked_in_pieces(grown: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = grown.logits(FEATURES)
    monkeypatch.setattr(module, "CHUNK", 7)
    np.testing.assert_array_equal(grown.logits(FEATURES), whole)


def test_they_come_back_from_a_folder(grown: Trees, tmp_path: Path) -> None:
    assert load_trees(tmp_path) is None
    grown.save(tmp_path)
    found = load_trees(tmp_path)
    assert found is not None
    np.testing.assert_array_equal(found.logits(FEATURES), grown.logits(FEATURES))


def test_a_small_file_says_nearly_the_same(grown: Trees, tmp_path: Path) -> None:
    content = grown.content(small=True)
    assert len(content) < 0.8 * len(grown.content())
    (tmp_path / FILE).write_bytes(content)
    found = load_trees(tmp_path)
    assert found is not None
    np.testing.assert_array_equal(found.column, grown.column)
    np.testing.assert_array_equal(found.child, grown.child)
    np.testing.assert_allclose(found.logits(FEATURES), grown.logits(FEATURES), atol=0.01)


@pytest.mark.parametrize("spoil", ["cut", "loop", "beyond", "gone"])
def test_damaged_files_are_refused(grown: Trees, tmp_path: Path, spoil: str) -> None:
    grown.save(tmp_path)
    path = tmp_path / FILE
    arrays = {name: one.copy() for name, one in load(path.read_bytes()).items()}
    inner = int(np.flatnonzero(arrays["column"] >= 0)[0])
    if spoil == "loop":
        arrays["child"][inner] = -inner
    if spoil == "beyond":
        arrays["child"][inner] = len(arrays["child"])
    if spoil == "gone":
        del arrays["value"]
    path.write_bytes(path.read_bytes()[:40] if spoil == "cut" else save(arrays))
    with pytest.raises(GnnmatError, match="is damaged"):
        load_trees(tmp_path)


def test_the_answer_of_both_lies_between_them() -> None:
    chances = torch.tensor([0.5, 0.9, 1.0, 0.0]).double().numpy()
    found = mixed(chances, np.array([0.0, -np.log(9), 0.0, 0.0]))
    np.testing.assert_allclose(found[:2], [0.5, 0.5])
    assert 0.99 < found[2] < 1
    assert 0 < found[3] < 0.01


def test_trees_without_a_question_are_shipped_as_well(tmp_path: Path) -> None:
    flat = Trees.grow(np.zeros((10, 2)), np.arange(10) < 3, 2, seed=0)
    (tmp_path / FILE).write_bytes(flat.content(small=True))
    found = load_trees(tmp_path)
    assert found is not None
    np.testing.assert_allclose(found.logits(np.zeros((3, 2))), 0.0, atol=1e-6)


def test_fewer_descriptors_than_they_were_grown_on_are_refused(grown: Trees) -> None:
    with pytest.raises(GnnmatError, match="another version of gnnmat"):
        grown.logits(FEATURES[:, :2])
