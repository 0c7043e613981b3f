"""``uncertainty.html``: whether the intervals of a run keep what they promise; offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from gnnmat.pages.figures import BLUE, GREY, ORANGE, Figure, axis_title, figure
from gnnmat.pages.markup import (
    ABSENT,
    Markup,
    join,
    number,
    plot_text,
    plural,
    shortened,
    table,
    tag,
)
from gnnmat.pages.sections import empty, plot, section
from gnnmat.pages.shell import shell

SHOWN = 12  # targets on the page; the JSON file has all
PARTS = {
    "halves": "validation rows, each judged by the other half",
    "test": "test rows",
}
KINDS = {"scaled": "scaled by the spread", "constant": "equally wide"}
WIDTHS = {"scaled": BLUE, "constant": GREY}


def uncertainty_page(report: Mapping[str, Any], title: str) -> str:
    """The whole page as HTML text.

    Args:
        report: from `gnnmat.workflows.uncertainty.assess`.
        title: name of the run.
    """
    figures: dict[str, Figure] = {}
    shown = report["targets"][:SHOWN]
    sections: list[object] = [_choice(shown)]
    for place, one in enumerate(shown):
        inside = _target(one, place, report, figures)
        sections.append(tag("div", inside, class_="panel", id=f"target-{place}"))
    left = len(report["targets"]) - len(shown)
    if left:
        sections.append(empty(f"{plural(left, 'target')} more in uncertainty.json."))
    header = tag(
        "header",
        tag("h1", f"How sure is {title}?"),
        tag("p", _subtitle(report), class_="muted"),
    )
    sections.append(section("How to read this", tag("p", _reading(report))))
    counts = {"targets": [one["target"] for one in shown], "figures": list(figures)}
    return shell(f"{title}: uncertainty", header, join(sections), figures, counts)


def _choice(targets: Sequence[Mapping[str, Any]]) -> Markup:
    if len(targets) < 2:
        return Markup("")
    buttons = (
        tag("button", one["target"], type="button", data_panel=f"target-{place}")
        for place, one in enumerate(targets)
    )
    return tag("nav", *buttons, class_="choice", aria_label="target")


def _subtitle(report: Mapping[str, Any]) -> str:
    voices = plural(report["members"], "member")
    if report["samples"]:
        voices += f", {plural(report['samples'], 'draw')} of dropout each"
    return f"{report['coverage']:.0%} intervals of {voices}; groups: {report['groups']}"


def _reading(report: Mapping[str, Any]) -> str:
    return (
        "Coverage is the share of rows whose truth lies inside; behind it stands one standard "
        "error, with rows of one group counted together. Fifths are cut by the spread, from the "
        "rows the model is surest of to those it is least sure of. The curve shows the mean error "
        "of what is left when the rows with the widest intervals are dropped: the further it falls "
        "below the line of chance, the more the width of an interval tells of the error. "
        f"{report['note']}"
    )


def _target(
    one: Mapping[str, Any], place: int, report: Mapping[str, Any], figures: dict[str, Figure]
) -> Markup:
    unit = f" / {one['unit']}" if one["unit"] else ""
    if not one["parts"]:
        words = "Too few groups of rows to judge the intervals by rows they do not know."
        return section(one["target"], empty(words), lead=_lead(one))
    plots = []
    for part, found in one["parts"].items():
        names = (f"fifths-{place}-{part}", f"curve-{place}-{part}")
        figures[names[0]] = fifths_figure(found, report["coverage"], PARTS[part])
        figures[names[1]] = curve_figure(found["curve"], f"mean error{unit}", PARTS[part])
        labels = ("coverage in fifths of the spread", "error when uncertain rows are dropped")
        pairs = zip(names, labels, strict=True)
        plots.append(tag("div", *(plot(*pair) for pair in pairs), class_="pair"))
    return section(f"{one['target']}{unit}", scores_table(one), *plots, lead=_lead(one))


def _lead(one: Mapping[str, Any]) -> str:
    scale = "a constant" if one["spread"] == "constant" else f"{number(one['floor'])} + spread"
    words = (
        f"Calibrated on {plural(one['rows'], 'validation row')} of {plural(one['groups'], 'group')}"
        f". Half-width: {' / '.join(number(q) for q in one['quantiles'])} times ({scale}); the "
        f"spread is: {one['spread_means']}."
    )
    return f"{words} All on a logarithmic scale." if one["logarithm"] else words


def scores_table(one: Mapping[str, Any]) -> Markup:
    """A line a part and kind of interval: coverage, worst fifth, widths, in and out of domain."""
    lines = []
    for part, found in one["parts"].items():
        for kind, words in KINDS.items():
            own = found[kind]
            lines.append(
                [
                    f"{PARTS[part]} ({own['rows']:,})" if kind == "scaled" else "",
                    words,
                    _share(own["coverage"], own["se"]),
                    _share(own["worst_fifth"]),
                    number(own["mean_width"]),
                    _inside(found["domain"]["in"]) if kind == "scaled" else "",
                    _inside(found["domain"]["out"]) if kind == "scaled" else "",
                ]
            )
    head = ("rows", "intervals", "coverage", "worst fifth", "mean width", "in domain", "out of it")
    return table(head, lines, numeric=(2, 3, 4, 5, 6))


def _share(value: float | None, error: float | None = None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.1%}" + ("" if error is None else f" ± {100 * error:.1f}")


def _inside(found: Mapping[str, Any]) -> str:
    if not found["rows"]:
        return ABSENT
    return f"{_share(found['coverage'])} of {found['rows']:,}"


def fifths_figure(found: Mapping[str, Any], nominal: float, title: str) -> Figure:
    """Coverage in fifths by spread, with the promised one as a line."""
    traces = []
    for kind, words in KINDS.items():
        parts: Sequence[Mapping[str, Any]] = found[kind]["fifths"]
        traces.append(
            go.Bar(
                x=[f"{place + 1}" for place in range(len(parts))],
                y=[part["coverage"] for part in parts],
                error_y={"type": "data", "array": [part["se"] for part in parts], "thickness": 1},
                name=words,
                marker={"color": WIDTHS[kind]},
                opacity=0.85,
                customdata=[[part["rows"], part["mean_width"]] for part in parts],
                hovertemplate="%{y:.1%} of %{customdata[0]} rows<br>mean width "
                "%{customdata[1]:.4~g}<extra></extra>",
            )
        )
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": nominal, "y1": nominal}
    return figure(
        traces,
        title=_title(title),
        xaxis=axis_title("fifth of the rows by spread"),
        yaxis={**axis_title("coverage"), "range": [0, 1.05], "tickformat": ".0%"},
        barmode="group",
        shapes=[{**line, "line": {"color": GREY, "width": 1, "dash": "dot"}}],
    )


def curve_figure(curve: Mapping[str, Any], label: str, title: str) -> Figure:
    """Mean error of what is left, beside chance and beside knowing the errors."""
    styles = {
        "random": ("at random", GREY, "dot"),
        "oracle": ("by true error", ORANGE, "dash"),
        "model": ("by interval width", BLUE, "solid"),
    }
    traces = [
        go.Scatter(
            x=curve["dropped"],
            y=curve[name],
            mode="lines",
            name=words,
            line={"color": colour, "dash": dash, "width": 2},
            hovertemplate="%{y:.4~g}",
        )
        for name, (words, colour, dash) in styles.items()
    ]
    return figure(
        traces,
        title=_title(title),
        xaxis={**axis_title("share of rows dropped first"), "tickformat": ".0%"},
        yaxis={**axis_title(plot_text(label)), "rangemode": "tozero"},
        hovermode="x unified",
    )


def _title(text: str) -> dict[str, Any]:
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 0.99, "yanchor": "top"}
    return {"text": plot_text(shortened(text, 60)), "font": {"size": 13}, **place}
