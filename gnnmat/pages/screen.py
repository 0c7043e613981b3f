"""The page of a screen: one file with the diagram, the crystals, the shortlist and the funnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.pages.markup import Markup, join, plural, table, tag
from gnnmat.pages.screen_controls import controls
from gnnmat.pages.screen_crystals import cif, drawing, elements
from gnnmat.pages.screen_data import (
    FRONT,
    LEARNED,
    OUT_OF_FOLD,
    SHORTLISTED,
    Quantity,
    checked,
    columns_of,
    csv_lines,
    flags,
    packed_table,
)
from gnnmat.pages.screen_tables import funnel_table, shortlist_table
from gnnmat.pages.sections import config_section, empty, section
from gnnmat.pages.shell import shell
from gnnmat.sources.crystal import Crystal

# One after the other they make the script of the page.
SCRIPTS = (
    "screen_data.js",
    "screen_diagram.js",
    "screen_crystal.js",
    "screen_shortlist.js",
    "screen_files.js",
    "screen.js",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ScreenPage:
    """What the page of a screen shows.

    Args:
        name: of the screen.
        table: a row a candidate of the last stage that scores: ``id``, ``formula``, the columns of
            the axes and numbers with their ``_low`` and ``_high`` where there are intervals, and
            where they apply ``front`` and ``shortlisted`` (bool), ``rank``, ``in_domain`` and
            ``learned`` or ``<model>_in_domain`` and ``<model>_learned``.
        x, y: axes of the diagram.
        numbers: other columns to show and to filter by.
        shortlist: best first, with ``id``; what is downloaded as CSV, so it may have more columns.
        crystals: to be drawn and downloaded, by id: shortlist and front.
        funnel: a row a stage: ``stage``, ``into``, ``out``, ``dropped`` (count by reason) and
            ``seconds``.
        facts: about the run, such as ``("model", "runs/elastic")``.
        notes: what a reader should know, in sentences.
        settings: the recipe as YAML.
    """

    name: str
    table: pd.DataFrame
    x: Quantity = Quantity("hardness", "hardness", "GPa")
    y: Quantity = Quantity("toughness", "fracture toughness", "MPa m^0.5")
    numbers: Sequence[Quantity] = ()
    shortlist: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"id": []}))
    crystals: Mapping[str, Crystal] = field(default_factory=dict)
    funnel: Sequence[Mapping[str, Any]] = ()
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    settings: str = ""


def write_screen_page(path: Path, page: ScreenPage) -> Path:
    """``path``, where the page now stands; what was there is replaced in one step.

    Raises:
        GnnmatError: the table lacks a column, an id comes twice, or the shortlist has strangers.
    """
    return write_atomically(path, screen_page(page))


def screen_page(page: ScreenPage) -> str:
    """The whole page as HTML text; no request ever leaves it."""
    quantities = (page.x, page.y, *page.numbers)
    candidates = checked(page.table, quantities)
    places = _places(candidates, page.shortlist)
    marks = flags(candidates)
    # Whoever is listed is on the shortlist, whether the table says so or not.
    marks[places] |= SHORTLISTED
    data = _data(page, candidates, places, marks)
    body = join(
        [
            _trained(marks),
            controls(quantities, data),
            _views(page),
            _shortlist(page, candidates, places, marks),
            _funnel(page.funnel),
            section(
                "Notes", tag("ul", *(tag("li", one) for one in page.notes)) if page.notes else ""
            ),
            section("The run", table(("", ""), page.facts, class_="wordy") if page.facts else ""),
            config_section(page.settings),
        ]
    )
    counts = {
        "candidates": len(candidates),
        "shortlist": len(places),
        "front": _count(marks, FRONT),
    }
    header, figures = _header(page, counts), {"screen": data}
    style = resources.files("gnnmat.pages").joinpath("screen.css").read_text("utf-8")
    return shell(page.name, header, body, figures, counts, style=style, script=SCRIPTS)


def _data(
    page: ScreenPage, candidates: pd.DataFrame, places: list[int], marks: NDArray[np.uint8]
) -> dict[str, Any]:
    """What the script of the page reads, see ``screen_data.js``."""
    return {
        **packed_table(candidates, (page.x, page.y, *page.numbers), marks),
        "hasDomain": bool(columns_of(candidates, "in_domain")),
        "hasLearned": bool(columns_of(candidates, "learned")),
        "elements": elements(),
        "crystals": {str(name): drawing(one) for name, one in page.crystals.items()},
        "cifs": {str(name): cif(one) for name, one in page.crystals.items()},
        "shortlist": places,
        "csv": csv_lines(page.shortlist),
        "name": page.name,
    }


def _count(marks: NDArray[np.uint8], bit: int) -> int:
    return int(np.count_nonzero(marks & bit))


def _places(candidates: pd.DataFrame, shortlist: pd.DataFrame) -> list[int]:
    """Rows of the shortlist in the table of candidates, best first."""
    row_of = {str(name): row for row, name in enumerate(candidates["id"])}
    strangers = [str(name) for name in shortlist["id"] if str(name) not in row_of]
    if strangers:
        raise GnnmatError(
            f"{strangers[0]!r} is on the shortlist, but no candidate of the table.",
            why=f"The table has {plural(len(candidates), 'candidate')}.",
            fix="Give the table of the stage that the shortlist was chosen from.",
        )
    return [row_of[str(name)] for name in shortlist["id"]]


def _header(page: ScreenPage, counts: Mapping[str, int]) -> Markup:
    words = [plural(counts["candidates"], "candidate") + " scored"]
    if page.funnel:
        words.insert(0, f"{page.funnel[0]['into']:,} screened")
    if counts["front"]:
        words.append(f"{counts['front']:,} on the Pareto front")
    words.append(f"{counts['shortlist']:,} on the shortlist")
    return tag("header", tag("h1", page.name), tag("p", ", ".join(words), class_="muted"))


def _trained(marks: NDArray[np.uint8]) -> Markup:
    """Says so when a screen grades rows that its models were trained on."""
    learned = _count(marks, LEARNED)
    held = _count(marks[(marks & LEARNED) == 0], OUT_OF_FOLD)
    if not learned and not held:
        return Markup("")
    words = []
    if learned:
        words.append(
            f"{learned:,} of {len(marks):,} candidates are training rows, scored by a model that "
            "has learned their values: they say nothing about how well it predicts."
        )
    if held:
        words.append(
            f"{held:,} are training rows scored out of fold, by fits that have not seen them."
        )
    return tag("p", " ".join(words), class_="empty trained", role="note")


def _views(page: ScreenPage) -> Markup:
    label = f"{page.y.name} over {page.x.name}, one point a candidate"
    diagram = tag(
        "div",
        tag("div", class_="plot", id="diagram", role="img", aria_label=label),
        tag("div", id="tip", hidden="hidden"),
        tag("p", id="undrawn", class_="muted small"),
        class_="diagram",
    )
    crystal = tag(
        "section",
        tag("h2", "Crystal", id="chosen-name"),
        tag("div", class_="plot", id="crystal", role="img", aria_label="the crystal chosen"),
        tag("div", id="crystal-absent", class_="empty", hidden="hidden"),
        tag("div", id="swatches", class_="small"),
        tag("div", id="turns", class_="small"),
        tag("dl", id="facts"),
        class_="chosen",
        aria_labelledby="chosen-name",
        aria_live="polite",
    )
    return tag("div", diagram, crystal, class_="views")


def _shortlist(
    page: ScreenPage, candidates: pd.DataFrame, places: list[int], marks: NDArray[np.uint8]
) -> Markup:
    if not places:
        return section("Shortlist", empty("No candidate came this far."))
    buttons = [
        tag("button", "Download CSV", id="get-csv", type="button"),
        tag("button", "Download CIFs", id="get-cifs", type="button"),
        tag("span", id="listed", class_="muted", aria_live="polite"),
    ]
    quantities = (page.x, page.y, *page.numbers)
    return section(
        "Shortlist",
        tag("div", *buttons, class_="downloads"),
        tag("div", shortlist_table(candidates, places, marks, quantities), class_="listing"),
        lead="Choose a row to see its crystal; click a heading to sort. The filters above act here "
        "too, and on what is downloaded.",
        id_="shortlist",
    )


def _funnel(funnel: Sequence[Mapping[str, Any]]) -> Markup:
    if not funnel:
        return Markup("")
    lead = "What went into each stage, what came out, and why the rest was dropped."
    return section("Funnel", funnel_table(funnel), lead=lead, id_="funnel")
