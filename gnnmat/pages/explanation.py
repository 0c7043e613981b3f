"""``explanation.html``: a spectrum, what spoke for the answer, and whether to trust it; offline."""

from __future__ import annotations

import base64
import json
from importlib import resources
from pathlib import Path

import numpy as np

from gnnmat.atomic import write_atomically
from gnnmat.pages.document import document
from gnnmat.pages.explanation_data import ExplanationData, FittedCouplings, packed
from gnnmat.pages.markup import Markup, escape, join, number, signed, table, tag
from gnnmat.pages.overview import BOTTOM, LEFT, RIGHT, TILE, TOP, tile_frames, tile_labels
from gnnmat.pages.pixels import png, signed_png

__all__ = ["ExplanationData", "FittedCouplings", "explanation_page", "write_explanation"]

WIDEST = 220  # pixels of the longest bar


def write_explanation(path: Path, data: ExplanationData) -> Path:
    """The page on disk."""
    write_atomically(path, explanation_page(data))
    return path


def explanation_page(data: ExplanationData) -> str:
    """The whole page as HTML text, without any request to elsewhere."""
    pages = resources.files("gnnmat.pages")
    style = pages.joinpath("explanation.css").read_text("utf-8")
    script = pages.joinpath("explanation.js").read_text("utf-8")
    body = tag(
        "main",
        _header(data),
        _scores(data),
        _picture(data),
        _browser(data),
        _sums(data),
        *([_estimates(data)] if data.estimates or data.fit else []),
        tag("section", tag("h2", "How this was made"), table(("what", ""), _facts(data))),
    )
    facts = json.dumps(_for_script(data))
    return document(data.title, body, style=style, script=script, data=facts)


def _facts(data: ExplanationData) -> list[tuple[str, str]]:
    own = [("model", data.model), ("map", data.method)]
    masked = f"{100 * data.mask.mean():.1f}% of the pixels"
    return [*own, ("without detector", masked), *data.facts]


def _header(data: ExplanationData) -> Markup:
    kind = {True: "verdict", False: "verdict no", None: "verdict open"}[data.trusted]
    return tag(
        "header",
        tag("h1", data.title),
        tag("p", f"The answer is {data.label}.", class_="muted"),
        tag("p", data.verdict, class_=kind, id="verdict"),
    )


def _scores(data: ExplanationData) -> Markup:
    rows = [
        (
            name,
            number(score),
            tag("span", class_="bar", style=f"width: {max(score, 0) * WIDEST:.0f}px"),
        )
        for name, score in data.scores.items()
    ]
    return tag("section", tag("h2", "Scores"), table(("class", "score", ""), rows, numeric=(1,)))


def _layers(data: ExplanationData) -> dict[str, bytes]:
    """PNG files by layer; the map is laid over the others."""
    layers = {"spectrum": png(data.image, data.mask)}
    if data.cleaned is not None:
        layers["cleaned"] = png(data.cleaned)
    if data.fit is not None:
        layers["best fit"] = png(data.fit.image.astype(np.float32))
        layers["residual"] = signed_png(np.where(data.mask, 0.0, data.fit.residual))
    return layers | {"map": signed_png(data.map)}


def _picture(data: ExplanationData) -> Markup:
    width = LEFT + RIGHT + TILE * data.layout.slices
    height = TOP + BOTTOM + TILE * len(data.layout.incident_energies)
    layers = _layers(data)
    images = [
        tag(
            "image",
            href="data:image/png;base64," + base64.b64encode(content).decode(),
            x=LEFT,
            y=TOP,
            width=width - LEFT - RIGHT,
            height=height - TOP - BOTTOM,
            preserveAspectRatio="none",
            data_layer=name,
        )
        for name, content in layers.items()
    ]
    box = {"viewBox": f"0 0 {width:g} {height:g}"}
    frames, labels = tile_frames(data.layout), tile_labels(data.layout)
    name = f"{data.title} with its map"
    # Shows through where there is no detector.
    ground = tag(
        "rect",
        x=LEFT,
        y=TOP,
        width=width - LEFT - RIGHT,
        height=height - TOP - BOTTOM,
        class_="ground",
    )
    svg = tag(
        "svg", ground, *images, frames, labels, role="img", id="picture", aria_label=name, **box
    )
    point = "Point at a pixel to read it; click a slice to see it below."
    choices = [
        tag("label", _radio(name, first=name == "spectrum"), f" {name}")
        for name in layers
        if name != "map"
    ]
    slider = '<input type="range" id="opacity" min="0" max="1" step="0.05" value="0.8">'
    return tag(
        "section",
        tag("h2", "The spectrum, and what spoke for the answer"),
        tag("p", _legend(data), class_="muted"),
        tag("div", *choices, tag("label", "map ", Markup(slider)), class_="controls"),
        svg,
        tag("p", point, class_="readout muted", id="readout", aria_live="polite"),
    )


def _legend(data: ExplanationData) -> Markup:
    key = [
        join((tag("i", class_=f"key {name}"), f" {words}"))
        for name, words in (
            ("for", f"speaks for {data.label}"),
            ("against", "speaks against it"),
            ("gap", "no detector"),
        )
    ]
    return join(key, "\u2003")


def _radio(name: str, *, first: bool) -> Markup:
    checked = " checked" if first else ""
    return Markup(f'<input type="radio" name="layer" value="{escape(name)}"{checked}>')


def _browser(data: ExplanationData) -> Markup:
    views = [
        tag(
            "figure",
            tag("div", class_="view", data_layer=name, role="img", aria_label=name),
            tag("figcaption", name),
        )
        for name in _layers(data)
    ]
    h, k = data.layout.h, data.layout.k
    axes = f"h from {signed(number(h[0]))} (top) to {signed(number(h[-1]))} (bottom), "
    axes += f"k from {signed(number(k[0]))} (left) to {signed(number(k[-1]))} (right), r.l.u."
    buttons = [tag("button", "← previous", id="previous"), tag("button", "next →", id="next")]
    return tag(
        "section",
        tag("h2", "Slice by slice"),
        tag("div", *buttons, tag("b", "", id="slice-title"), class_="controls"),
        tag("div", *views, class_="views", id="slice"),
        tag("p", axes, class_="muted"),
    )


def _sums(data: ExplanationData) -> Markup:
    largest = float(np.abs(data.sums).max()) or 1.0

    def cell(value: float) -> Markup:
        red, green, blue = (214, 39, 40) if value > 0 else (31, 119, 180)
        shade = f"rgba({red}, {green}, {blue}, {0.75 * abs(value) / largest:.2f})"
        return tag("td", signed(number(value, 2)), class_="heat", style=f"background: {shade}")

    head = tag("tr", tag("th", "Ei (meV)"), *(tag("th", s + 1) for s in range(data.layout.slices)))
    rows = [
        tag("tr", tag("th", number(energy)), *(cell(float(value)) for value in line))
        for energy, line in zip(data.layout.incident_energies, data.sums, strict=True)
    ]
    return tag(
        "section",
        tag("h2", "Contribution of each slice to the log-odds"),
        tag(
            "p", "Slices in the order of the picture, lowest energy transfer first.", class_="lead"
        ),
        tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll"),
    )


def _estimates(data: ExplanationData) -> Markup:
    parts: list[Markup] = [tag("h2", "Couplings")]
    head = ("coupling", "value (meV)", "standard error (meV)")
    if data.estimates:
        rows = [(name, number(v), number(e, 2)) for name, v, e in data.estimates]
        parts += [tag("h3", "By the network"), table(head, rows, numeric=(1, 2))]
    if data.fit:
        rows = [(name, number(v, 4), number(e, 2)) for name, v, e in data.fit.rows]
        title = tag("h3", f"Fitted by simulation: {data.fit.hypothesis}")
        parts += [title, tag("p", data.fit.verdict), table(head, rows, numeric=(1, 2))]
    return tag("section", join(parts))


def _for_script(data: ExplanationData) -> dict[str, object]:
    titles = [
        f"Ei {energy:g} meV, energy transfer {low:g} to {high:g} meV"
        for energy, bins in zip(
            data.layout.incident_energies, data.layout.energy_edges, strict=True
        )
        for low, high in bins
    ]
    return {
        "rows": len(data.layout.incident_energies),
        "slices": data.layout.slices,
        "titles": titles,
        "first": int(np.abs(data.sums).argmax()),
        "energies": list(data.layout.incident_energies),
        "edges": [[list(edge) for edge in bins] for bins in data.layout.energy_edges],
        "h": list(data.layout.h),
        "k": list(data.layout.k),
        "area": [LEFT, TOP, TILE],
        "image": packed(np.where(data.mask, np.nan, data.image)),
        "map": packed(data.map),
    }
