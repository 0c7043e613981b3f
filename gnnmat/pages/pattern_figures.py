"""Figures of an explained powder pattern: what each angle adds, and what the layers look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from gnnmat.pages.diffraction_figures import Tick, few_digits, strip, tick_traces
from gnnmat.pages.figures import GREY, Figure, axis_title, figure

Floats = NDArray[np.float64]

FOR, AGAINST = "#e03131", "#3389dc"


def contribution_figure(at: Floats, seen: Floats, map_: Floats, ticks: Sequence[Tick]) -> Figure:
    """A pattern, Bragg ticks under it, and below what each angle adds to the log-odds.

    Args:
        at: (n,) degrees of 2 theta.
        seen: (n,) the pattern as the network sees it.
        map_: (n,) contributions.
        ticks: Bragg peaks.
    """
    x = np.round(at, 4)
    line = go.Scatter(
        x=x, y=few_digits(seen), mode="lines", line={"color": GREY, "width": 1.3},
        hovertemplate="%{x:.5~g}: %{y:.3~g}<extra>pattern</extra>", showlegend=False,
    )  # fmt: skip
    parts = [
        go.Scatter(
            x=x, y=few_digits(values), mode="lines", fill="tozeroy", yaxis="y3", name=name,
            line={"color": colour, "width": 0.8},
            hovertemplate="%{x:.5~g}: %{y:.3~g}<extra>" + name + "</extra>",
        )
        for name, colour, values in (
            ("speaks for the class", FOR, np.clip(map_, 0, None)),
            ("speaks against it", AGAINST, np.clip(map_, None, 0)),
        )
    ]  # fmt: skip
    return figure(
        [line, *parts, *tick_traces(ticks, "y2")],
        xaxis={**axis_title("2θ / degrees"), "range": [float(x[0]), float(x[-1])], "anchor": "y3"},
        yaxis={**axis_title("as the network sees it"), "domain": [0.5, 1.0]},
        yaxis2=strip([0.43, 0.48]),
        yaxis3={**axis_title("contribution"), "domain": [0.0, 0.4], "anchor": "x"},
        showlegend=True,
    )


def response_figure(at: Floats, rows: Sequence[tuple[str, Floats]]) -> Figure:
    """Response maps over the angles, one row each, each from 0 to 1.

    Args:
        at: (n,) degrees of 2 theta.
        rows: name and (n,) values, from the top.
    """
    sizes = [np.abs(values) for _, values in rows]
    scaled = [few_digits(one / (one.max() or 1.0), 3) for one in sizes]
    places = list(range(len(rows)))
    heat = go.Heatmap(
        x=np.round(at, 3), y=places, z=scaled, colorscale="Inferno", showscale=False,
        hovertemplate="%{x:.4~g}: %{z:.2~g}<extra></extra>",
    )  # fmt: skip
    names = {"tickvals": places, "ticktext": [name for name, _ in rows], "autorange": "reversed"}
    return figure(
        [heat],
        xaxis=axis_title("2θ / degrees"),
        yaxis={**names, "automargin": True, "tickfont": {"size": 10}},
        showlegend=False,
    )
