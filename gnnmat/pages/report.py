"""``report.html``: one file that shows a run, works offline and asks nobody for anything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.pages.figures import Figure, drawn_rows
from gnnmat.pages.headline import Headline, headline_card, headlines
from gnnmat.pages.learning_figures import learning_curves
from gnnmat.pages.markup import Markup, join, tag
from gnnmat.pages.results import (
    TargetResults,
    error_by_crystal_system,
    error_by_element,
    results_by_target,
    worst,
)
from gnnmat.pages.sections import (
    config_section,
    data_section,
    learning_section,
    metrics_table,
    refused_section,
    section,
)
from gnnmat.pages.shell import shell
from gnnmat.pages.target_panel import target_panel
from gnnmat.target import Axis


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportData:
    """What a report shows.

    Args:
        title: the run's name.
        summary: facts in reading order, such as ``("model", "cgcnn")``; the value of ``model``
            also names the bar beside the baselines.
        history: one row an epoch: ``epoch``, ``train_loss``, ``val_loss``, any ``val_<metric>``,
            ``lr``; NaN and missing columns are fine. ``val_score``, where given, is smallest in
            the epoch whose weights were kept.
        predictions: long table: ``id``, ``formula``, ``split``, ``target``, ``unit``, ``truth``,
            ``prediction`` and, where they apply, ``probability``, ``atom``, ``crystal_system``.
        metrics: rows of ``target``, ``split``, ``metric``, ``value``, ``low``, ``high``, ``n``,
            ``unit``.
        baselines: the same with ``baseline``, its name.
        audit: leakage between train and test: ``what`` is shared, ``count`` test crystals of
            ``total``, and a ``text`` that says what it means.
        refused: ``id``, ``origin``, ``reason``.
        config_yaml: the run's configuration.
        predict_command: the line to try next.
        axes: of the targets that are curves, by name.
    """

    title: str
    predictions: pd.DataFrame
    summary: Sequence[tuple[str, str]] = ()
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    metrics: Sequence[dict[str, Any]] = ()
    baselines: Sequence[dict[str, Any]] = ()
    audit: Sequence[dict[str, Any]] = ()
    refused: pd.DataFrame = field(default_factory=pd.DataFrame)
    config_yaml: str = ""
    predict_command: str = ""
    axes: Mapping[str, Axis] = field(default_factory=dict)


def write_report(path: Path, data: ReportData) -> Path:
    """``path``, where the page now stands; a page already there is replaced in one step.

    Raises:
        GnnmatError: predictions lack a column, or the file cannot be written.
    """
    path = Path(path)
    page = report_page(data).encode()
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(page)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except OSError as error:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)
        raise GnnmatError(
            f"The report {path} cannot be written.",
            why=str(error),
            fix="Free some space or choose another folder.",
        ) from error
    return path


def report_page(data: ReportData) -> str:
    """The whole page as HTML text.

    Raises:
        GnnmatError: predictions lack a column.
    """
    results = list(results_by_target(data.predictions, data.axes))
    figures: dict[str, Figure] = learning_curves(data.history)
    learning = learning_section(data.history, list(figures))
    panels = []
    for i, one in enumerate(results):
        panel, made = target_panel(one, f"target-{i}")
        panels.append(panel)
        figures.update(made)
    heads = headlines(results, data.metrics, data.baselines)
    sections = [
        section("Metrics", metrics_table(data.metrics, data.baselines), lead=_metrics_words(data)),
        tag("div", _target_choice(results), *panels, class_="targets"),
        learning,
        data_section(data.summary, results, data.audit),
        refused_section(data.refused),
        config_section(data.config_yaml),
    ]
    counts = _counts(results, data)
    return shell(data.title, _header(data, heads), join(sections), figures, counts)


def _metrics_words(data: ReportData) -> str:
    if not data.metrics:
        return ""
    words = "In small type the 95% interval."
    return words + " The last columns are trivial baselines." if data.baselines else words


def _header(data: ReportData, heads: Sequence[Headline]) -> Markup:
    facts = dict(data.summary)
    model = facts.get("model", "model")
    cards = tag("div", *(headline_card(head, model) for head in heads), class_="cards")
    parts = [tag("h1", data.title), tag("p", _subtitle(facts), class_="muted"), cards]
    if data.predict_command:
        parts.append(
            tag(
                "div",
                tag("span", "Try next", class_="muted"),
                tag("code", data.predict_command),
                class_="next",
            )
        )
    return tag("header", *parts)


def _subtitle(facts: dict[str, str]) -> str:
    known = [facts[key] for key in ("model", "data", "data set") if facts.get(key)]
    return " on ".join(dict.fromkeys(map(str, known)))


def _target_choice(results: Sequence[TargetResults]) -> Markup:
    if len(results) < 2:
        return Markup("")
    options = (
        tag("button", one.name, type="button", data_panel=f"target-{i}")
        for i, one in enumerate(results)
    )
    return tag("nav", *options, class_="choice", aria_label="target")


def _counts(results: Sequence[TargetResults], data: ReportData) -> dict[str, Any]:
    """The numbers behind the page, for programs and tests."""
    targets = []
    for one in results:
        elements, systems = error_by_element(one), error_by_crystal_system(one)
        targets.append(
            {
                "name": one.name,
                "unit": one.unit,
                "kind": one.kind,
                "shown_split": one.shown_split,
                "rows": one.counts,
                "drawn": {k: len(v) for k, v in drawn_rows(one).items()}
                if one.kind == "numbers"
                else {},
                "incomplete": one.incomplete,
                "worst": worst(one)["id"].tolist(),
                "elements": {k: int(v) for k, v in elements["count"].items()},
                "crystal_systems": {k: int(v) for k, v in systems["count"].items()},
            }
        )
    return {
        "title": data.title,
        "targets": targets,
        "epochs": len(data.history),
        "refused": len(data.refused),
    }
