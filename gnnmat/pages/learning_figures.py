"""Figures of the training history: loss and metrics over the epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, axis_title, figure
from gnnmat.pages.markup import plot_text, shortened

MOST_METRICS = 6


def learning_curves(history: pd.DataFrame) -> dict[str, Figure]:
    """A figure for the loss, one for each validation metric, one for the learning rate.

    Columns without a single number give no figure.
    """
    if "epoch" not in history:
        return {}
    numbers = history.apply(pd.to_numeric, errors="coerce").replace([np.inf, -np.inf], np.nan)
    filled = [column for column in numbers if numbers[column].notna().any()]
    made: dict[str, Figure] = {}
    losses = [column for column in ("train_loss", "val_loss") if column in filled]
    if losses:
        made["loss"] = _loss(numbers, losses)
    metrics = [c for c in filled if c.startswith("val_") and c not in ("val_loss", "val_score")]
    for i, column in enumerate(metrics[:MOST_METRICS]):
        name = column.removeprefix("val_")
        made[f"metric-{i}"] = _single(numbers, column, f"validation {name}", ORANGE)
    if "lr" in filled and numbers["lr"].nunique() > 1:
        made["lr"] = _single(numbers, "lr", "learning rate", GREY)
    return made


@dataclass(frozen=True)
class BestEpoch:
    """The epoch a reader should look at, and why."""

    epoch: float
    why: str


def best_epoch(history: pd.DataFrame) -> BestEpoch | None:
    """The epoch whose weights were kept, else the one of lowest validation loss, else None."""
    for column, why in (("val_score", "weights kept"), ("val_loss", "lowest validation loss")):
        if "epoch" in history and column in history:
            score = pd.to_numeric(history[column], errors="coerce")
            score = score.replace([np.inf, -np.inf], np.nan)
            if score.notna().any():
                return BestEpoch(float(history["epoch"][score.idxmin()]), why)
    return None


def _loss(numbers: pd.DataFrame, columns: list[str]) -> Figure:
    colours = {"train_loss": BLUE, "val_loss": ORANGE}
    traces = [
        _curve(numbers, column, column.removesuffix("_loss"), colours[column]) for column in columns
    ]
    best = best_epoch(numbers)
    if best is not None:
        place = numbers[numbers["epoch"] == best.epoch]
        column = columns[-1]
        traces.append(
            go.Scatter(
                x=place["epoch"].to_numpy(),
                y=place[column].to_numpy(),
                mode="markers",
                name=f"{best.why}, epoch {best.epoch:.0f}",
                marker={
                    "color": colours[column],
                    "size": 10,
                    "symbol": "circle-open",
                    "line": {"width": 2},
                },
                hoverinfo="skip",
            )
        )
    # A negative log-likelihood may fall below zero, where a log axis has nothing to show.
    is_positive = bool((numbers[columns].min() > 0).all())
    axis = (
        log_axis(numbers[columns].min().min(), numbers[columns].max().max()) if is_positive else {}
    )
    return figure(
        traces,
        xaxis=epoch_axis(numbers["epoch"]),
        yaxis={**axis_title("loss"), **axis},
        hovermode="x unified",
    )


def epoch_axis(epochs: pd.Series) -> dict[str, Any]:
    """The axis of epochs, with whole numbers when they are few and a place when there is one."""
    axis = axis_title("epoch")
    if len(epochs) <= 10:
        axis["dtick"] = 1
    if epochs.nunique() == 1:
        axis["range"] = [epochs.iloc[0] - 1, epochs.iloc[0] + 1]
    return axis


def log_axis(low: float, high: float) -> dict[str, Any]:
    """A log axis with few, readable ticks: 1, 2, 5 a decade, or whole decades of a long axis.

    Values less than a factor 3 apart keep a linear axis, where ticks are certain to fall between.
    """
    if high / low < 3:
        return {}
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 2, 5) if math.log10(high / low) < 3 else (1,)
    ticks = [step * 10.0**power for power in decades for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def _single(numbers: pd.DataFrame, column: str, name: str, colour: str) -> Figure:
    trace = _curve(numbers, column, name, colour)
    return figure(
        [trace],
        title={"text": plot_text(shortened(name, 48)), "x": 0, "xref": "paper", "xanchor": "left"},
        xaxis=epoch_axis(numbers["epoch"]),
        yaxis={"automargin": True, "exponentformat": "power"},
        hovermode="x unified",
    )


def _curve(numbers: pd.DataFrame, column: str, name: str, colour: str) -> go.Scatter:
    known = numbers[numbers[column].notna()]
    return go.Scatter(
        x=known["epoch"].to_numpy(),
        y=known[column].to_numpy(),
        mode="lines+markers" if len(known) < 25 else "lines",
        name=plot_text(name),
        line={"color": colour, "width": 2},
        marker={"size": 5},
        hovertemplate="%{y:.4~g}",
    )
