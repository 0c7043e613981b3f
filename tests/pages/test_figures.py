from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from gnnmat.pages import class_figures, figures, learning_figures
from gnnmat.pages.results import results_by_target

Maker = Callable[..., pd.DataFrame]


def numbers(value: Any) -> np.ndarray:
    """A plotly array, packed or plain, as numpy."""
    if isinstance(value, dict):
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return flat.reshape([int(n) for n in str(value.get("shape", len(flat))).split(",")])
    return np.asarray(value)


def test_parity_holds_every_row_and_shows_the_test_split_alone(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(80))
    traces = {trace.get("meta"): trace for trace in figures.parity(results)["data"]}
    assert {split: len(numbers(traces[split]["x"])) for split in results.counts} == results.counts
    assert {split: traces[split]["visible"] for split in results.counts} == {
        "test": True,
        "val": "legendonly",
        "train": "legendonly",
    }
    assert {traces[split]["type"] for split in results.counts} == {"scatter"}


def test_a_large_train_split_is_sampled_by_seed_and_no_test_row_is_lost(predictions: Maker) -> None:
    table = predictions(60_000)
    table["split"] = np.where(np.arange(60_000) < 15_000, "test", "train")
    (results,) = results_by_target(table)
    drawn = figures.drawn_rows(results)
    assert {split: len(rows) for split, rows in drawn.items()} == {"test": 15_000, "train": 5_000}
    assert drawn["train"].equals(figures.drawn_rows(results)["train"])
    assert {trace["type"] for trace in figures.parity(results)["data"][1:]} == {"scattergl"}


def test_hover_text_escapes_names_and_tells_the_error(predictions: Maker) -> None:
    table = predictions(1).assign(id="<b>&", split="test", truth=1.0, prediction=1.25)
    (results,) = results_by_target(table)
    trace = figures.parity(results)["data"][-1]
    name, formula, error = trace["customdata"][0]
    assert (name, formula, error) == ("&lt;b&gt;&amp;", "NaCl", 0.25)


def test_a_unit_cannot_read_fields_of_the_hover_text(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(4, unit="%{x}"))
    assert "%{x}" not in figures.parity(results)["data"][-1]["hovertemplate"].replace("%{x:", "")


def test_residual_histogram_counts_every_shown_row(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(80))
    assert numbers(figures.residuals(results)["data"][0]["y"]).sum() == 20


def test_confusion_is_that_of_scikit_learn(class_predictions: Maker) -> None:
    from sklearn.metrics import confusion_matrix

    table = class_predictions(200, names=("a", "b", "c"))
    (results,) = results_by_target(table)
    expected = confusion_matrix(table["truth"], table["prediction"], labels=["a", "b", "c"])
    found = numbers(class_figures.confusion(results)["data"][0]["customdata"])
    np.testing.assert_array_equal(found, expected)


def test_reliability_is_that_of_scikit_learn(class_predictions: Maker) -> None:
    from sklearn.calibration import calibration_curve

    table = class_predictions(500)
    (results,) = results_by_target(table)
    right, sure = calibration_curve(
        table["truth"] == table["prediction"], table["probability"], n_bins=10
    )
    points = class_figures.reliability(results)["data"][1]
    np.testing.assert_allclose(numbers(points["x"]), sure)
    np.testing.assert_allclose(numbers(points["y"]), right)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (37, 100)])
def test_interval_of_a_share_is_that_of_scipy(hits: int, trials: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    found = class_figures.wilson_interval(np.array([hits / trials]), np.array([trials]))
    assert (found[0][0], found[1][0]) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_probabilities_count_right_and_wrong(class_predictions: Maker) -> None:
    table = class_predictions(100)
    (results,) = results_by_target(table)
    right, wrong = class_figures.probabilities(results)["data"]
    is_right = (table["truth"] == table["prediction"]).sum()
    assert (numbers(right["y"]).sum(), numbers(wrong["y"]).sum()) == (is_right, 100 - is_right)


def test_learning_curves_skip_unmeasured_epochs(history: pd.DataFrame) -> None:
    made = learning_figures.learning_curves(history)
    assert list(made) == ["loss", "metric-0", "lr"]
    train, val, lowest = made["loss"]["data"]
    assert (len(numbers(train["x"])), len(numbers(val["x"]))) == (6, 5)
    assert (numbers(lowest["x"]), numbers(lowest["y"])) == ([4], [0.2])
    assert lowest["name"] == "lowest validation loss, epoch 4"
    assert made["loss"]["layout"]["yaxis"]["type"] == "log"


def test_the_epoch_of_the_kept_weights_is_marked(history: pd.DataFrame) -> None:
    made = learning_figures.learning_curves(history.assign(val_score=[9, 8, 7, 1, 2, 3]))
    marked = made["loss"]["data"][-1]
    assert (marked["name"], numbers(marked["x"])) == ("weights kept, epoch 3", [3])
    assert list(made) == ["loss", "metric-0", "lr"]


def test_a_negative_loss_stands_on_a_linear_axis(history: pd.DataFrame) -> None:
    made = learning_figures.learning_curves(history.assign(train_loss=-1.0))
    assert "type" not in made["loss"]["layout"]["yaxis"]


def test_no_history_gives_no_figure() -> None:
    assert learning_figures.learning_curves(pd.DataFrame()) == {}
    assert learning_figures.learning_curves(pd.DataFrame({"epoch": [0], "val_loss": [None]})) == {}


def test_crystal_systems_write_the_count_beside_the_bar(predictions: Maker) -> None:
    (results,) = results_by_target(predictions(80))
    made = figures.crystal_systems(results)
    assert list(made["data"][0]["y"])[-1] == "monoclinic"
    assert made["data"][0]["text"][-1].endswith("(n 6)")
    go.Figure(made)
