"""The page of simulated powder patterns."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.pages.diffraction_figures import Tick, pattern_figure
from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import Markup, formula_markup, join, plural, table, tag
from gnnmat.pages.pixels import png
from gnnmat.pages.sections import plot, section
from gnnmat.pages.shell import shell

Floats = NDArray[np.float64]

LISTED = 30  # rows of a table of peaks or refusals
STYLE = (
    ".plot { height: 460px; } .plot.high { height: 620px; } .views { display: flex; gap: 16px;"
    " flex-wrap: wrap; } .views figure { margin: 0; } .views img { width: 220px; height: 220px;"
    " image-rendering: pixelated; } figcaption { font-size: 14px; color: var(--muted); }"
)


@dataclass(frozen=True)
class SimulatedPanel:
    """One crystal of the page.

    Args:
        id: its name.
        formula: reduced formula.
        patterns: name and (n,) intensities along the axis.
        ticks: its Bragg peaks.
        peaks: rows of hkl, d, 2 theta, multiplicity and intensity, strongest first.
        views: (3, 64, 64) the fingerprint, if there is one.
    """

    id: str
    formula: str
    patterns: Sequence[tuple[str, Floats]]
    ticks: Sequence[Tick]
    peaks: Sequence[Sequence[object]]
    views: Floats | None = None


@dataclass(frozen=True)
class SimulatedPage:
    """What a page of simulated patterns shows.

    Args:
        title: of the page.
        lead: beam and axis in words.
        axis: title of the axis.
        at: (n,) along it.
        panels: crystals.
        more: number of crystals that are in the folder and not on the page.
        refused: id and reason.
        mixture: words, the mixed pattern and the peaks of its phases, if there is one.
    """

    title: str
    lead: str
    axis: str
    at: Floats
    panels: Sequence[SimulatedPanel]
    more: int = 0
    refused: Sequence[tuple[str, str]] = ()
    mixture: tuple[str, Floats, Sequence[Tick]] | None = None


def simulated_page(data: SimulatedPage) -> str:
    """The whole page as HTML text."""
    figures: dict[str, Figure] = {}
    panels, buttons = [], []
    for place, one in enumerate(data.panels):
        name = f"pattern-{place}"
        figures[name] = pattern_figure(data.axis, data.at, one.patterns, one.ticks)
        panels.append(_simulated_panel(one, name, place))
        buttons.append(tag("button", one.id, type="button", data_panel=f"crystal-{place}"))
    choice = tag("nav", *buttons, class_="choice", aria_label="crystal") if panels[1:] else ""
    mixture = Markup("")
    if data.mixture is not None:
        # Of all panels one is shown; a mixture is one of them.
        words, values, ticks = data.mixture
        figures["mixture"] = pattern_figure(data.axis, data.at, [("mixture", values)], ticks)
        mixture = tag(
            "div",
            section("Mixture", plot("mixture", "pattern of the mixture"), lead=words),
            class_="panel",
            id="mixture",
        )
        choice = tag(
            "nav",
            tag("button", "mixture", type="button", data_panel="mixture"),
            *buttons,
            class_="choice",
            aria_label="crystal",
        )
    notes = tag("p", f"{data.more:,} more are in the folder.", class_="empty") if data.more else ""
    header = tag("header", tag("h1", data.title), tag("p", data.lead, class_="muted"), notes)
    body = join([choice, mixture, *panels, refused_section(data.refused)])
    counts = {"crystals": len(data.panels) + data.more, "refused": len(data.refused)}
    return shell(data.title, header, body, figures, counts, style=STYLE)


def _simulated_panel(one: SimulatedPanel, figure: str, place: int) -> Markup:
    head = ("h k l", "d (Å)", "2θ (degrees)", "multiplicity", "intensity")
    shown = one.peaks[:LISTED]
    lead = f"The {len(shown)} strongest of {plural(len(one.peaks), 'peak')}." if shown else ""
    strongest = section(
        "Peaks", table(head, shown, numeric=(1, 2, 3, 4)) if shown else "", lead=lead
    )
    return tag(
        "div",
        section(
            "Pattern",
            plot(figure, f"powder pattern of {one.id}"),
            lead=join([one.id, ", ", formula_markup(one.formula)]),
        ),
        fingerprint_section(one.views),
        strongest,
        class_="panel",
        id=f"crystal-{place}",
    )


def fingerprint_section(views: Floats | None) -> Markup:
    """Three channels side by side; nothing where there is no fingerprint."""
    if views is None:
        return Markup("")
    pictures = [
        tag(
            "figure",
            tag("img", src=_as_url(png(channel.astype(np.float32))), alt=f"view about {axis}"),
            tag("figcaption", f"±45° about {axis}"),
        )
        for channel, axis in zip(views, "xyz", strict=True)
    ]
    lead = "Two-dimensional diffraction of a cluster, turned to both sides about each axis."
    return section("Fingerprint", tag("div", *pictures, class_="views"), lead=lead)


def refused_section(refused: Sequence[tuple[str, str]]) -> Markup:
    """What was left out; nothing where all went well."""
    if not refused:
        return Markup("")
    lead = f"{plural(len(refused), 'crystal')} left out."
    return section("Refused", table(("id", "reason"), refused[:LISTED], class_="wordy"), lead=lead)


def _as_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
