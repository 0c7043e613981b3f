"""Figures of positive-unlabelled scores: their distribution, recall against flags, precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, axis_title, figure
from gnnmat.pages.markup import plot_text, shortened

POSITIVE, UNLABELLED = "1", "0"
BINS = 40
COLOURS = (BLUE, ORANGE, GREY, "#7a5195", "#2f9e63", "#c0504d", "#8c7b5a", "#444d56")
BAND_COLOUR = "rgba(43,127,192,0.2)"
COLUMN_BINS = 12


def histograms(scores: pd.DataFrame) -> Figure:
    """Share of the rows in each bin of the score, positive and unlabelled ones."""
    edges = np.linspace(0, 1, BINS + 1)
    traces = []
    for label, name, colour in (
        (UNLABELLED, "unlabelled", ORANGE),
        (POSITIVE, "positive", BLUE),
    ):
        values = scores.loc[scores["label"] == label, "score"].dropna().to_numpy(dtype=float)
        heights = np.histogram(values, edges)[0]
        traces.append(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=(heights / max(len(values), 1)).tolist(),
                width=np.diff(edges),
                name=f"{name} ({len(values):,})",
                marker={"color": colour, "line": {"width": 0}},
                opacity=0.6,
                customdata=heights.tolist(),
                hovertemplate="score %{x:.3f}<br>%{customdata} rows, %{y:.1%}<extra></extra>",
            )
        )
    return figure(
        traces,
        barmode="overlay",
        xaxis={**axis_title("score"), "range": [0, 1]},
        yaxis={**axis_title("share of the rows"), "tickformat": ".0%"},
    )


def flagged_figure(models: Sequence[Mapping[str, Any]]) -> Figure:
    """Recall of positives against the share of unlabelled rows flagged, a line a model."""
    traces: list[Any] = [
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": GREY, "dash": "dot", "width": 1},
            showlegend=False,
            hoverinfo="skip",
        )
    ]
    traces += [_band(models[0]["band"])] if models and "band" in models[0] else []
    for place, one in enumerate(models):
        curve = one["curve"]
        traces.append(
            go.Scatter(
                x=curve["flagged"],
                y=curve["recall"],
                customdata=curve["threshold"],
                mode="lines",
                name=plot_text(shortened(one["name"], 40)),
                line={"color": COLOURS[place % len(COLOURS)], "width": 3 if place == 0 else 1.5},
                hovertemplate="flagged %{x:.1%}, recall %{y:.1%}<br>above %{customdata:.3g}"
                f"<extra>{plot_text(shortened(one['name'], 40))}</extra>",
            )
        )
    axis = {"range": [0, 1.01], "tickformat": ".0%"}
    return figure(
        traces,
        showlegend=True,
        xaxis={**axis_title("unlabelled rows flagged"), **axis},
        yaxis={**axis_title("positives found"), **axis},
    )


def _band(band: Mapping[str, Sequence[float]]) -> Any:
    """The 95% interval of the first curve, shaded."""
    there = [place for place, low in enumerate(band["low"]) if low is not None and isfinite(low)]
    shares = [band["flagged"][place] for place in there]
    edges = [[band[name][place] for place in there] for name in ("high", "low")]
    return go.Scatter(
        x=[*shares, *shares[::-1]],
        y=[*edges[0], *edges[1][::-1]],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=BAND_COLOUR,
        showlegend=False,
        hoverinfo="skip",
    )


def precision_figure(summary: Mapping[str, Any]) -> Figure:
    """Precision among the flagged rows over the priors that are possible."""
    rows = summary["precision"]
    line = go.Scatter(
        x=[one["prior"] for one in rows],
        y=[one["precision"] for one in rows],
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        hovertemplate="if %{x:.1%} of the unlabelled rows are positive:<br>"
        "%{y:.1%} of the flagged ones are<extra></extra>",
    )
    return figure(
        [line],
        xaxis={**axis_title("positives among the unlabelled (not known)"), "tickformat": ".0%"},
        yaxis={
            **axis_title("positives among the flagged"),
            "range": [0, 1.02],
            "tickformat": ".0%",
        },
    )


def column_figure(scores: pd.DataFrame, name: str) -> Figure | None:
    """Mean score over bins of a column, positive and unlabelled rows; None without values."""
    table = scores[[name, "score", "label"]].copy()
    table[name] = pd.to_numeric(table[name], errors="coerce")
    table = table.dropna()
    if len(table) < COLUMN_BINS or table[name].nunique() < 3:
        return None
    edges = np.unique(table[name].quantile(np.linspace(0, 1, COLUMN_BINS + 1)).to_numpy())
    bins = pd.cut(table[name], edges, include_lowest=True, labels=False)
    traces = []
    for label, words, colour in (
        (UNLABELLED, "unlabelled", ORANGE),
        (POSITIVE, "positive", BLUE),
    ):
        rows = table[table["label"] == label]
        grouped = rows.groupby(bins[rows.index])
        middle, mean = grouped[name].median(), grouped["score"].mean()
        traces.append(
            go.Scatter(
                x=middle,
                y=mean,
                customdata=grouped.size(),
                mode="lines+markers",
                name=words,
                line={"color": colour, "width": 2},
                hovertemplate="%{x:.4~g}: mean score %{y:.3f}<br>%{customdata:,} rows"
                f"<extra>{words}</extra>",
            )
        )
    return figure(
        traces,
        xaxis=axis_title(plot_text(shortened(name, 32))),
        yaxis={**axis_title("mean score"), "range": [0, 1]},
    )
