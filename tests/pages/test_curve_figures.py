"""Figures of curves: which rows are drawn, against which axis, and with which errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnnmat.pages.curve_figures import along_axis, chosen_rows, errors, one_curve
from gnnmat.pages.report import ReportData, report_page
from gnnmat.pages.results import TargetResults, error_by_element, results_by_target, worst
from gnnmat.target import Axis, Curve

from .test_figures import numbers

AXIS = Axis("freq", "1/cm", (0.0, 50.0, 100.0))
NAN = float("nan")


def table(rows: int = 5) -> pd.DataFrame:
    """Row k is wrong by k tenths at every point; the second row lacks a point."""
    truth = [Curve([1.0, 2.0, 3.0])] * rows
    if rows > 1:
        truth[1] = Curve([1.0, NAN, 3.0])
    said = [Curve([1 + k / 10, 2 + k / 10, 3 + k / 10]) for k in range(rows)]
    return pd.DataFrame(
        {
            "id": [f"<b>{k}" for k in range(rows)],
            "formula": ["NaCl", "Fe2O3", "NaCl", "Fe2O3", "GaAs"][:rows],
            "split": "test",
            "target": "dos",
            "unit": "states",
            "truth": truth,
            "prediction": said,
        }
    )


def results(rows: int = 5) -> TargetResults:
    (found,) = results_by_target(table(rows), {"dos": AXIS})
    return found


def test_the_error_of_a_curve_is_its_mean_absolute_one() -> None:
    found = results()
    assert found.kind == "curves"
    assert found.rows["error"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert worst(found, 2)["id"].tolist() == ["<b>4", "<b>3"]
    assert error_by_element(found).loc["Fe", "error"] == pytest.approx(0.2)


def test_best_median_and_worst_are_drawn_each_once() -> None:
    assert chosen_rows(results()) == {"best": 0, "median": 2, "worst": 4}
    assert chosen_rows(results(1)) == {"best": 0}
    assert chosen_rows(results(2)) == {"best": 0, "median": 1}


def test_a_curve_is_drawn_over_its_axis_with_name_and_error() -> None:
    drawn = one_curve(results(), "worst", 4)
    truth, said = drawn["data"]
    assert numbers(truth["x"]).tolist() == [0, 50, 100]
    assert numbers(truth["y"]).tolist() == [1, 2, 3]
    assert numbers(said["y"]).tolist() == pytest.approx([1.4, 2.4, 3.4])
    assert drawn["layout"]["xaxis"]["title"]["text"] == "freq / 1/cm"
    title = drawn["layout"]["title"]["text"]
    assert "&lt;b&gt;4" in title
    assert "MAE 0.4" in title


def test_errors_along_the_axis_leave_missing_points_out() -> None:
    model, mean = along_axis(results())["data"]
    assert numbers(model["y"]).tolist() == pytest.approx([0.2, np.mean([0, 0.2, 0.3, 0.4]), 0.2])
    assert numbers(mean["y"]).tolist() == pytest.approx([0, 0, 0])


def test_the_histogram_counts_every_shown_curve() -> None:
    (bars,) = errors(results())["data"]
    assert numbers(bars["y"]).sum() == 5


def test_curves_without_an_axis_are_counted_by_point() -> None:
    (found,) = results_by_target(table())
    drawn = one_curve(found, "best", 0)
    assert numbers(drawn["data"][0]["x"]).tolist() == [0, 1, 2]
    assert drawn["layout"]["xaxis"]["title"]["text"] == "point"


def test_a_row_without_a_truth_is_left_out_and_said() -> None:
    missing = table()
    missing["truth"] = pd.Series([None, *missing["truth"].tolist()[1:]], dtype=object)
    page = report_page(ReportData(title="x", predictions=missing, axes={"dos": AXIS}))
    assert "1 row without truth or prediction left out." in page
    assert "<b>4" not in page


def test_errors_on_atoms_are_those_of_the_element_itself() -> None:
    rows = pd.DataFrame(
        {
            "id": "a",
            "formula": "NaCl",
            "split": "test",
            "target": "energy",
            "unit": "eV",
            "truth": [1.0, 2.0],
            "prediction": [1.5, 4.0],
            "atom": [0, 1],
            "element": ["Na", "Cl"],
        }
    )
    (found,) = results_by_target(rows)
    by_element = error_by_element(found)
    assert by_element["error"].to_dict() == pytest.approx({"Cl": 2.0, "Na": 0.5})
    page = report_page(ReportData(title="x", predictions=rows))
    assert "atom 1 Cl" in page
