from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.pages.results import (
    error_by_crystal_system,
    error_by_element,
    results_by_target,
    worst,
)

Maker = Callable[..., pd.DataFrame]


def test_missing_column_is_named() -> None:
    with pytest.raises(GnnmatError, match="lack formula, truth"):
        list(
            results_by_target(pd.DataFrame(columns=["id", "split", "target", "unit", "prediction"]))
        )


def test_error_by_element_is_the_mean_over_crystals_with_that_element(predictions: Maker) -> None:
    from pymatgen.core import Composition

    table = predictions(200)
    expected: dict[str, list[float]] = defaultdict(list)
    for row in table[table["split"] == "test"].itertuples():
        for element in Composition(row.formula.replace("D", "H")):
            expected[element.symbol].append(abs(row.prediction - row.truth))
    (results,) = results_by_target(table)
    found = error_by_element(results)
    assert found["count"].to_dict() == {symbol: len(e) for symbol, e in expected.items()}
    for symbol, errors in expected.items():
        assert found["error"][symbol] == pytest.approx(np.mean(errors))


def test_error_by_crystal_system_is_ordered_by_symmetry(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(60))
    found = error_by_crystal_system(results)
    assert list(found.index) == ["monoclinic", "hexagonal", "cubic"]
    assert found["count"].sum() == 15
    assert (found["count"] * found["error"]).sum() == pytest.approx(
        results.shown["error"].abs().sum()
    )


def test_empty_crystal_systems_give_an_empty_table(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(8).assign(crystal_system=[""] * 4 + [None] * 4))
    assert error_by_crystal_system(results).empty


def test_worst_ten_are_the_largest_errors_of_the_test_split(predictions: Maker) -> None:
    table = predictions(200)
    rows = [row for row in table.itertuples() if row.split == "test"]
    rows.sort(key=lambda row: -abs(row.prediction - row.truth))
    (results,) = results_by_target(table)
    assert worst(results)["id"].tolist() == [row.id for row in rows[:10]]


def test_worst_classes_are_the_surest_mistakes(class_predictions: Maker) -> None:
    table = class_predictions(100)
    wrong = [row for row in table.itertuples() if row.truth != row.prediction]
    wrong.sort(key=lambda row: -row.probability)
    (results,) = results_by_target(table)
    assert results.is_classes
    assert worst(results)["id"].tolist() == [row.id for row in wrong[:10]]


def test_rows_without_truth_or_prediction_are_counted_and_left_out(predictions: Maker) -> None:
    table = predictions(20)
    table.loc[0, "truth"] = np.nan
    table.loc[1, "prediction"] = np.inf
    (results,) = results_by_target(table)
    assert (len(results.rows), results.incomplete) == (18, 2)


def test_without_a_test_split_validation_is_shown(predictions: Maker) -> None:
    table = predictions(20)
    (results,) = results_by_target(table[table["split"] != "test"])
    assert results.shown_split == "val"
    assert set(results.shown["split"]) == {"val"}


def test_classes_read_back_as_numbers_keep_their_names(predictions: Maker) -> None:
    table = predictions(4).assign(truth=[0.0, 1.0, 1.0, 10.0], prediction=1.0, probability=0.9)
    (results,) = results_by_target(table)
    assert results.classes == ["0", "1", "10"]


def test_classes_are_listed_in_reading_order(class_predictions: Maker) -> None:
    table = class_predictions(60, names=("type 10", "type 2", "a"))
    (results,) = results_by_target(table)
    assert results.classes == ["a", "type 2", "type 10"]


def test_numbers_and_classes_may_share_a_column_of_text(
    predictions: Maker, class_predictions: Maker
) -> None:
    table = pd.concat([predictions(8), class_predictions(8)]).astype({"truth": str})
    first, second = results_by_target(table)
    assert (first.is_classes, second.is_classes) == (False, True)
    assert first.rows["truth"].dtype == float


def test_atoms_of_one_crystal_count_once(predictions: Maker) -> None:
    table = predictions(1).assign(split="test")
    atoms = pd.concat([table] * 3, ignore_index=True).assign(atom=[0, 1, 2], prediction=[0, 1, 2])
    (results,) = results_by_target(atoms)
    assert error_by_element(results)["count"].to_dict() == {"Na": 1, "Cl": 1}
    assert error_by_crystal_system(results)["count"].tolist() == [1]
