"""PNG pictures of patterns, for a talk or a report."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BLUE, ORANGE, GREY = "#2b7fc0", "#e08a00", "#969da6"  # as on the pages
FOR, AGAINST = "#e03131", "#3389dc"


def pattern_png(title: str, axis: str, at: Floats, values: Floats, ticks: ArrayLike) -> bytes:
    """A PNG file of a pattern with its Bragg peaks as ticks.

    Args:
        title: above it, as plain text.
        axis: words of the axis.
        at: (n,) along it.
        values: (n,) intensities.
        ticks: positions of Bragg peaks.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(8, 4), dpi=150, layout="constrained")
    plot = picture.subplots()
    plot.plot(at, values, color=BLUE, linewidth=0.9)
    top = float(values.max()) or 1.0
    plot.vlines(ticks, -0.08 * top, -0.02 * top, color=GREY, linewidth=0.8)
    plot.set(xlim=(at[0], at[-1]), xlabel=axis, ylabel="intensity")
    plot.set_title(title, parse_math=False)
    return _png(picture)


def match_png(
    title: str,
    at: Floats,
    measured: Floats,
    calculated: Floats,
    ticks: ArrayLike,
) -> bytes:
    """A PNG file of a measured pattern, a calculated one, ticks and the difference.

    Args:
        title: above it, as plain text.
        at: (n,) degrees of 2 theta.
        measured: (n,) counts.
        calculated: (n,) counts.
        ticks: positions of Bragg peaks.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    plot = picture.subplots()
    top = float(measured.max()) or 1.0
    left = measured - calculated
    plot.plot(at, measured, ".", color=GREY, markersize=2, label="measured")
    plot.plot(at, calculated, color=ORANGE, linewidth=0.9, label="calculated")
    plot.vlines(ticks, -0.08 * top, -0.03 * top, color=BLUE, linewidth=0.8)
    lowest = -0.12 * top - max(float(left.max()), 0.0)
    plot.plot(at, left + lowest, color=GREY, linewidth=0.7, label="difference")
    plot.set(xlim=(at[0], at[-1]), xlabel="2θ / degrees", ylabel="counts")
    plot.set_title(title, parse_math=False)
    plot.legend(frameon=False)
    return _png(picture)


def contribution_png(
    title: str, at: Floats, seen: Floats, contribution: Floats, ticks: ArrayLike
) -> bytes:
    """A PNG file of a pattern, its Bragg peaks, and what each angle adds to an answer.

    Args:
        title: above it, as plain text.
        at: (n,) degrees of 2 theta.
        seen: (n,) the pattern as the network sees it.
        contribution: (n,) to the log-odds.
        ticks: positions of Bragg peaks.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    upper, lower = picture.subplots(2, sharex=True, height_ratios=(3, 2))
    upper.plot(at, seen, color=GREY, linewidth=0.9)
    top = float(seen.max()) or 1.0
    upper.vlines(ticks, -0.08 * top, -0.02 * top, color=BLUE, linewidth=0.8)
    upper.set(ylabel="as the network sees it", xlim=(at[0], at[-1]))
    upper.set_title(title, parse_math=False)
    lower.fill_between(at, contribution, where=contribution > 0, color=FOR)
    lower.fill_between(at, contribution, where=contribution < 0, color=AGAINST)
    lower.set(xlabel="2θ / degrees", ylabel="contribution")
    return _png(picture)


def views_png(title: str, seen: Floats, contribution: Floats) -> bytes:
    """A PNG file of the channels of a fingerprint, and of what each pixel adds to an answer.

    Args:
        title: above it, as plain text.
        seen: (C, R, C) as the network sees it.
        contribution: (C, R, C) to the log-odds.
    """
    from matplotlib.figure import Figure

    picture = Figure(figsize=(2.6 * len(seen), 5.4), dpi=150, layout="constrained")
    plots = picture.subplots(2, len(seen), squeeze=False)
    limit = float(np.abs(contribution).max()) or 1.0
    for place, (above, below) in enumerate(plots.T):
        above.imshow(seen[place], cmap="inferno")
        below.imshow(contribution[place], cmap="RdBu_r", vmin=-limit, vmax=limit)
        for plot in (above, below):
            plot.set(xticks=[], yticks=[])
        above.set_title(f"channel {place + 1}", fontsize=9)
    picture.suptitle(title, parse_math=False)
    return _png(picture)


def _png(picture: object) -> bytes:
    from matplotlib.figure import Figure

    assert isinstance(picture, Figure)
    held = io.BytesIO()
    with warnings.catch_warnings():  # a title in a script that the font lacks is boxes, no news
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        picture.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()
