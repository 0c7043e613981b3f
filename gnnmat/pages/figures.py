"""Figures of the report as plotly JSON; colours of paper, ink and grid are the page's business."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from gnnmat.pages.markup import formula_plot_text, number, plot_text, shortened
from gnnmat.pages.results import TargetResults, error_by_crystal_system

Figure = dict[str, Any]

# Blue and orange of Okabe & Ito, "Color Universal Design" (2008), with the blue lightened until it
# reads on white and on black paper alike; grey for what stands behind.
BLUE, ORANGE, GREY = "#2b7fc0", "#e08a00", "#969da6"
SPLIT_COLOURS = {"test": BLUE, "val": ORANGE, "train": GREY}

# SVG draws crisply and prints well up to here; WebGL takes over above.
SVG_POINTS = 5_000
# A parity plot holds about this many points; train gives way, other splits are always whole.
DRAWN_POINTS = 20_000
LEAST_TRAIN_POINTS = 2_000
SUBSAMPLE_SEED = 0


def figure(traces: list[Any], *, with_headroom: bool = False, **layout: Any) -> Figure:
    """Plotly JSON of ``traces`` in the house layout; headroom aligns it with a legend beside."""
    has_legend = layout.get("showlegend", len(traces) > 1)
    has_head = has_legend or "title" in layout or with_headroom
    settings: dict[str, Any] = {
        "template": "none",
        "margin": {"l": 64, "r": 16, "t": 40 if has_head else 12, "b": 52},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "xanchor": "left",
        },
        "hovermode": "closest",
        "showlegend": has_legend,
    }
    made = go.Figure(traces, go.Layout({**settings, **layout})).to_plotly_json()
    made["layout"].pop("template")
    return {"data": made["data"], "layout": made["layout"]}


def axis_title(text: str) -> dict[str, Any]:
    """An axis with a title and room for it."""
    return {"title": {"text": text, "standoff": 10}, "automargin": True}


def count_axis(text: str, highest: int) -> dict[str, Any]:
    """An axis of whole numbers: no half crystals when there are few."""
    return {**axis_title(text), "tickformat": ",", **({"dtick": 1} if highest <= 5 else {})}


def _quantity(results: TargetResults, word: str) -> str:
    name = f"{word} {plot_text(shortened(results.name, 32))}".strip()
    return f"{name} / {plot_text(results.unit)}" if results.unit else name


def drawn_rows(results: TargetResults) -> dict[str, pd.DataFrame]:
    """Rows a split as drawn: all of them, or for a large train split a seeded subsample."""
    rows = {split: results.rows[results.rows["split"] == split] for split in results.counts}
    others = sum(len(part) for split, part in rows.items() if split != "train")
    room = max(DRAWN_POINTS - others, LEAST_TRAIN_POINTS)
    if "train" in rows and len(rows["train"]) > room:
        rows["train"] = rows["train"].sample(room, random_state=SUBSAMPLE_SEED).sort_index()
    return rows


def parity(results: TargetResults) -> Figure:
    """Prediction against truth, a colour a split; splits not judged wait in the legend."""
    rows = drawn_rows(results)
    scatter = go.Scattergl if sum(map(len, rows.values())) > SVG_POINTS else go.Scatter
    hover = _hover(results.unit)
    low, high = _span(results.shown)
    traces = [_identity(*_span(results.rows))]
    # The shown split is drawn last, on top of the others.
    for split in reversed(rows):
        part = rows[split]
        is_shown = split == results.shown_split
        traces.append(
            scatter(
                x=part["truth"].to_numpy(),
                y=part["prediction"].to_numpy(),
                customdata=_labels(part),
                mode="markers",
                name=f"{split} ({len(part):,})",
                meta=split,
                visible=True if is_shown else "legendonly",
                marker={
                    "color": SPLIT_COLOURS.get(split, GREY),
                    "size": _marker_size(len(part)),
                    "opacity": 0.75 if len(part) < 1_000 else 0.45,
                },
                hovertemplate=hover,
            )
        )
    axis = {"range": [low, high], "constrain": "domain"}
    return figure(
        traces,
        xaxis={**axis_title(_quantity(results, "true")), **axis},
        yaxis={**axis_title(_quantity(results, "predicted")), **axis, "scaleanchor": "x"},
        # Markers of every split stand equally large in the legend.
        legend_traceorder="reversed",
        legend_itemsizing="constant",
    )


def _hover(unit: str) -> str:
    # A unit such as "%{x}" must not read the fields of the point.
    ending = f" {plot_text(unit)}".replace("%", "&#37;") if unit else ""
    return (
        f"<b>%{{customdata[0]}}</b>  %{{customdata[1]}}<br>truth %{{x:.4~g}}{ending}"
        "<br>prediction %{y:.4~g}<br>error %{customdata[2]:+.3~g}<extra></extra>"
    )


def _labels(part: pd.DataFrame) -> list[list[Any]]:
    ids = part["id"].map(lambda name: plot_text(shortened(name, 60)))
    if part["atom"].notna().any():
        ids = ids + part["atom"].map(lambda atom: f" atom {atom:.0f} ") + part["element"]
    formulas = part["formula"].map(lambda formula: formula_plot_text(shortened(formula, 60)))
    errors = [float(f"{error:.6g}") for error in part["error"]]
    return [list(row) for row in zip(ids, formulas, errors, strict=True)]


def _marker_size(points: int) -> float:
    return 8.0 if points < 300 else 6.0 if points < 3_000 else 4.0


def _span(rows: pd.DataFrame) -> tuple[float, float]:
    both = rows[["truth", "prediction"]].to_numpy()
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * (high - low) or max(abs(high) * 0.1, 1e-3)
    return low - margin, high + margin


def _identity(low: float, high: float) -> go.Scatter:
    return go.Scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": GREY, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def histogram(errors: NDArray[np.float64]) -> tuple[go.Bar, int]:
    """Bars of how many rows have which error, and the height of the highest."""
    edges = np.histogram_bin_edges(errors, bins=min(max(round(len(errors) ** 0.5), 5), 60))
    heights, edges = np.histogram(errors, edges)
    bars = go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=heights,
        width=np.diff(edges),
        marker={"color": BLUE, "line": {"width": 0}},
        opacity=0.85,
        hovertemplate="error %{x:.3~g}<br>%{y} rows<extra></extra>",
    )
    return bars, int(heights.max())


def residuals(results: TargetResults) -> Figure:
    """Histogram of prediction minus truth over the shown split."""
    bars, highest = histogram(results.shown["error"].to_numpy())
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}
    return figure(
        [bars],
        xaxis=axis_title(
            f"prediction − truth{f' / {plot_text(results.unit)}' if results.unit else ''}"
        ),
        yaxis=count_axis(f"{results.shown_split} rows", highest),
        with_headroom=True,
        bargap=0.03,
        shapes=[{**zero, "line": {"color": GREY, "width": 1, "dash": "dot"}}],
    )


def crystal_systems(results: TargetResults) -> Figure:
    """Mean error a crystal system with the number of crystals beside each bar."""
    table = error_by_crystal_system(results).iloc[::-1]
    bars = go.Bar(
        x=table["error"],
        y=[plot_text(shortened(system, 24)) for system in table.index],
        orientation="h",
        marker={"color": BLUE},
        opacity=0.85,
        text=[f"{number(table['error'][s])}  (n {table['count'][s]:,})" for s in table.index],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.4~g}<extra></extra>",
    )
    widest = float(table["error"].max()) or 1.0
    word = "share of wrong classes" if results.is_classes else "mean absolute error"
    unit = f" / {plot_text(results.unit)}" if results.unit else ""
    return figure(
        [bars],
        xaxis={**axis_title(word + unit), "range": [0, widest * 1.35]},
        yaxis={"automargin": True, "showgrid": False, "type": "category"},
        bargap=0.35,
    )
