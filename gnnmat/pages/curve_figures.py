"""Figures of targets that are curves: truth and prediction of a few, errors along the axis."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from gnnmat.pages.figures import (
    BLUE,
    GREY,
    ORANGE,
    Figure,
    axis_title,
    count_axis,
    figure,
    histogram,
)
from gnnmat.pages.markup import formula_plot_text, number, plot_text, shortened
from gnnmat.pages.results import TargetResults
from gnnmat.target import curve_array

CHOSEN = ("best", "median", "worst")


def chosen_rows(results: TargetResults) -> dict[str, int]:
    """Place among the shown rows of the curve with the smallest, middle and largest error."""
    order = results.shown["error"].to_numpy().argsort(kind="stable")
    places = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    # Of one or two rows some are the same; each is shown once.
    found: dict[str, int] = {}
    for name, place in places.items():
        if int(place) not in found.values():
            found[name] = int(place)
    return found


def one_curve(results: TargetResults, name: str, place: int) -> Figure:
    """Truth and prediction of one shown row."""
    row = results.shown.iloc[place]
    points = _points(results)
    lines = [("truth", row["truth"], ORANGE), ("prediction", row["prediction"], BLUE)]
    traces = [
        go.Scatter(
            x=points,
            y=np.asarray(values, dtype=float),
            name=label,
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate=f"%{{x:.4~g}}: %{{y:.4~g}}<extra>{label}</extra>",
        )
        for label, values, colour in lines
    ]
    error = f"{number(row['error'])} {plot_text(results.unit)}".strip()
    formula = formula_plot_text(shortened(row["formula"], 24))
    who = f"{plot_text(shortened(row['id'], 24))}  {formula}".strip()
    return figure(
        traces,
        title={"text": f"{name}: {who}, MAE {error}", "font": {"size": 14}, "x": 0.02},
        xaxis=axis_title(_axis_words(results)),
        yaxis=axis_title(_value_words(results)),
        margin={"l": 64, "r": 16, "t": 64, "b": 52},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
    )


def errors(results: TargetResults) -> Figure:
    """Histogram of the mean absolute error a curve, over the shown split."""
    bars, highest = histogram(results.shown["error"].to_numpy())
    unit = f" / {plot_text(results.unit)}" if results.unit else ""
    return figure(
        [bars],
        xaxis={**axis_title(f"mean absolute error of a curve{unit}"), "rangemode": "tozero"},
        yaxis=count_axis(f"{results.shown_split} rows", highest),
        bargap=0.03,
    )


def along_axis(results: TargetResults) -> Figure:
    """Mean absolute error at each point, beside the spread of the truths there."""
    truth, said = arrays(results)
    known = np.isfinite(truth)
    counts = np.maximum(known.sum(0), 1)
    error = np.where(known, np.abs(said - truth), 0.0).sum(0) / counts
    mean = np.where(known, truth, 0.0).sum(0) / counts
    spread = np.where(known, np.abs(truth - mean), 0.0).sum(0) / counts
    points = _points(results)
    lines = (("model", error, BLUE, "solid"), ("mean curve of these rows", spread, GREY, "dot"))
    traces = [
        go.Scatter(
            x=points,
            y=values,
            name=label,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate=f"%{{x:.4~g}}: %{{y:.3~g}}<extra>{label}</extra>",
        )
        for label, values, colour, dash in lines
    ]
    unit = f" / {plot_text(results.unit)}" if results.unit else ""
    return figure(
        traces,
        xaxis=axis_title(_axis_words(results)),
        yaxis={**axis_title(f"mean absolute error{unit}"), "rangemode": "tozero"},
    )


def arrays(results: TargetResults) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truths and predictions of the shown rows, (rows, points) each."""
    shown = results.shown
    size = len(shown["prediction"].iloc[0])
    return curve_array(shown["truth"], size), curve_array(shown["prediction"], size)


def _points(results: TargetResults) -> NDArray[np.float64]:
    given = results.axis.points
    size = len(results.shown["prediction"].iloc[0])
    return np.asarray(given) if len(given) == size else np.arange(size, dtype=float)


def _axis_words(results: TargetResults) -> str:
    axis = results.axis
    if not axis.points:
        return "point"
    name = plot_text(shortened(axis.name, 32))
    return f"{name} / {plot_text(axis.unit)}" if axis.unit else name


def _value_words(results: TargetResults) -> str:
    name = plot_text(shortened(results.name, 32))
    return f"{name} / {plot_text(results.unit)}" if results.unit else name
