"""Figures of powder patterns: a line, ticks with Miller indices under it, what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, axis_title, figure
from gnnmat.pages.markup import number, plot_text

Floats = NDArray[np.float64]

MOST_TICKS = 2_000


@dataclass(frozen=True)
class Tick:
    """A Bragg peak: where, and what stands there when it is pointed at."""

    at: float
    words: str


def miller(h: int, k: int, l: int) -> str:  # noqa: E741
    """``1 0 −2``: Miller indices."""
    return f"{h} {k} {l}".replace("-", "−")


def tick_words(hkl: Sequence[int], spacing: float, multiplicity: int) -> str:
    """``(1 1 1), d 3.256 Å, 8 reflections``."""
    h, k, l = (int(one) for one in hkl)  # noqa: E741
    return f"({miller(h, k, l)}), d {number(spacing, 4)} Å, {multiplicity} reflections"


def pattern_figure(
    axis: str, at: Floats, patterns: Sequence[tuple[str, Floats]], ticks: Sequence[Tick]
) -> Figure:
    """Patterns over each other, with ticks under them.

    Args:
        axis: title of the axis.
        at: (n,) along it.
        patterns: name and (n,) intensities.
        ticks: Bragg peaks.
    """
    colours = (BLUE, ORANGE, GREY)
    traces = [
        go.Scatter(
            x=np.round(at, 5),
            y=few_digits(values),
            mode="lines",
            name=plot_text(name),
            line={"color": colours[place % 3], "width": 1.3},
            hovertemplate="%{x:.5~g}: %{y:.3~g}<extra></extra>",
        )
        for place, (name, values) in enumerate(patterns)
    ]
    traces += tick_traces(ticks, "y2")
    return figure(
        traces,
        xaxis={**axis_title(axis), "range": [float(at[0]), float(at[-1])], "anchor": "y2"},
        yaxis={**axis_title("intensity, 100 at the highest"), "domain": [0.1, 1.0]},
        yaxis2=strip([0.0, 0.07]),
        showlegend=len(patterns) > 1,
    )


def refined_figure(
    at: Floats,
    measured: Floats,
    calculated: Floats,
    background: Floats,
    ticks: Sequence[Tick],
) -> Figure:
    """A measured pattern, a calculated one over it, Bragg ticks, and the difference below.

    Args:
        at: (n,) degrees of 2 theta.
        measured: (n,) counts.
        calculated: (n,) counts.
        background: (n,) counts.
        ticks: Bragg peaks.
    """
    hover = "%{x:.5~g}: %{y:.5~g}<extra>"
    x = np.round(at, 5)

    def line(name: str, values: Floats, colour: str, axis: str = "y", **more: object) -> go.Scatter:
        style = {"color": colour, "width": 1.3, **more}
        return go.Scatter(
            x=x, y=few_digits(values), mode="lines", name=name, line=style, yaxis=axis,
            hovertemplate=f"{hover}{name}</extra>",
        )  # fmt: skip

    dots = go.Scatter(
        x=x, y=few_digits(measured), mode="markers", name="measured",
        marker={"color": GREY, "size": 3}, hovertemplate=f"{hover}measured</extra>",
    )  # fmt: skip
    left = line("measured − calculated", measured - calculated, GREY, "y3")
    traces = [dots, line("background", background, GREY, dash="dot")]
    traces += [line("calculated", calculated, ORANGE), left, *tick_traces(ticks, "y2")]
    return figure(
        traces,
        xaxis={**axis_title("2θ / degrees"), "range": [float(x[0]), float(x[-1])], "anchor": "y3"},
        yaxis={**axis_title("counts"), "domain": [0.33, 1.0]},
        yaxis2=strip([0.26, 0.31]),
        yaxis3={**axis_title("difference"), "domain": [0.0, 0.23], "anchor": "x"},
        showlegend=True,
    )


def tick_traces(ticks: Sequence[Tick], axis: str) -> list[go.Scatter]:
    """The marks of Bragg peaks on the strip ``axis``."""
    some = ticks[:MOST_TICKS]
    return [
        go.Scatter(
            x=[round(one.at, 5) for one in some],
            y=[0.5] * len(some),
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 11,
                "line": {"color": BLUE, "width": 1.5},
            },
            name="Bragg peaks",
            yaxis=axis,
            text=[plot_text(one.words) for one in some],
            hovertemplate="%{x:.5~g}: %{text}<extra></extra>",
            showlegend=False,
        )
    ]


def strip(domain: list[float]) -> dict[str, object]:
    """The axis of a strip of ticks."""
    return {
        "domain": domain,
        "range": [0, 1],
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "anchor": "x",
    }


def few_digits(values: Floats, digits: int = 5) -> list[float]:
    """Numbers with few digits: a page of many patterns stays small."""
    return [float(f"{value:.{digits}g}") for value in values]
