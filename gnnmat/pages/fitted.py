"""``fit.html``: hypotheses fitted to a spectrum: couplings in pairs, images, what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.pages.corner import corner
from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import Markup, join, number, table, tag
from gnnmat.pages.overview import STYLE, pictured
from gnnmat.pages.pixels import png, signed_png
from gnnmat.pages.sections import plot, section
from gnnmat.pages.shell import shell
from gnnmat.simulation.inference.evidence import Odds
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.layout import SliceLayout

ADVISED = 6  # lines of what to measure next
SQUARE = 150  # pixels of the corner plot a coupling


@dataclass(frozen=True)
class FittedData:
    """What the page shows.

    Args:
        title: name of the spectrum.
        conclusion: one sentence.
        trusted: whether the best fit explains the spectrum.
        layout: axes of the images.
        image: (R, C) the spectrum.
        fits: one a hypothesis.
        odds: likewise.
        advice: what to measure next: words and chi^2 between the hypotheses, best first.
    """

    title: str
    conclusion: str
    trusted: bool
    layout: SliceLayout
    image: NDArray[np.floating]
    fits: Sequence[Fit]
    odds: Sequence[Odds]
    advice: Sequence[tuple[str, float]] = ()


def fitted_page(data: FittedData) -> str:
    """The whole page as HTML text."""
    order = sorted(range(len(data.fits)), key=lambda place: -data.fits[place].log_evidence)
    figures: dict[str, Figure] = {}
    panels = []
    for place in order:
        fit, name = data.fits[place], f"corner-{place}"
        figures[name] = corner(fit, size=SQUARE * max(int((fit.errors > 0).sum()), 3))
        panels.append(tag("div", *_panel(fit, name, data), class_="panel", id=f"fit-{place}"))
    kind = "verdict" if data.trusted else "verdict no"
    header = tag(
        "header",
        tag("h1", data.title),
        tag("p", data.conclusion, class_=kind, id="conclusion"),
    )
    buttons = (
        tag("button", data.fits[place].hypothesis, type="button", data_panel=f"fit-{place}")
        for place in order
    )
    choice = tag("nav", *buttons, class_="choice", aria_label="hypothesis") if panels[1:] else ""
    body = join([_comparison(data, order), choice, *panels, _next(data)])
    counts = {
        "title": data.title,
        "fits": {
            fit.hypothesis: dict(zip(fit.couplings, map(float, fit.values), strict=True))
            for fit in data.fits
        },
    }
    style = STYLE + (
        ".verdict { font-size: 18px; font-weight: 600; padding: 10px 16px;"
        " border-left: 6px solid #2ca02c; } .verdict.no { border-color: #d62728; }"
        ".plot.corner { height: auto; overflow-x: auto; }"
    )
    return shell(f"Fit of {data.title}", header, body, figures, counts, style=style)


def _comparison(data: FittedData, order: Sequence[int]) -> Markup:
    head = ("hypothesis", "probability", "log10 odds", "chi^2 / pixel", "p", "it")
    rows = []
    for place in order:
        fit, odds = data.fits[place], data.odds[place]
        numbers = (odds.probability, odds.log10_odds, fit.chi2_per_dof, fit.p_value)
        rows.append((fit.hypothesis, *(number(one) for one in numbers), fit.verdict))
    return section("Hypotheses", table(head, rows, numeric=(1, 2, 3, 4)))


def _panel(fit: Fit, figure: str, data: FittedData) -> list[Markup]:
    ends = fit.at_bound or (False,) * len(fit.couplings)
    rows = [
        (
            name,
            number(value, 4),
            number(error, 2) if error > 0 else "held fixed",
            f"{number(low)} to {number(high)}",
            "stopped at the end of its range" if bound else "",
        )
        for name, value, error, (low, high), bound in zip(
            fit.couplings, fit.values, fit.errors, fit.ranges, ends, strict=True
        )
    ]
    head = ("coupling", "value (meV)", "standard error (meV)", "range (meV)", "")
    blind = [tag("p", f"The spectrum says nothing of {words}.") for words in fit.blind]
    images = tag(
        "div",
        pictured(png(data.image.astype(np.float32)), data.layout, "the spectrum"),
        pictured(png(fit.image.astype(np.float32)), data.layout, f"the fit of {fit.hypothesis}"),
        pictured(
            signed_png(fit.residual),
            data.layout,
            "spectrum minus fit, in standard deviations: red is more than fitted, blue less",
        ),
        class_="images",
    )
    return [
        section(f"Couplings of {fit.hypothesis}", table(head, rows, numeric=(1, 2)), *blind),
        section(
            "Couplings in pairs",
            plot(figure, "couplings in pairs", "corner"),
            lead="Ellipses hold 68% and 95%; on the diagonal the density of each coupling.",
        ),
        section("Spectrum and fit", images),
    ]


def _next(data: FittedData) -> Markup:
    if not data.advice:
        return Markup("")
    rows = [(words, number(value)) for words, value in data.advice[:ADVISED]]
    head = ("window", "chi^2 between the two leading hypotheses")
    lead = "Where the two leading hypotheses differ most, if it is counted as long again."
    return section("What to measure next", table(head, rows, numeric=(1,)), lead=lead)
