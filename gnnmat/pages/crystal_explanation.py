"""``NAME-explanation.html``: a crystal in 3D, and what its atoms and bonds add to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from gnnmat.atomic import write_atomically
from gnnmat.pages.crystal_scene import DrawnCrystal, limit, scene
from gnnmat.pages.markup import (
    Markup,
    aligned,
    formula_markup,
    join,
    number,
    plot_text,
    plural,
    shortened,
    signed,
    table,
    tag,
)
from gnnmat.pages.sections import empty, nearest_section, plot, section
from gnnmat.pages.shell import shell

LISTED = 400  # rows of a table; the CSV files have all
NAMED = 60  # atoms up to which names are written into the drawing at once


@dataclass(frozen=True)
class CrystalPage:
    """What the page of one crystal shows.

    Args:
        title: name of the crystal.
        formula: reduced.
        target: what is predicted, with its value in words.
        prediction: as `gnnmat predict` gives it, with its unit.
        verdict: in words, or empty.
        unit: of the contributions.
        explained: the number that is explained, in words.
        crystal: to draw, with contributions.
        atoms: ``atom``, ``element``, ``wyckoff``, ``contribution``, ``spread``.
        bonds: ``first``, ``second``, their elements, ``length``, ``contribution``, ``spread``.
        kinds: bonds by elements and length: ``pair``, ``length``, ``count``, ``each``, ``total``.
        elements: ``element``, ``count``, ``each``, ``total``.
        statements: what was computed, and how well it adds up: a name and sentences.
        facts: of the run.
        nearest: id, formula and distance of known positives that the network finds most like it.
    """

    title: str
    formula: str
    target: str
    prediction: str
    verdict: str
    unit: str
    explained: str
    crystal: DrawnCrystal
    atoms: pd.DataFrame
    bonds: pd.DataFrame
    kinds: pd.DataFrame
    elements: pd.DataFrame
    statements: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    nearest: Sequence[tuple[str, str, float]] = ()


def write_crystal_page(path: Path, page: CrystalPage) -> Path:
    """The page on disk."""
    write_atomically(path, crystal_page(page))
    return path


def crystal_page(page: CrystalPage) -> str:
    """The whole page as HTML text, without any request to elsewhere."""
    style = resources.files("gnnmat.pages").joinpath("crystal_explanation.css").read_text("utf-8")
    body = join(
        [
            _drawing(page),
            _elements(page),
            _kinds(page),
            _atoms(page),
            nearest_section(page.nearest),
            section("What was computed", table(("", ""), page.statements, class_="wordy")),
            section("The run", table(("", ""), page.facts, class_="wordy")),
        ]
    )
    drawn = scene(page.crystal, _atom_words(page), _bond_words(page), _names(page))
    return shell(
        page.title,
        _header(page),
        body,
        {"scene": drawn},
        {"atoms": len(page.atoms), "bonds": len(page.bonds)},
        style=style,
        script="crystal_explanation.js",
    )


def _header(page: CrystalPage) -> Markup:
    words: list[object] = [page.title]
    if page.formula != page.title:
        words += [" ", tag("span", formula_markup(page.formula), class_="muted")]
    answer = [tag("b", page.prediction), tag("span", f"predicted {page.target}")]
    verdict = tag("p", page.verdict, class_="muted") if page.verdict else ""
    return tag("header", tag("h1", *words), tag("div", *answer, class_="answer"), verdict)


def _drawing(page: CrystalPage) -> Markup:
    view = plot("scene", f"{page.title} with the contributions of atoms and bonds")
    name = f"Red raises, blue lowers {page.explained}. Drag to turn, scroll to zoom, point to read."
    return section(
        "Where it comes from",
        tag("div", _controls(page), view, class_="drawing"),
        _scales(page),
        lead=name,
    )


def _controls(page: CrystalPage) -> Markup:
    options = (
        ("near", "nearest"),
        ("strong", "strongest"),
        ("all", f"all {len(page.bonds):,}"),
        ("none", "none"),
    )
    radios = [
        tag("label", _input("radio", "bonds", value, checked=value == "near"), words)
        for value, words in options
    ]
    few = len(page.atoms) <= NAMED
    names = tag("label", _input("checkbox", "names", "", checked=few), "names", class_="last")
    return tag("div", tag("b", "Bonds"), *radios, names, class_="controls")


def _input(kind: str, name: str, value: str, *, checked: bool) -> Markup:
    given = f' value="{value}"' if value else f' id="{name}"'
    return Markup(f'<input type="{kind}" name="{name}"{given}{" checked" if checked else ""}>')


def _scales(page: CrystalPage) -> Markup:
    ends = [("atoms", limit(page.crystal.values)), ("bonds", limit(page.crystal.bond_values))]
    unit = f" / {page.unit}" if page.unit else ""
    parts = []
    for name, end in ends:
        if end > 0:
            words = (f"−{number(end)}", f"contribution of {name}{unit}", f"+{number(end)}")
            small = tag("small", *(tag("span", one) for one in words))
            parts.append(tag("div", tag("i"), small))
    return tag("div", *parts, class_="scales")


def _elements(page: CrystalPage) -> Markup:
    rows, largest = page.elements, _largest(page.elements["total"])
    lines = [
        [row.element, row.count, each, total, bar(row.total, largest)]
        for row, each, total in zip(
            rows.itertuples(), _column(rows["each"]), _column(rows["total"]), strict=True
        )
    ]
    unit = f" / {page.unit}" if page.unit else ""
    head = ("element", "atoms", f"each{unit}", f"together{unit}", "")
    return section("By element", table(head, lines, numeric=(1, 2, 3)))


def _kinds(page: CrystalPage) -> Markup:
    if not len(page.bonds):
        return section("By bond", empty("The graph of this crystal has no bonds."))
    if page.crystal.bond_values is None:
        words = "This network does not know how to fade bonds out, so they have no contributions."
        return section("By bond", empty(words))
    rows, largest = page.kinds, _largest(page.kinds["total"])
    lines = [
        [row.pair, number(row.length, 4), row.count, each, total, bar(row.total, largest)]
        for row, each, total in zip(
            rows.itertuples(), _column(rows["each"]), _column(rows["total"]), strict=True
        )
    ][:LISTED]
    unit = f" / {page.unit}" if page.unit else ""
    head = ("pair", "length / Å", "bonds", f"each{unit}", f"together{unit}", "")
    listed = tag("div", table(head, lines, numeric=(1, 2, 3, 4)), class_="listing")
    lead = "Bonds of one pair of elements and nearly one length together, shortest first."
    return section("By bond", listed, lead=lead)


def _atoms(page: CrystalPage) -> Markup:
    rows, largest = page.atoms, _largest(page.atoms["contribution"])
    spread = bool(rows["spread"].notna().any())
    lines = [
        [row.atom, row.element, row.wyckoff, value, *([number(row.spread, 2)] if spread else [])]
        + [bar(row.contribution, largest)]
        for row, value in zip(rows.itertuples(), _column(rows["contribution"]), strict=True)
    ]
    unit = f" / {page.unit}" if page.unit else ""
    head = ["atom", "element", "Wyckoff", f"contribution{unit}"]
    head += (["spread"] if spread else []) + [""]
    lead = f"{plural(len(rows), 'atom')}, counted from 0 in the order of the file."
    if len(lines) > LISTED:
        lead += f" The first {LISTED} are listed; tables of all: gnnmat explain ... --output DIR"
    numeric = (0, 3, 4) if spread else (0, 3)
    listed = tag("div", table(head, lines[:LISTED], numeric=numeric), class_="listing")
    return section("Atom by atom", listed, lead=lead)


def bar(value: float, largest: float) -> Markup:
    """A bar to the right for what raises and to the left for what lowers."""
    share = 50 * abs(value) / largest if largest else 0.0
    kind = "up" if value > 0 else "down"
    inner = tag("span", class_=kind, style=f"width: {share:.1f}%")
    return tag("span", inner, class_="diverging", aria_hidden="true")


def _column(values: pd.Series) -> list[str]:
    return [signed(text) for text in aligned(values.tolist(), values.tolist())]


def _largest(values: pd.Series) -> float:
    return float(values.abs().max()) if len(values) else 0.0


def _quantity(page: CrystalPage, value: float, spread: float) -> str:
    if value != value:
        return ""
    between = f" ± {number(spread, 2)}" if spread == spread else ""
    unit = f" {plot_text(page.unit)}" if page.unit else ""
    return f"<br>{signed(number(value))}{between}{unit}"


def _atom_words(page: CrystalPage) -> list[str]:
    return [
        f"<b>{plot_text(row.element)}</b> atom {row.atom}"
        + (f", Wyckoff {plot_text(row.wyckoff)}" if row.wyckoff else "")
        + _quantity(page, row.contribution, row.spread)
        for row in page.atoms.itertuples()
    ]


def _bond_words(page: CrystalPage) -> list[str]:
    return [
        f"<b>{plot_text(row.first_element)}–{plot_text(row.second_element)}</b> "
        f"atoms {row.first} and {row.second}, {number(row.length, 4)} Å"
        + _quantity(page, row.contribution, row.spread)
        for row in page.bonds.itertuples()
    ]


def _names(page: CrystalPage) -> list[str]:
    return [plot_text(shortened(row.element, 3)) for row in page.atoms.itertuples()]
