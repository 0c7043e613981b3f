"""Figures of a classification target: confusion, reliability, probabilities."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, axis_title, count_axis, figure
from gnnmat.pages.markup import plot_text, shortened
from gnnmat.pages.periodic_table import VIRIDIS
from gnnmat.pages.results import TargetResults

BINS = 10
# Above this many classes, counts inside the cells would overlap; they stay in the hover text.
MOST_WRITTEN_CLASSES = 12


def confusion(results: TargetResults) -> Figure:
    """Counts of predicted (columns) against true classes (rows), coloured by share of the row."""
    names = results.classes
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=int)
    shown = results.shown
    np.add.at(counts, (shown["truth"].map(place), shown["prediction"].map(place)), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = [plot_text(shortened(name, 18)) for name in names]
    heat = go.Heatmap(
        z=share,
        zmin=0,
        zmax=1,
        customdata=counts,
        text=[[f"{n:,}" for n in row] for row in counts],
        texttemplate="%{text}" if len(names) <= MOST_WRITTEN_CLASSES else None,
        colorscale=VIRIDIS,
        xgap=2,
        ygap=2,
        showscale=False,
        hovertemplate="%{customdata} rows, %{z:.1%} of the true class<extra></extra>",
    )
    axis = {"tickvals": list(range(len(names))), "ticktext": labels, "showgrid": False}
    return figure(
        [heat],
        xaxis={**axis_title("predicted class"), **axis},
        yaxis={**axis_title("true class"), **axis, "autorange": "reversed"},
    )


def reliability(results: TargetResults) -> Figure:
    """Share of right classes against the stated probability, with 95% intervals.

    Source: Wilson score interval, J. Am. Stat. Assoc. 22, 209 (1927).
    """
    shown = results.shown[results.shown["probability"].notna()]
    edges = np.linspace(0, 1, BINS + 1)
    box = np.clip(np.digitize(shown["probability"], edges[1:-1]), 0, BINS - 1)
    groups = shown.assign(right=1 - shown["error"]).groupby(box)
    sure, right, n = groups["probability"].mean(), groups["right"].mean(), groups.size()
    low, high = wilson_interval(right.to_numpy(), n.to_numpy())
    points = go.Scatter(
        x=sure,
        y=right,
        mode="markers",
        name="model",
        customdata=n,
        marker={"color": BLUE, "size": 8},
        error_y={
            "array": high - right,
            "arrayminus": right - low,
            "color": BLUE,
            "thickness": 1,
            "width": 3,
        },
        hovertemplate="said %{x:.1%}, was %{y:.1%}<br>%{customdata} rows<extra></extra>",
    )
    ideal = {"color": GREY, "width": 1, "dash": "dot"}
    line = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=ideal, hoverinfo="skip")
    axis = {"range": [-0.03, 1.03], "tickformat": ".0%"}
    return figure(
        [line, points],
        xaxis={**axis_title("stated probability"), **axis},
        yaxis={**axis_title("share of right classes"), **axis},
        showlegend=False,
    )


def wilson_interval(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95% interval of a share (bins,) seen in ``n`` (bins,) trials."""
    z = 1.959964  # 97.5% quantile of the normal distribution
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def probabilities(results: TargetResults) -> Figure:
    """Histogram of the stated probability, right and wrong classes stacked."""
    shown = results.shown[results.shown["probability"].notna()]
    edges = np.linspace(0, 1, 2 * BINS + 1)
    traces = []
    for name, is_wrong, colour in (("right", 0.0, BLUE), ("wrong", 1.0, ORANGE)):
        heights, _ = np.histogram(shown.loc[shown["error"] == is_wrong, "probability"], edges)
        traces.append(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=heights,
                width=np.diff(edges),
                name=name,
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate=f"%{{y}} {name}<extra></extra>",
            )
        )
    return figure(
        traces,
        barmode="stack",
        xaxis={**axis_title("stated probability"), "tickformat": ".0%", "range": [0, 1.002]},
        yaxis=count_axis(f"{results.shown_split} rows", len(shown)),
    )
