"""What a reader sees first: the key number of each target with the baselines beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gnnmat.pages.markup import Markup, join, number, tag
from gnnmat.pages.results import SPLITS, TargetResults

Row = Mapping[str, Any]

# What a reader of the field asks for first; the first one present becomes the key number.
KEY_METRICS = ("mae", "mean_absolute_error", "accuracy", "auroc", "roc_auc", "f1", "rmse")
SMALLER_IS_BETTER = frozenset("mae ae rmse mse mape error loss brier ece deviation".split())
METRIC_NAMES = {
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "mape": "MAPE",
    "r2": "R²",
    "auroc": "ROC AUC",
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "ece": "ECE",
    "mcc": "MCC",
}


def metric_name(metric: object) -> str:
    """``metric`` as a reader knows it: ``mae`` gives ``MAE``."""
    return METRIC_NAMES.get(str(metric).lower(), str(metric).replace("_", " "))


def smaller_is_better(metric: object) -> bool:
    """Whether ``metric`` measures an error."""
    return not SMALLER_IS_BETTER.isdisjoint(re.split(r"[_\W]+", str(metric).lower()))


@dataclass(frozen=True)
class Headline:
    """The key metric of one target with the baselines measured the same way."""

    target: str
    model: Row
    baselines: list[Row]

    @property
    def verdict(self) -> str:
        """One honest sentence: does the model beat the best baseline, beyond the intervals?"""
        rows = [row for row in self.baselines if _value(row) is not None]
        mine = _value(self.model)
        if mine is None or not rows:
            return ""
        sign = 1 if smaller_is_better(self.model.get("metric")) else -1
        best = min(rows, key=lambda row: sign * float(row["value"]))
        other, name = float(best["value"]), str(best.get("baseline", "baseline"))
        if sign * mine >= sign * other:
            return f"Does not beat the best baseline ({name}, {number(other)})."
        words = f"Better than the best baseline ({name}, {number(other)})"
        if sign > 0 and other > 0:
            words = f"{1 - mine / other:.0%} below the best baseline ({name}, {number(other)})"
        mine_end = _value(self.model, "high" if sign > 0 else "low")
        other_end = _value(best, "low" if sign > 0 else "high")
        if mine_end is None or other_end is None:
            return f"{words}."
        is_clear = sign * mine_end < sign * other_end
        return f"{words}." if is_clear else f"{words}, but the 95% intervals overlap."


def _value(row: Row, key: str = "value") -> float | None:
    text = number(row.get(key))
    return None if text == "–" else float(row[key])


def headlines(
    results: Sequence[TargetResults], metrics: Sequence[Row], baselines: Sequence[Row]
) -> list[Headline]:
    """The key metric of every target that has metrics, on test or the next best split."""
    found = []
    for target in dict.fromkeys([r.name for r in results] + [str(m["target"]) for m in metrics]):
        own = [row for row in metrics if str(row["target"]) == target]
        split = next((s for s in SPLITS if any(row["split"] == s for row in own)), None)
        own = [row for row in own if row["split"] == split]
        if not own:
            continue
        rank = {name: i for i, name in enumerate(KEY_METRICS)}
        key = min(own, key=lambda row: rank.get(str(row["metric"]).lower(), len(rank)))
        beside = [
            row
            for row in baselines
            if (str(row["target"]), row["split"], row["metric"]) == (target, split, key["metric"])
        ]
        found.append(Headline(target, key, beside))
    return found


def interval(row: Row) -> str:
    """``0.081 to 0.093``, or nothing when the row has no interval."""
    low, high = number(row.get("low")), number(row.get("high"))
    return "" if "–" in (low, high) else f"{low} to {high}"


def headline_card(headline: Headline, model_name: str) -> Markup:
    """The key number in large type with a bar for the model and each baseline."""
    row = headline.model
    what = f"{row['split']} {metric_name(row['metric'])}"
    notes = [what]
    if interval(row):
        notes.append(f"95% interval {interval(row)}")
    if _value(row, "n") is not None:
        notes.append(f"n\u00a0{int(row['n']):,}")
    figure = tag(
        "p",
        tag("span", number(row.get("value")), class_="key-number"),
        tag("span", row.get("unit") or "", class_="key-unit"),
    )
    return tag(
        "article",
        tag("div", tag("h2", headline.target), figure, tag("p", " · ".join(notes), class_="muted")),
        tag("div", _bars(headline, model_name), tag("p", headline.verdict, class_="verdict")),
        class_="card",
    )


def _bars(headline: Headline, model_name: str) -> Markup:
    rows = [(model_name, headline.model, "model")]
    rows += [(str(row.get("baseline", "")), row, "baseline") for row in headline.baselines]
    if len(rows) == 1:
        return Markup("")
    widest = max((abs(_value(row) or 0.0) for _, row, _ in rows), default=0.0) or 1.0
    return tag(
        "div", join(_bar(name, row, kind, widest) for name, row, kind in rows), class_="bars"
    )


def _bar(name: str, row: Row, kind: str, widest: float) -> Markup:
    width = 100 * abs(_value(row) or 0.0) / widest
    fill = tag("span", class_=f"bar {kind}", style=f"width:{width:.1f}%")
    return join(
        [
            tag("span", name, class_="bar-name"),
            tag("span", fill, class_="bar-track"),
            tag("span", number(row.get("value")), class_="bar-value", title=interval(row) or None),
        ]
    )
