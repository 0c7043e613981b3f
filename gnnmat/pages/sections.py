"""The sections of a report as HTML: metrics, one panel a target, learning, data, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gnnmat.pages.headline import Row, interval, metric_name
from gnnmat.pages.learning_figures import best_epoch
from gnnmat.pages.markup import (
    Markup,
    count,
    formula_markup,
    join,
    number,
    plural,
    table,
    tag,
)
from gnnmat.pages.results import SPLITS, TargetResults

LISTED_REFUSALS = 50


def section(title: str, *content: object, lead: str = "", id_: str | None = None) -> Markup:
    """A titled section, or nothing when it has no content."""
    inside = join(content)
    if not inside:
        return Markup("")
    words = tag("p", lead, class_="lead") if lead else Markup("")
    return tag("section", tag("h2", title), words, inside, id=id_)


def plot(name: str, label: str, kind: str = "") -> Markup:
    """The place where the page draws figure ``name``."""
    classes = f"plot {kind}".strip()
    return tag("div", class_=classes, data_figure=name, role="img", aria_label=label)


def empty(words: str) -> Markup:
    """A plain sentence where a figure would stand."""
    return tag("p", words, class_="empty")


def nearest_section(known: Sequence[tuple[str, str, float]]) -> Markup:
    """Id, formula and distance of known positives; nothing where there are none."""
    lines = [(name, formula_markup(made), number(far)) for name, made, far in known]
    lead = (
        "Crystals known to be positive that the network finds most like this one. A distance of 1 "
        "is usual between a known crystal and its nearest neighbour."
    )
    listed = table(("id", "formula", "distance"), lines, numeric=(2,)) if lines else ""
    return section("Nearest known positives", listed, lead=lead)


def metrics_table(metrics: Sequence[Row], baselines: Sequence[Row]) -> Markup:
    """One line a target and metric: the model a split, then the baselines on the best split."""
    if not metrics and not baselines:
        return empty("No metrics were recorded.")
    splits = _ordered_splits(metrics) or _ordered_splits(baselines)
    shown = splits[0]
    names = list(dict.fromkeys(str(row["baseline"]) for row in baselines if row["split"] == shown))
    own = {(str(r["target"]), str(r["metric"]), str(r["split"])): r for r in metrics}
    other = {
        (str(r["target"]), str(r["metric"]), str(r["baseline"])): r
        for r in baselines
        if r["split"] == shown
    }
    keys = list(dict.fromkeys((t, m) for t, m, _ in [*own, *other]))
    lines, previous = [], None
    for target, metric in keys:
        rows = [own.get((target, metric, split)) for split in splits]
        rows += [other.get((target, metric, name)) for name in names]
        unit = next((str(row["unit"]) for row in rows if row and row.get("unit")), "")
        label = metric_name(metric) + (f" / {unit}" if unit else "")
        name = "" if target == previous else target
        lines.append([name, label, *(_score(row) for row in rows)])
        previous = target
    head = ["target", "metric", *splits, *names]
    return table(head, lines, numeric=range(2, len(head)), class_="metrics")


def _ordered_splits(rows: Sequence[Row]) -> list[str]:
    found = {str(row["split"]) for row in rows}
    return [s for s in SPLITS if s in found] + sorted(found - set(SPLITS))


def _score(row: Row | None) -> Markup:
    if row is None:
        return tag("span", "–", class_="muted")
    between = interval(row)
    return join(
        [
            tag("span", number(row.get("value")), class_="score"),
            tag("small", between) if between else "",
        ]
    )


def learning_section(history: pd.DataFrame, figures: Sequence[str]) -> Markup:
    """The learning curves, or a sentence why there are none."""
    if not figures:
        return section(
            "Learning curves", empty("No training history was recorded."), id_="learning"
        )
    best = best_epoch(history)
    lead = plural(len(history), "epoch") + "."
    if best is not None:
        lead += f" {best.why.capitalize()}: epoch {best.epoch:.0f}."
    if "val_loss" not in history or history["val_loss"].isna().all():
        lead += " No validation loss was recorded."
    first, rest = figures[0], figures[1:]
    plots = [plot(first, "loss over the epochs", "wide" if not rest else "")]
    plots += [plot(name, "metric over the epochs") for name in rest]
    return section("Learning curves", tag("div", *plots, class_="pair"), lead=lead, id_="learning")


def data_section(
    summary: Sequence[tuple[str, str]],
    results: Sequence[TargetResults],
    audit: Sequence[Mapping[str, Any]],
) -> Markup:
    """The run's summary, rows a target and split, and the leakage audit."""
    facts = join(
        tag("div", tag("dt", key), tag("dd", value)) for key, value in summary if str(value)
    )
    splits = list(dict.fromkeys(s for r in results for s in r.counts))
    splits = [s for s in ("train", "val", "test") if s in splits] + [
        s for s in splits if s not in SPLITS
    ]
    lines = [[r.name, *(count(r.counts.get(s, 0)) for s in splits)] for r in results]
    sizes = table(["rows with target", *splits], lines, numeric=range(1, len(splits) + 1))
    return section(
        "Data and split",
        tag("dl", facts, class_="facts") if facts else "",
        sizes if lines else "",
        _audit(audit),
        id_="data",
    )


def _audit(audit: Sequence[Mapping[str, Any]]) -> Markup:
    if not audit:
        return empty("No leakage audit was made.")
    lines = []
    for row in audit:
        found, total = row.get("count"), row.get("total")
        share = ""
        if number(found) != "–" and number(total) not in ("–", "0"):
            share = f"{float(found) / float(total):.1%}"  # type: ignore[arg-type]
        of = f"{count(found)} of {count(total)}" if number(total) != "–" else count(found)
        lines.append([row.get("what", ""), of, share, row.get("text", "")])
    head = ["shared with train", "found", "share", "what it means"]
    return join(
        [tag("h3", "Leakage audit"), table(head, lines, numeric=(1, 2), class_="audit wordy")]
    )


def refused_section(refused: pd.DataFrame) -> Markup:
    """The first refused inputs with their reasons, and how many there are."""
    if refused.empty:
        return section("Refused inputs", empty("Every input was read."), id_="refused")
    columns = [column for column in ("id", "origin", "reason") if column in refused]
    rows = refused[columns].astype(object).where(refused[columns].notna(), "")
    lines = rows.head(LISTED_REFUSALS).to_numpy().tolist()
    lead = f"{plural(len(refused), 'input')} could not be used."
    if len(refused) > LISTED_REFUSALS:
        lead += f" The first {LISTED_REFUSALS} are listed; refused.csv has them all."
    return section(
        "Refused inputs",
        tag("div", table(columns, lines, class_="wordy"), class_="listing"),
        lead=lead,
        id_="refused",
    )


def config_section(config_yaml: str) -> Markup:
    """The configuration, folded away."""
    if not config_yaml.strip():
        return Markup("")
    words = tag("summary", "Configuration of this run")
    return tag("section", tag("details", words, tag("pre", config_yaml)), id="config")
