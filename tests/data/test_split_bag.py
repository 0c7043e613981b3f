"""Bags: all positives, as many unlabelled rows, and the same held-out rows in every bag."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnmat.data.split_table import SplitTable
from gnnmat.data.splits import BagSplit, FoldsSplit, GroupSplit
from gnnmat.errors import GnnmatError


def table(rows: int = 400, share: float = 0.25, seed: int = 0) -> SplitTable:
    draw = np.random.default_rng(seed)
    positive = (draw.random(rows) < share).astype(int)
    names = [f"A{number}" for number in draw.integers(0, rows // 3, rows)]
    return SplitTable(rows, formulas=names, stratify=positive.tolist())


def bags(count: int = 4, **options: float) -> list[np.ndarray]:
    return [BagSplit(index=number, **options).assign(table()) for number in range(count)]  # type: ignore[arg-type]


def test_a_bag_has_as_many_unlabelled_rows_as_positives() -> None:
    positive = np.array(table().stratify, dtype=bool)
    for parts in bags():
        drawn = (parts == "train") & ~positive
        assert drawn.sum() == ((parts == "train") & positive).sum()
    assert BagSplit(ratio=0.5).assign(table()).tolist().count("train") < drawn.sum() * 2


def test_held_out_and_val_rows_are_those_of_a_group_split_in_every_bag() -> None:
    expected = GroupSplit(val=0.05, test=0.1, seed=0).assign(table())
    for parts in bags():
        assert ((parts == "val") == (expected == "val")).all()
        assert (parts[expected == "test"] == "test").all()


def test_bags_draw_other_rows_each_and_together_score_all() -> None:
    found = bags(8)
    assert any((one != found[0]).any() for one in found[1:])
    positive = np.array(table().stratify, dtype=bool)
    scored = np.mean([one == "test" for one in found], axis=0)
    free = found[0] != "val"
    assert scored[~positive & free].mean() > 0.4
    # Positives are scored where they are left out or held out, a share of about 0.2 + 0.1.
    assert 0.15 < scored[positive & free].mean() < 0.45


@given(st.integers(0, 50), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_no_scored_row_shares_a_group_with_a_learned_one(seed: int, index: int) -> None:
    rows = table(seed=seed)
    parts = BagSplit(index=index, seed=seed).assign(rows)
    learned = set(rows.formula_of[parts == "train"])
    assert not learned & set(rows.formula_of[parts == "test"])
    assert not learned & set(rows.formula_of[parts == "val"])


def test_too_few_unlabelled_rows_and_no_classes_are_refused() -> None:
    with pytest.raises(GnnmatError, match="leaves none") as error:
        BagSplit().assign(table(share=0.7))
    assert "pu.method=folds" in str(error.value.fix)
    with pytest.raises(GnnmatError, match="positive or unlabelled"):
        BagSplit().assign(SplitTable(10, formulas=["A"] * 10))


def test_folds_may_share_their_val_rows() -> None:
    expected = GroupSplit(val=0.1, test=0, seed=5).assign(table())
    judged = np.zeros(400, dtype=int)
    for index in range(4):
        parts = FoldsSplit(k=4, index=index, by="formula", seed=9, val_seed=5).assign(table())
        assert ((parts == "val") == (expected == "val")).all()
        judged += parts == "test"
        groups = table().formula_of
        assert not set(groups[parts == "train"]) & set(groups[parts == "test"])
    assert (judged == (expected != "val")).all()
    with pytest.raises(ValueError, match="val_seed needs by"):
        FoldsSplit(val_seed=1)
