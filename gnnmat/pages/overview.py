"""``overview.html``: the first images of a simulated set with their axes; offline, no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.pages.document import document
from gnnmat.pages.markup import Markup, join, number, plural, table, tag
from gnnmat.pages.pixels import png
from gnnmat.simulation.layout import SliceLayout

TILE = 40.0  # drawn width and height of a tile
LEFT, RIGHT, TOP, BOTTOM = 62.0, 74.0, 20.0, 34.0  # room for labels

STYLE = (
    "figure { margin: 0; } figcaption { font-size: 14px; }"
    ".images { display: grid; gap: 32px; margin-top: 16px;"
    " grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); }"
    ".images svg { width: 100%; height: auto; }"
    ".images text { font: 9px var(--sans); fill: var(--text); }"
    ".images image { image-rendering: pixelated; }"
    ".images rect { fill: none; stroke: var(--faint); }"
)


@dataclass(frozen=True)
class Picture:
    """One image: its name, what it shows in words, (R, C) intensities."""

    name: str
    caption: str
    image: NDArray[np.float32]


@dataclass(frozen=True)
class Overview:
    """What the page shows.

    Args:
        title: name of the simulation.
        layout: axes of the images.
        counts: rows of hypothesis, drawn, stable, kept.
        pictures: images by hypothesis.
        warnings: sentences.
    """

    title: str
    layout: SliceLayout
    counts: Sequence[tuple[str, int, int, int]]
    pictures: Mapping[str, Sequence[Picture]]
    warnings: Sequence[str] = ()


def overview_page(data: Overview) -> str:
    """The whole page as HTML text."""
    total = sum(kept for *_, kept in data.counts)
    size = " x ".join(map(str, data.layout.image_shape))
    shape = f"{plural(total, 'image')} of {size} pixels, intensity per meV"
    rates = [
        (name, f"{drawn:,}", f"{stable:,}", f"{100 * stable / max(drawn, 1):.1f}%", f"{kept:,}")
        for name, drawn, stable, kept in data.counts
    ]
    head = ("hypothesis", "drawn", "stable", "share", "kept")
    sections = [
        tag(
            "section",
            tag("h2", name),
            tag(
                "div",
                *(
                    pictured(png(one.image), data.layout, tag("b", one.name), " ", one.caption)
                    for one in several
                ),
                class_="images",
            ),
        )
        for name, several in data.pictures.items()
    ]
    body = tag(
        "main",
        tag("header", tag("h1", data.title), tag("p", shape, class_="muted")),
        *(tag("p", text, class_="empty") for text in data.warnings),
        tag("section", tag("h2", "Draws"), table(head, rates, numeric=(1, 2, 3, 4))),
        *sections,
    )
    return document(data.title, body, style=STYLE)


def pictured(content: bytes, layout: SliceLayout, *caption: object) -> Markup:
    """A PNG file of an image with its axes, frames that name each tile, and a caption."""
    width = LEFT + RIGHT + TILE * layout.slices
    height = TOP + BOTTOM + TILE * len(layout.incident_energies)
    image = tag(
        "image",
        href="data:image/png;base64," + base64.b64encode(content).decode(),
        x=LEFT,
        y=TOP,
        width=width - LEFT - RIGHT,
        height=height - TOP - BOTTOM,
        preserveAspectRatio="none",
    )
    box = {"viewBox": f"0 0 {width:g} {height:g}"}
    svg = tag("svg", image, tile_frames(layout), tile_labels(layout), role="img", **box)
    return tag("figure", svg, tag("figcaption", *caption))


def tile_frames(layout: SliceLayout) -> Markup:
    """A frame around every tile that says what it is when pointed at."""
    frames = []
    for row, (energy, bins) in enumerate(
        zip(layout.incident_energies, layout.energy_edges, strict=True)
    ):
        for column, (low, high) in enumerate(bins):
            title = tag("title", f"Ei {energy:g} meV, E {low:g} to {high:g} meV")
            x, y = LEFT + TILE * column, TOP + TILE * row
            frames.append(
                # A hollow frame would only answer on its line.
                tag("rect", title, x=x, y=y, width=TILE, height=TILE, pointer_events="all")
            )
    return join(frames)


def tile_labels(layout: SliceLayout) -> Markup:
    """Ei and h on the left, k below, the range of energy transfers on the right."""
    h, k, bottom = layout.h, layout.k, TOP + TILE * len(layout.incident_energies)
    right = LEFT + TILE * layout.slices
    parts = [tag("text", "energy transfer E of the slices, left to right →", x=LEFT, y=TOP - 7)]
    parts.append(tag("text", "E (meV)", x=right + 6, y=TOP - 7))
    for row, (energy, bins) in enumerate(
        zip(layout.incident_energies, layout.energy_edges, strict=True)
    ):
        y = TOP + TILE * (row + 0.5)
        parts.append(tag("text", f"Ei {energy:g}", x=2, y=y + 3))
        words = f"{number(bins[0][0])} to {number(bins[-1][1])}"
        parts.append(tag("text", words, x=right + 6, y=y + 3))
    for value, y in ((h[0], TOP + 8), (h[-1], TOP + TILE - 2)):
        parts.append(tag("text", f"h {value:+g}", x=LEFT - 3, y=y, text_anchor="end"))
    for value, x, anchor in ((k[0], LEFT, "start"), (k[-1], LEFT + TILE, "end")):
        parts.append(tag("text", f"{value:+g}", x=x, y=bottom + 10, text_anchor=anchor))
    words = "k of each slice; h and k in reciprocal lattice units, Ei in meV"
    parts.append(tag("text", words, x=LEFT, y=bottom + 24))
    return join(parts)
