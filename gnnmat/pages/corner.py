"""Couplings against each other: ellipses that hold 68% and 95%, densities on the diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, figure
from gnnmat.pages.markup import plot_text
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.inference.space import Floats

# Two normal numbers lie within these multiples of the standard error with 68% and 95%.
# Source: square roots of the chi^2 quantiles of two degrees of freedom.
CONTOURS = {"68%": 1.515, "95%": 2.448}
SPAN = 3.6  # standard errors shown on either side
POINTS = 73  # of an ellipse or a curve
GAP = 0.02  # between panels, as a share of the figure


def corner(
    fit: Fit,
    *,
    marked: Mapping[str, Sequence[float]] | None = None,
    samples: Floats | None = None,
    size: int = 760,
) -> Figure:
    """Plotly JSON of a fit's couplings in pairs, below the diagonal.

    Couplings held fixed are left out. Ranges of couplings cut the panels off where an error bar
    would reach beyond them.

    Args:
        fit: values and covariance.
        marked: other values of all couplings by label, drawn as crosses: the truth, or a
            published fit; already folded like the fit's where an image cannot tell two apart.
        samples: (n, p) drawn or refitted couplings to show as points.
        size: of the figure in pixels.
    """
    free = np.flatnonzero(fit.errors > 0)
    count = len(free)
    spans = [_span(fit, int(place), marked or {}) for place in free]
    traces: list[Any] = []
    layout: dict[str, Any] = {"width": size, "height": size, "showlegend": bool(marked)}
    for row in range(count):
        for column in range(row + 1):
            number = row * (row + 1) // 2 + column + 1
            layout |= _axes(number, row, column, count, fit, free, spans)
            axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            if row == column:
                traces += _density(fit, free[row], spans[row], axes)
            else:
                pair = int(free[column]), int(free[row])
                traces += _pair(fit, pair, axes, marked or {}, samples, first=number == 2)
    return figure(traces, hovermode="closest", **layout)


def ellipse(centre: Floats, covariance: Floats, factor: float) -> Floats:
    """(POINTS, 2) the curve at so many standard errors around a centre.

    Args:
        centre: (2,)
        covariance: (2, 2)
        factor: standard errors.
    """
    angle = np.linspace(0, 2 * np.pi, POINTS)
    values, vectors = np.linalg.eigh(covariance)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    curve: Floats = centre + factor * (circle * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return curve


def _span(fit: Fit, place: int, marked: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    value, error = float(fit.values[place]), float(fit.errors[place])
    others = [float(values[place]) for values in marked.values()]
    low = min([value - SPAN * error, *(other - error for other in others)])
    high = max([value + SPAN * error, *(other + error for other in others)])
    if len(fit.ranges):
        lowest, highest = fit.ranges[place]
        margin = 0.15 * (high - low)
        low, high = max(low, lowest - margin), min(high, highest + margin)
    return low, high


def _axes(
    number: int,
    row: int,
    column: int,
    count: int,
    fit: Fit,
    free: Any,
    spans: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Where one panel lies, and what stands beside it."""

    def domain(place: int) -> list[float]:
        return [place / count + (GAP if place else 0), (place + 1) / count]

    bottom, left = row == count - 1, column == 0 and row > 0
    shared: dict[str, Any] = {
        "showgrid": False,
        "zeroline": False,
        "nticks": 4,
        "showline": True,
        "mirror": True,
    }
    shared |= {"linecolor": GREY, "ticks": "outside", "ticklen": 3}
    x = {**shared, "anchor": f"y{number}", "domain": domain(column), "range": list(spans[column])}
    y = {**shared, "anchor": f"x{number}", "domain": domain(count - 1 - row)}
    x |= {"showticklabels": bottom, "title": {"text": _title(fit, free[column]) if bottom else ""}}
    if row == column:
        y |= {"range": [0, 1.1], "showticklabels": False, "ticks": ""}
    else:
        y |= {"range": list(spans[row]), "showticklabels": left}
        y |= {"title": {"text": _title(fit, free[row]) if left else ""}}
    return {f"xaxis{number}": x, f"yaxis{number}": y}


def _title(fit: Fit, place: int) -> str:
    return f"{plot_text(fit.couplings[place])} / meV"


def _density(
    fit: Fit, place: int, span: tuple[float, float], axes: Mapping[str, str]
) -> list[go.Scatter]:
    value, error = float(fit.values[place]), float(fit.errors[place])
    x = np.linspace(*span, POINTS)
    curve = go.Scatter(
        x=x,
        y=np.exp(-0.5 * ((x - value) / error) ** 2),
        mode="lines",
        line={"color": BLUE, "width": 1.5},
        fill="tozeroy",
        fillcolor="rgba(43,127,192,0.2)",
        hovertemplate=f"{plot_text(fit.couplings[place])} {value:.4g} ± {error:.2g} meV"
        "<extra></extra>",
        showlegend=False,
        **axes,
    )
    return [curve]


def _pair(
    fit: Fit,
    pair: tuple[int, int],
    axes: Mapping[str, str],
    marked: Mapping[str, Sequence[float]],
    samples: Floats | None,
    *,
    first: bool,
) -> list[go.Scatter]:
    i, j = pair
    centre = fit.values[[i, j]]
    traces = []
    if samples is not None:
        dots = {"color": GREY, "size": 3, "opacity": 0.5}
        traces.append(_points(samples[:, i], samples[:, j], dots, axes, "samples"))
    for share, factor in CONTOURS.items():
        curve = ellipse(centre, fit.covariance[np.ix_([i, j], [i, j])], factor)
        traces.append(
            go.Scatter(
                x=curve[:, 0],
                y=curve[:, 1],
                mode="lines",
                line={"color": BLUE, "width": 1.5 if share == "68%" else 0.8},
                fill="toself",
                fillcolor="rgba(43,127,192,0.15)",
                hovertemplate=f"{share}<extra></extra>",
                showlegend=False,
                **axes,
            )
        )
    traces.append(_points([centre[0]], [centre[1]], {"color": BLUE, "size": 4}, axes, "fit"))
    for number, (label, values) in enumerate(marked.items()):
        colour = ORANGE if number == 0 else GREY
        cross = {"color": colour, "size": 9, "symbol": "x-thin", "line": {"width": 2}}
        cross["line"] = {"width": 2, "color": colour}
        point = _points([values[i]], [values[j]], cross, axes, label)
        traces.append(point.update(showlegend=first))
    return traces


def _points(
    x: Any, y: Any, marker: Mapping[str, Any], axes: Mapping[str, str], name: str
) -> go.Scatter:
    return go.Scatter(
        x=[float(value) for value in x],
        y=[float(value) for value in y],
        mode="markers",
        marker=dict(marker),
        name=plot_text(name),
        hovertemplate=f"{plot_text(name)}: %{{x:.4g}}, %{{y:.4g}}<extra></extra>",
        showlegend=False,
        **axes,
    )
