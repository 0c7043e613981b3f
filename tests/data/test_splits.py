"""Splits against scikit-learn, against their promises on wild input, and their messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split

from gnnmat.data.split_table import SplitTable, draw_counts
from gnnmat.data.splits import ColumnSplit, FoldsSplit, GroupSplit, RandomSplit, Split
from gnnmat.errors import GnnmatError

FORMULAS = ["NaCl", "MgO", "FeO", "Fe2O3", "Si", "C", "GaAs", "InP", "LiF", "KBr"]


def formulas_of(n: int) -> SplitTable:
    return SplitTable(n, formulas=[FORMULAS[row % len(FORMULAS)] for row in range(n)])


def where(parts: np.ndarray, part: str) -> list[int]:
    return np.flatnonzero(parts == part).tolist()


def test_random_split_is_that_of_scikit_learn() -> None:
    parts = RandomSplit(val=0.2, test=0.1, seed=7).assign(SplitTable(50))
    rest, test = train_test_split(np.arange(50), test_size=5, random_state=7)
    assert where(parts, "test") == sorted(test)
    assert where(parts, "val") == sorted(rest[:10])
    assert where(parts, "train") == sorted(rest[10:])


@given(st.integers(1, 60), st.floats(0, 0.6), st.floats(0, 0.39))
def test_train_always_gets_a_row_and_val_and_test_nearly_their_fractions(
    n: int, val: float, test: float
) -> None:
    n_val, n_test = draw_counts(n, val, test)
    assert n - n_val - n_test >= 1
    assert n_val >= 0
    assert n_test >= 0
    if n >= 3:
        assert (n_val > 0) == (val > 0)
        assert (n_test > 0) == (test > 0)
        assert abs(n_val - val * n) <= 1
        assert abs(n_test - test * n) <= 1


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, ["train"]), (2, ["train", "val"]), (3, ["test", "train", "val"])],
)
def test_very_few_rows_train_first_then_choose_then_judge(n: int, expected: list[str]) -> None:
    assert sorted(RandomSplit().assign(SplitTable(n))) == expected


def test_random_split_ignores_the_columns() -> None:
    one = RandomSplit(seed=3).assign(SplitTable(20, pd.DataFrame({"gap": np.arange(20.0)})))
    other = RandomSplit(seed=3).assign(SplitTable(20, pd.DataFrame({"gap": np.zeros(20)})))
    assert (one == other).all()
    assert (one != RandomSplit(seed=4).assign(SplitTable(20))).any()


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60),
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.45),
    st.integers(0, 5),
)
@settings(deadline=None)
def test_no_group_is_in_two_parts(names: list[str], val: float, test: float, seed: int) -> None:
    rows = SplitTable(len(names), pd.DataFrame({"kind of": names}))
    split = GroupSplit(by="kind of", val=val, test=test, seed=seed)
    if len(set(names)) < 3:
        with pytest.raises(GnnmatError, match="needs at least 3 groups"):
            split.assign(rows)
        return
    parts = split.assign(rows)
    assert set(parts) == {"train", "val", "test"}
    for name in set(names):
        assert len(set(parts[np.array(names) == name])) == 1


def test_groups_fill_their_fractions_without_exceeding_them() -> None:
    names = [f"group {row // 2}" for row in range(200)]
    parts = GroupSplit(by="g", val=0.1, test=0.2).assign(
        SplitTable(200, pd.DataFrame({"g": names}))
    )
    assert (len(where(parts, "test")), len(where(parts, "val"))) == (40, 20)


def test_group_split_does_not_depend_on_the_order_of_rows() -> None:
    rows = formulas_of(40)
    order = np.random.default_rng(0).permutation(40)
    turned = SplitTable(40, formulas=[rows.formula_of[row] for row in order])
    split = GroupSplit(seed=2)
    assert (split.assign(rows)[order] == split.assign(turned)).all()


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    rows = SplitTable(30, pd.DataFrame({"paper": [None] * 29 + ["a"]}))
    parts = GroupSplit(by="paper", val=0.1, test=0.1).assign(rows)
    assert (len(where(parts, "test")), len(where(parts, "val"))) == (3, 3)


def test_formula_of_the_structure_goes_before_a_column_of_that_name() -> None:
    spelled = pd.DataFrame({"formula": ["NaCl", "Na2Cl2", "ClNa"] * 4 + ["MgO"] * 4 + ["Si"] * 4})
    rows = SplitTable(20, spelled, formulas=["NaCl"] * 12 + ["MgO"] * 4 + ["Si"] * 4)
    assert set(GroupSplit().assign(rows)[:12]) == {"train"}
    assert set(rows.groups("formula")) == {"NaCl", "MgO", "Si"}
    assert len(set(SplitTable(20, spelled).groups("formula"))) == 5


def test_prototypes_are_computed_only_when_asked_for() -> None:
    calls: list[int] = []

    def prototypes() -> list[str]:
        calls.append(1)
        return [f"AB_{row % 5}" for row in range(20)]

    rows = SplitTable(20, formulas=["NaCl"] * 20, prototypes=prototypes)
    RandomSplit().assign(rows)
    assert not calls
    parts = GroupSplit(by="prototype", val=0.2, test=0.2).assign(rows)
    assert calls == [1]
    assert len({(row % 5, part) for row, part in enumerate(parts)}) == 5


def test_named_elements_are_exactly_the_test_part() -> None:
    rows = formulas_of(20)
    parts = GroupSplit(by="element", elements=("Fe",), val=0.2).assign(rows)
    assert where(parts, "test") == [2, 3, 12, 13]
    assert len(where(parts, "val")) == 3


def test_drawn_elements_are_never_trained_on() -> None:
    rows = formulas_of(40)
    parts = GroupSplit(by="element", val=0.1, test=0.25, seed=1).assign(rows)
    contents = rows.elements_of
    train = frozenset().union(*(contents[row] for row in where(parts, "train")))
    assert 1 <= len(where(parts, "test")) <= 10
    assert all(contents[row] - train for row in where(parts, "test"))


def test_element_not_in_the_data_is_named() -> None:
    with pytest.raises(GnnmatError, match="No crystal contains the held-out element 'Xe'"):
        GroupSplit(by="element", elements=("Xe",)).assign(formulas_of(10))


def test_element_in_every_crystal_leaves_nothing() -> None:
    with pytest.raises(GnnmatError, match="Every crystal contains a held-out element"):
        GroupSplit(by="element", elements=("O",)).assign(SplitTable(2, formulas=["MgO", "FeO"]))


def test_one_group_only_is_told() -> None:
    with pytest.raises(GnnmatError, match=r"there is only 1 \('Si'\)"):
        GroupSplit().assign(SplitTable(5, formulas=["Si"] * 5))


def test_images_have_no_formula() -> None:
    with pytest.raises(GnnmatError, match="asks for the formula of each row"):
        GroupSplit().assign(SplitTable(5))


def test_words_in_a_column_are_read_in_any_spelling() -> None:
    words = ["Train", "validation", "TEST", "dev", None, " train "]
    parts = ColumnSplit().assign(SplitTable(6, pd.DataFrame({"split": words})))
    assert parts.tolist() == ["train", "val", "test", "val", "", "train"]


def test_column_without_test_leaves_test_empty() -> None:
    rows = SplitTable(4, pd.DataFrame({"split": ["train", "train", "val", "val"]}))
    assert ColumnSplit(val=0.5).assign(rows).tolist() == ["train", "train", "val", "val"]


def test_column_without_val_draws_it_only_when_asked() -> None:
    rows = SplitTable(10, pd.DataFrame({"split": ["train"] * 8 + ["test"] * 2}))
    assert "val" not in ColumnSplit().assign(rows)
    parts = ColumnSplit(val=0.25).assign(rows)
    assert len(where(parts, "val")) == 2
    assert where(parts, "test") == [8, 9]


@pytest.mark.parametrize("folds", [[0, 1, 2, np.nan], ["0", "1", "2", None]])
def test_fold_numbers_choose_test_and_val(folds: list[object]) -> None:
    rows = SplitTable(4, pd.DataFrame({"fold": folds}))
    parts = ColumnSplit(column="fold", test_fold=1, val_fold=2).assign(rows)
    assert parts.tolist() == ["train", "test", "val", ""]


@pytest.mark.parametrize(
    ("split", "values", "message"),
    [
        (ColumnSplit(), ["train", "tset"], "holds 'tset', which names no part"),
        (ColumnSplit(), ["test", "val"], "leaves no row to train on"),
        (ColumnSplit(), [0, 1], "no fold is chosen for test"),
        (ColumnSplit(test_fold=5), [0, 1], "has no fold 5"),
        (ColumnSplit(test_fold=1, val_fold=1), [0, 1], "are both 1"),
        (ColumnSplit(test_fold=1), ["train", "test"], "test_fold and val_fold have no meaning"),
        (ColumnSplit(column="spilt"), ["train", "test"], "Did you mean 'split'"),
    ],
)
def test_column_mistakes_are_told(split: ColumnSplit, values: list[object], message: str) -> None:
    with pytest.raises(GnnmatError, match=message):
        split.assign(SplitTable(2, pd.DataFrame({"split": values})))


@pytest.mark.parametrize("index", range(5))
def test_default_folds_are_those_of_matbench(index: int) -> None:
    parts = FoldsSplit(index=index).assign(SplitTable(1265))
    official = KFold(5, shuffle=True, random_state=18012019).split(np.zeros(1265))
    _, test = list(official)[index]
    assert where(parts, "test") == test.tolist()
    assert len(where(parts, "val")) == 101


def test_stratified_folds_are_those_of_matbench() -> None:
    classes = np.random.default_rng(0).random(300) < 0.3
    parts = FoldsSplit(stratified=True, index=2).assign(SplitTable(300, stratify=classes))
    official = StratifiedKFold(5, shuffle=True, random_state=18012019)
    _, test = list(official.split(np.zeros(300), classes))[2]
    assert where(parts, "test") == test.tolist()


def test_group_folds_keep_groups_together_in_test_and_val() -> None:
    rows = formulas_of(60)
    parts = FoldsSplit(k=3, by="formula", val=0.2, seed=5).assign(rows)
    official = GroupKFold(3, shuffle=True, random_state=5)
    _, test = next(iter(official.split(np.zeros(60), groups=rows.formula_of)))
    assert where(parts, "test") == test.tolist()
    assert len(set(zip(rows.formula_of, parts, strict=True))) == len(FORMULAS)
    assert "val" in parts


def test_folds_cover_every_row_once() -> None:
    tests = [where(FoldsSplit(k=4, index=i).assign(SplitTable(10)), "test") for i in range(4)]
    assert sorted(sum(tests, [])) == list(range(10))


def test_rare_class_is_no_obstacle_to_stratified_folds() -> None:
    rows = SplitTable(20, stratify=["metal"] * 18 + ["other"] * 2)
    assert len(where(FoldsSplit(stratified=True).assign(rows), "test")) == 4


@pytest.mark.parametrize(
    ("split", "rows", "message"),
    [
        (FoldsSplit(), SplitTable(3), "5 folds of 3 rows cannot be made"),
        (FoldsSplit(by="formula"), formulas_of(3), "5 folds of 3 groups by formula"),
        (FoldsSplit(stratified=True), SplitTable(9), "the target is a number"),
        (FoldsSplit(stratified=True), SplitTable(6, stratify=list("abcdef")), "largest has 1"),
        (RandomSplit(), SplitTable(0), "There is no row to split"),
    ],
)
def test_impossible_folds_are_told(split: Split, rows: SplitTable, message: str) -> None:
    with pytest.raises(GnnmatError, match=message):
        split.assign(rows)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"kind": "random", "val": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"kind": "folds", "k": 3, "index": 3}, "count from 0 to 2"),
        ({"kind": "folds", "stratified": True, "by": "formula"}, "not both"),
        ({"kind": "group", "elements": ["Fe"]}, "only used with by: element"),
        ({"kind": "random", "vla": 0.5}, "vla"),
    ],
)
def test_bad_options_are_refused_when_read(plain: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Split).validate_python(plain)


@pytest.mark.parametrize("kind", [RandomSplit, GroupSplit, ColumnSplit, FoldsSplit])
def test_every_split_has_a_working_example_that_survives_yaml(kind: type[RandomSplit]) -> None:
    example = kind.example()
    assert TypeAdapter(Split).validate_python(example.model_dump(mode="json")) == example
    words = pd.DataFrame({"split": ["train"] * 15 + ["val"] * 2 + ["test"] * 3})
    rows = SplitTable(20, words, formulas=formulas_of(20).formulas)
    assert set(example.assign(rows)) == {"train", "val", "test"}


def test_split_column_of_real_data_is_obeyed(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "perov_5.parquet", columns=["split"])
    parts = ColumnSplit().assign(SplitTable(len(table), table))
    assert (len(where(parts, "train")), len(where(parts, "val"))) == (6000, 572)
