"""The page of one explained diffraction pattern: what spoke for the class, over the pattern."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.pages.diffraction import STYLE
from gnnmat.pages.diffraction_figures import Tick
from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import Markup, join, number, table, tag
from gnnmat.pages.pattern_figures import contribution_figure, response_figure
from gnnmat.pages.pixels import png, signed_png
from gnnmat.pages.sections import plot, section
from gnnmat.pages.shell import shell

Floats = NDArray[np.float64]

LISTED = 12  # peaks of the table
BAR = 220  # pixels of the longest bar
OVER = (
    ".over { position: relative; width: 220px; height: 220px; } .over img { position: absolute;"
    " inset: 0; } .over svg { position: absolute; inset: 0; width: 220px; height: 220px; }"
    " .over circle { fill: none; stroke: #7fd7ff; stroke-width: 0.4; }"
    " .views.small img { width: 120px; height: 120px; } .bar { display: inline-block; height: 10px;"
    " background: #2b7fc0; }"
)


@dataclass(frozen=True)
class Layer:
    """Response maps of one layer.

    Args:
        name: in words.
        together: (C, *S) of all filters.
        filters: number and (C, *S) of the strongest.
    """

    name: str
    together: Floats
    filters: Sequence[tuple[int, Floats]]


@dataclass(frozen=True)
class PatternPage:
    """What the page shows.

    Args:
        title: name of the pattern.
        model: name of the run.
        answer: the explained class, and whether it is the predicted one, in words.
        scores: by class, between 0 and 1.
        verdict: in words.
        trusted: whether it is in distribution; None if nobody judged.
        seen: (C, *S) as the network sees it.
        map: (C, *S) contributions.
        at: (n,) degrees of 2 theta; None for a fingerprint.
        ticks: Bragg peaks of a powder pattern.
        spots: (peaks, 3) channel, row and column of the spots of a fingerprint.
        marked: in words, what the marks are.
        peaks: rows of the table: peak, contribution.
        share: share of the map on the peaks.
        area: share of the pattern on the peaks.
        method: in words.
        layers: response maps.
    """

    title: str
    model: str
    answer: str
    scores: Mapping[str, float]
    verdict: str
    trusted: bool | None
    seen: Floats
    map: Floats
    at: Floats | None
    ticks: Sequence[Tick]
    spots: Floats
    marked: str
    peaks: Sequence[tuple[str, float]]
    share: float
    area: float
    method: str
    layers: Sequence[Layer] = ()


def pattern_page(data: PatternPage) -> str:
    """The whole page as HTML text."""
    kind = {True: "verdict", False: "verdict no", None: "verdict open"}[data.trusted]
    header = tag(
        "header",
        tag("h1", data.title),
        tag("p", data.answer, class_="muted"),
        tag("p", data.verdict, class_=kind, id="verdict"),
    )
    figures: dict[str, Figure] = {}
    # The script of the pages draws the figures of panels.
    body = tag(
        "div",
        *[
            section("Scores", _scores(data)),
            _picture(data, figures),
            _peaks(data),
            _responses(data, figures),
            section(
                "How this was made",
                table(("what", ""), [("model", data.model), ("map", data.method)]),
            ),
        ],
        class_="panel",
    )
    facts = {"share": data.share, "area": data.area, "scores": dict(data.scores)}
    title = f"Explanation of {data.title}"
    return shell(title, header, body, figures, facts, style=STYLE + OVER)


def _scores(data: PatternPage) -> Markup:
    ranked = sorted(data.scores.items(), key=lambda one: -one[1])
    rows = [
        (
            name,
            number(score),
            tag("span", class_="bar", style=f"width: {max(score, 0) * BAR:.0f}px"),
        )
        for name, score in ranked
    ]
    return table(("class", "score", ""), rows, numeric=(1,))


def _picture(data: PatternPage, figures: dict[str, Figure]) -> Markup:
    lead = (
        f"Red spoke for the class, blue against it. Marked: {data.marked}. "
        f"{100 * data.share:.0f}% of the map lies on them, which cover {100 * data.area:.0f}% of "
        "the pattern: as much would a map at random have there."
    )
    if data.at is not None:
        figures["map"] = contribution_figure(data.at, data.seen[0], data.map[0], data.ticks)
        drawn = plot("map", f"{data.title} with what each angle adds", "high")
    else:
        drawn = tag(
            "div", *(_channel(data, place) for place in range(len(data.seen))), class_="views"
        )
    return section("The pattern, and what spoke for the class", drawn, lead=lead)


def _channel(data: PatternPage, place: int) -> Markup:
    rows, columns = data.seen.shape[1:]
    circles = [
        tag("circle", cx=f"{column + 0.5:g}", cy=f"{row + 0.5:g}", r="2")
        for channel, row, column in data.spots
        if int(channel) == place
    ]
    marks = tag("svg", *circles, viewBox=f"0 0 {columns} {rows}")
    layers = [_image(png(data.seen[place].astype(np.float32))), _image(signed_png(data.map[place]))]
    return tag(
        "figure",
        tag("div", *layers, marks, class_="over", role="img", aria_label=f"channel {place + 1}"),
        tag("figcaption", f"channel {place + 1}"),
    )


def _peaks(data: PatternPage) -> Markup:
    ranked = sorted(data.peaks, key=lambda one: -abs(one[1]))[:LISTED]
    if not ranked:
        return Markup("")
    rows = [(words, number(value)) for words, value in ranked]
    lead = "Sum of the map around each peak, the largest first."
    return section("Peaks", table(("peak", "contribution"), rows, numeric=(1,)), lead=lead)


def _responses(data: PatternPage, figures: dict[str, Figure]) -> Markup:
    if not data.layers:
        return Markup("")
    lead = (
        "What the filters of each layer answered to, drawn back onto the pattern (attentive "
        "response maps): all of them together, and those that answered most."
    )
    if data.at is not None:
        rows = []
        for layer in data.layers:
            rows.append((layer.name, layer.together[0]))
            rows += [(f"filter {number_}", values[0]) for number_, values in layer.filters]
        figures["responses"] = response_figure(data.at, rows)
        drawn = plot("responses", "attentive response maps", "high")
    else:
        drawn = join([_layer(one) for one in data.layers])
    return section("What the layers look at", drawn, lead=lead)


def _layer(layer: Layer) -> Markup:
    views = [("all filters", layer.together)]
    views += [(f"filter {number_}", values) for number_, values in layer.filters]
    shown = [
        tag(
            "figure",
            _image(png(np.abs(values).sum(axis=0).astype(np.float32))),
            tag("figcaption", name),
        )
        for name, values in views
    ]
    return join([tag("h3", layer.name), tag("div", *shown, class_="views small")])


def _image(content: bytes) -> Markup:
    return tag("img", src="data:image/png;base64," + base64.b64encode(content).decode(), alt="")
