"""The page of a search: a measured pattern under each refined candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnnmat.pages.diffraction import STYLE, refused_section
from gnnmat.pages.diffraction_figures import Tick, refined_figure
from gnnmat.pages.figures import Figure
from gnnmat.pages.markup import Markup, formula_markup, join, number, table, tag
from gnnmat.pages.sections import plot, section
from gnnmat.pages.shell import shell

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CandidatePanel:
    """One candidate of the page.

    Args:
        id: its name.
        formula: reduced formula.
        space_group: symbol.
        similarity: cosine after refinement.
        score: cosine of the search.
        r_wp: weighted profile residual.
        lattice: refined lengths and angles in words.
        calculated: (n,) counts.
        background: (n,) counts.
        ticks: its Bragg peaks.
        parameters: rows of name, value, standard error, start, unit and remark.
        remarks: sentences.
        embedding: cosine of the features of a network, if one was asked.
    """

    id: str
    formula: str
    space_group: str
    similarity: float
    score: float
    r_wp: float
    lattice: str
    calculated: Floats
    background: Floats
    ticks: Sequence[Tick]
    parameters: Sequence[Sequence[object]]
    remarks: Sequence[str] = ()
    embedding: float | None = None


@dataclass(frozen=True)
class MatchPage:
    """What the page of a search shows.

    Args:
        title: name of the pattern.
        lead: beam and number of crystals in words.
        at: (n,) degrees of 2 theta.
        measured: (n,) counts.
        candidates: best first.
        notes: what a reader should know.
        refused: id and reason.
        facts: numbers for programs.
    """

    title: str
    lead: str
    at: Floats
    measured: Floats
    candidates: Sequence[CandidatePanel]
    notes: Sequence[str] = ()
    refused: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


def match_page(data: MatchPage) -> str:
    """The whole page as HTML text."""
    figures: dict[str, Figure] = {}
    panels, buttons, rows = [], [], []
    asked = any(one.embedding is not None for one in data.candidates)
    for place, one in enumerate(data.candidates):
        name = f"candidate-{place}"
        figures[name] = refined_figure(
            data.at, data.measured, one.calculated, one.background, one.ticks
        )
        label = f"{place + 1}. {one.formula}"
        buttons.append(tag("button", label, type="button", data_panel=f"panel-{place}"))
        panels.append(_candidate_panel(one, name, place))
        rows.append(
            (
                place + 1,
                one.id,
                formula_markup(one.formula),
                one.space_group,
                number(one.similarity),
                number(one.score),
                number(100 * one.r_wp),
                one.lattice,
                *([number(one.embedding)] if asked and one.embedding is not None else []),
            )
        )
    head = ["", "id", "formula", "space group", "similarity", "search", "R_wp (%)", "lattice"]
    head += ["network"] if asked else []
    lead = (
        "Similarity is the cosine of the square roots of measured and refined pattern, 1 for equal "
        "ones; search is that before refinement. Lengths in Å, angles in degrees, with standard "
        "errors of the last digits."
    )
    if asked:
        lead += " Network: cosine of the features of the network that was asked, less their mean."
    notes = [tag("p", text, class_="empty") for text in data.notes]
    header = tag("header", tag("h1", data.title), tag("p", data.lead, class_="muted"), *notes)
    best = section("Candidates", table(head, rows, numeric=(0, 4, 5, 6)), lead=lead)
    choice = tag("nav", *buttons, class_="choice", aria_label="candidate") if panels[1:] else ""
    body = join([best, choice, *panels, refused_section(data.refused)])
    return shell(f"Match of {data.title}", header, body, figures, data.facts, style=STYLE)


def _candidate_panel(one: CandidatePanel, figure: str, place: int) -> Markup:
    remarks = [tag("p", text, class_="empty") for text in one.remarks]
    return tag(
        "div",
        section(
            "Measured and calculated",
            plot(figure, f"measured pattern and {one.id}", "high"),
            *remarks,
            lead=join([one.id, ", ", formula_markup(one.formula), ", ", one.space_group]),
        ),
        section(
            "Refined",
            table(
                ("parameter", "value", "standard error", "start", "unit", ""),
                one.parameters,
                numeric=(1, 2, 3),
            ),
        ),
        class_="panel",
        id=f"panel-{place}",
    )
