"""Columns of every kind a user may bring, read as labels or refused in plain words."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gnnmat.data.label_values import class_name, class_order
from gnnmat.data.targets import Labels, read_labels
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.sample import Axis, Target, TargetSpec
from gnnmat.sources.records import Records

NAN = float("nan")


def labels_of(
    values: Sequence[Any] | pd.Series,
    *,
    classes: bool = False,
    atoms: Sequence[int] | None = None,
    kept: Sequence[int] | None = None,
    known: TargetSpec | None = None,
) -> Labels:
    column = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
    records = Records(
        ids=[f"c{item}" for item in range(len(column))],
        raws=[None] * len(column),
        read=str,
        fingerprint="",
        table=pd.DataFrame({"y": column}),
        units={"y": "eV"},
    )
    rows = np.arange(len(column)) if kept is None else np.asarray(kept)
    counts = np.ones(len(rows), dtype=np.int64) if atoms is None else np.asarray(atoms)
    return read_labels(records, ["y"], rows, counts, classes=classes, known=known)


def numbers(values: Sequence[Any] | pd.Series, **options: Any) -> list[float]:
    tensor = labels_of(values, **options).sample
    assert tensor is not None
    assert tensor.dtype == torch.float32
    assert tensor.shape[1] == 1
    return tensor[:, 0].tolist()


def class_labels(values: Sequence[Any] | pd.Series) -> tuple[tuple[str, ...], list[float]]:
    found = labels_of(values, classes=True)
    assert found.sample is not None
    return found.spec["y"].classes, found.sample[:, 0].tolist()


def message(values: Sequence[Any] | pd.Series, **options: Any) -> str:
    with pytest.raises(GnnmatError) as caught:
        labels_of(values, **options)
    return str(caught.value)


MISSING = [None, NAN, "", "  ", pd.NA, pd.NaT, np.float32("nan"), np.float64("nan")]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_number_is_nan_and_missing_class_is_no_class(missing: Any) -> None:
    assert numbers([1.0, missing, 3.0]) == pytest.approx([1.0, NAN, 3.0], nan_ok=True)
    names, indices = class_labels(["a", missing, "b"])
    assert names == ("a", "b")
    assert indices == pytest.approx([0, NAN, 1], nan_ok=True)


def test_numbers_of_any_type_are_read() -> None:
    values = [1, 2.5, np.int8(3), np.float32(4.5), "5.5", True, " 6 "]
    assert numbers(values) == [1, 2.5, 3, 4.5, 5.5, 1, 6]
    assert numbers(pd.Series([1, None, 3], dtype="Int64")) == pytest.approx(
        [1, NAN, 3], nan_ok=True
    )


def test_only_the_kept_rows_are_read() -> None:
    assert numbers([1.0, "rubbish", 3.0], kept=[0, 2]) == [1.0, 3.0]


def test_spec_names_target_unit_and_level() -> None:
    assert labels_of([1.0, 2.0]).spec.targets == (Target("y", "eV", "sample", ()),)


def test_text_in_a_column_of_numbers_is_refused_with_its_place() -> None:
    said = message([1.0, "high", 3.0])
    assert said.startswith("Column 'y' holds the text 'high' ('c1'), expected a number.")
    assert "2 of the 3 values in this column are numbers." in said
    assert "--task classification" in said
    assert "--unit" in said


def test_place_of_bad_text_counts_refused_records() -> None:
    assert "'n/a' ('c2')" in message([1.0, "no", "n/a"], kept=[0, 2])


def test_thing_in_a_column_of_numbers_is_refused() -> None:
    assert message([1.0, {"a": 1}]).startswith("Column 'y' holds the dict {'a': 1} ('c1')")


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), "inf", np.float32("inf")])
def test_infinite_value_is_refused_with_its_place(value: Any) -> None:
    assert message([1.0, value]).startswith("Column 'y' holds an infinite value ('c1').")


def test_value_beyond_single_precision_is_refused() -> None:
    said = message([1.0, -1e39])
    assert said.startswith("Column 'y' holds -1e+39 ('c1'): too large to learn.")
    assert numbers([1e38, 1.0]) == pytest.approx([1e38, 1.0])


@pytest.mark.parametrize("values", [[None, NAN, ""], []], ids=["missing", "no rows"])
def test_column_without_a_number_is_refused(values: list[Any]) -> None:
    assert message(values) == "Column 'y' holds no number at all."


# One value an atom.


def test_lists_are_one_value_an_atom() -> None:
    found = labels_of([[1, 2], None, np.array([3.0]), (NAN, 5)], atoms=[2, 3, 1, 2])
    assert found.sample is None
    assert found.atom is not None
    expected = [1, 2, NAN, NAN, NAN, 3, NAN, 5]
    assert found.atom[:, 0].tolist() == pytest.approx(expected, nan_ok=True)
    assert found.spec["y"].level == "atom"


def test_list_of_another_length_is_refused() -> None:
    said = message([[1, 2], [1, 2, 3]], atoms=[2, 2])
    assert said.startswith("Column 'y' holds 3 values for 'c1', which has 2 atoms.")


def test_number_among_lists_is_refused() -> None:
    said = message([[1, 2], 5.0], atoms=[2, 2])
    assert said == "Column 'y' holds one number for 'c1' and a list elsewhere."


def test_list_of_vectors_is_refused() -> None:
    said = message([[[0, 0, 1], [0, 1, 0]]], atoms=[2])
    assert said.startswith("Column 'y' holds the list [0, 0, 1], expected a number.")
    said = message([np.zeros((2, 3))], atoms=[2])
    assert said.startswith("Column 'y' holds the ndarray array([0., 0., 0.])")


def test_classes_of_atoms_leave_missing_ones_out() -> None:
    values = [np.array([1, NAN], dtype=np.float32), ["b", ""], None]
    found = labels_of(values, classes=True, atoms=[2, 2, 1])
    assert found.spec["y"].classes == ("1", "b")
    assert found.atom is not None
    assert found.atom[:, 0].tolist() == pytest.approx([0, NAN, 1, NAN, NAN], nan_ok=True)


# Curves: lists that are equally long whatever the number of atoms.


def curve_records(curves: Sequence[Any], axis: Sequence[Any] | None = None) -> Records:
    values = {"dos": list(curves)} | ({} if axis is None else {"freq": list(axis)})
    return Records(
        ids=[f"c{item}" for item in range(len(curves))],
        raws=[None] * len(curves),
        read=str,
        fingerprint="",
        table=pd.DataFrame({name: pd.Series(one, dtype=object) for name, one in values.items()}),
        units={"dos": "states", "freq": "1/cm"},
    )


def curve_labels(records: Records, atoms: Sequence[int], **options: Any) -> Labels:
    rows = np.arange(len(records))
    return read_labels(records, ["dos"], rows, np.asarray(atoms), classes=False, **options)


def curve_message(records: Records, atoms: Sequence[int], **options: Any) -> str:
    with pytest.raises(GnnmatError) as caught:
        curve_labels(records, atoms, **options)
    return str(caught.value)


def test_equally_long_lists_are_one_curve_a_crystal() -> None:
    given = [[1, 2, 3], None, np.array([4.0, NAN, 6.0]), (7, 8, 9)]
    found = curve_labels(curve_records(given), atoms=[2, 1, 3, 5])
    assert found.atom is None
    assert found.sample is not None
    expected = [[1, 2, 3], [NAN] * 3, [4, NAN, 6], [7, 8, 9]]
    np.testing.assert_array_equal(found.sample.numpy(), expected)
    assert found.spec["dos"] == Target("dos", "states", size=3)


def test_the_axis_of_a_curve_comes_from_its_column() -> None:
    records = curve_records([[1, 2], [3, 4]], [[0.0, 10.0], [0.0, 10.0]])
    found = curve_labels(records, atoms=[2, 2], axes={"dos": "freq"})  # not one value an atom
    assert found.spec["dos"].axis == Axis("freq", "1/cm", (0.0, 10.0))
    assert found.spec["dos"].size == 2


def test_axes_that_differ_are_refused() -> None:
    records = curve_records([[1, 2], [3, 4]], [[0.0, 10.0], [0.0, 1240.0]])
    said = curve_message(records, [1, 1], axes={"dos": "freq"})
    assert said.startswith("The axis 'freq' of 'dos' differs between 'c0' and 'c1'.")


def test_another_axis_than_the_one_learned_is_refused() -> None:
    records = curve_records([[1, 2], [3, 4]], [[0.0, 10.0], [0.0, 10.0]])
    known = TargetSpec((Target("dos", size=2, axis=Axis("freq", "1/cm", (0.0, 20.0))),))
    said = curve_message(records, [1, 1], axes={"dos": "freq"}, known=known)
    assert said.startswith("The axis of 'dos' is not the one the model has learned.")
    assert "from 0 to 10, that of the model from 0 to 20 1/cm" in said


def test_an_axis_of_something_else_is_refused() -> None:
    said = curve_message(curve_records([[1, 2], [3, 4]]), [1, 1], axes={"doss": "freq"})
    assert said.startswith("data.axes names 'doss', which is no target.")


def test_curves_of_another_length_are_refused() -> None:
    known = TargetSpec((Target("dos", size=3),))
    said = curve_message(curve_records([[1, 2, 3], [1, 2]]), [1, 4], known=known)
    assert said.startswith("Column 'dos' holds 2 points for 'c1', expected 3.")


def test_an_infinite_point_is_refused_with_its_crystal() -> None:
    said = curve_message(curve_records([[1, 2, 3], [1, 2, np.inf]]), [1, 4])
    assert said.startswith("Column 'dos' holds an infinite value ('c1').")


def test_another_unit_than_the_one_learned_is_refused() -> None:
    known = TargetSpec((Target("y", "meV"),))
    said = message([1.0, 2.0], known=known)
    assert said.startswith("Column 'y' is in eV, but the model learned it in meV.")


# Classes.

KINDS: list[tuple[Any, tuple[str, ...], list[float]]] = [
    (["metal", "insulator", "metal"], ("insulator", "metal"), [1, 0, 1]),
    ([10, 9, 10], ("9", "10"), [1, 0, 1]),
    ([1.0, 0.0, 1.0], ("0", "1"), [1, 0, 1]),
    ([0.5, -1.0, 10.0], ("-1", "0.5", "10"), [1, 0, 2]),
    ([True, False, True], ("False", "True"), [1, 0, 1]),
    (pd.Series([1, None, 0]), ("0", "1"), [1, NAN, 0]),
    (pd.Series([True, None, False], dtype="boolean"), ("False", "True"), [1, NAN, 0]),
    (pd.Series(["a", "b", "a"], dtype="category"), ("a", "b"), [0, 1, 0]),
    (["b", "10", "9"], ("9", "10", "b"), [2, 1, 0]),
]


@pytest.mark.parametrize(("values", "names", "indices"), KINDS, ids=lambda one: str(one)[:20])
def test_class_names_come_from_any_type(
    values: Any, names: tuple[str, ...], indices: list[float]
) -> None:
    found, column = class_labels(values)
    assert found == names
    assert column == pytest.approx(indices, nan_ok=True)


WILD = st.text(max_size=4) | st.floats() | st.integers(-3, 3) | st.booleans()


@given(st.lists(WILD), st.randoms())
def test_classes_are_distinct_and_in_one_order_whatever_comes(
    values: list[Any], chance: random.Random
) -> None:
    names = ("one", *map(class_name, values), "two")
    found, column = class_labels(names)
    assert len(set(found)) == len(found)
    for name, index in zip(names, column, strict=True):
        assert found[int(index)] == name if name.strip() else np.isnan(index)
    shuffled = list(found)
    chance.shuffle(shuffled)
    # Sets come in another order in every process; the order of classes must not.
    assert tuple(sorted(shuffled, key=class_order)) == found


def test_classes_that_look_alike_have_one_order() -> None:
    alike = ["nan", "x", "inf", "01", "1", "1.0", "1e0", "2"]
    for turned in (alike, alike[::-1]):
        order = ["01", "1", "1.0", "1e0", "2", "inf", "nan", "x"]
        assert sorted(turned, key=class_order) == order


def test_one_class_is_refused() -> None:
    said = message(["a", "a", None], classes=True)
    assert said.startswith("Column 'y' holds only the class 'a', at least two are needed.")
    assert "holds no class at all" in message([None, ""], classes=True)


def test_too_many_classes_are_refused() -> None:
    assert len(class_labels(range(1000))[0]) == 1000
    said = message(range(1001), classes=True)
    assert said.startswith("Column 'y' holds 1001 different values: too many classes.")
    assert "task.kind=regression" in said


def test_classes_of_an_earlier_run_keep_their_places() -> None:
    known = TargetSpec((Target("y", classes=("metal", "insulator", "semiconductor")),))
    found = labels_of(["insulator", "insulator", None], classes=True, known=known)
    assert found.spec["y"].classes == ("metal", "insulator", "semiconductor")
    assert found.sample is not None
    assert found.sample[:, 0].tolist() == pytest.approx([1, 1, NAN], nan_ok=True)


def test_class_that_the_model_does_not_know_is_refused() -> None:
    known = TargetSpec((Target("y", classes=("0", "1")),))
    said = message([0, 1.0, 2], classes=True, known=known)
    assert said == ("Column 'y' holds the class '2', which the model does not know.\nKnown: 0, 1.")


def test_a_spread_that_single_precision_takes_away_is_refused() -> None:
    said = message([1e8 + 0.5 * place for place in range(30)])
    assert "Single precision takes away the spread of column 'y'" in said
    assert "standard deviation 4.33" in said
    assert "steps of 8" in said
    assert "Subtract a constant first, such as 1e+08" in said


def test_a_spread_that_single_precision_makes_coarse_is_warned_of() -> None:
    with pytest.warns(GnnmatWarning, match="rounds the spread of column 'y'") as caught:
        numbers([1e8 + 500.0 * place for place in range(30)])
    assert "Subtract a constant first" in str(caught[0].message)


@pytest.mark.parametrize(
    "values",
    [
        [-1e5 + 10.0 * place for place in range(30)],  # a spacing of 0.008
        [1e8 * (-1) ** place for place in range(30)],  # large, but as much apart
        [1e8 + 0.1] * 3,  # no spread at all, which is said where training begins
        [3.0],
    ],
    ids=["fine", "symmetric", "constant", "single"],
)
def test_other_spreads_are_let_through(values: list[float]) -> None:
    assert len(numbers(values)) == len(values)


def test_a_model_that_has_learned_takes_any_spread() -> None:
    known = TargetSpec((Target("y", "eV"),))
    assert len(numbers([1e8, 1e8 + 1], known=known)) == 2
