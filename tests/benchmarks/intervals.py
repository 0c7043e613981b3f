"""Intervals of finished ensembles on crystals: coverage, worst fifth, sharpness, error curve.

Every folder is a finished run or ensemble of one crystal regression. Nothing is written into it:
thresholds and intervals are fixed on its validation rows here, and judged on its test rows, and
on validation rows by halves, groups kept together. ``--dropout-samples`` judges the first member
once more with draws of its dropout instead of the members, and ``--single`` with the distance
to the training rows.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from results import row, write

from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import load_committee, member_folders
from gnnmat.workflows.looks import look
from gnnmat.workflows.trust import fixed, judged_parts
from gnnmat.workflows.uncertainty import assess

PARTS = {"test": "test rows", "halves": "validation rows, by halves"}


def report_of(folder: Path, coverage: float, samples: int, seed: int) -> dict[str, Any]:
    """What `gnnmat trust` would write of the intervals."""
    committee = load_committee(folder, samples=samples, seed=seed)
    looking = look(committee, load_run_config(folder), seed=seed)
    trust = fixed(looking, coverage=coverage)
    if not trust.intervals:
        raise SystemExit(f"{folder}: {trust.facts['without_interval']}")
    return assess(trust, judged_parts(looking, trust), seed=seed)


def rows_of(name: str, report: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one report, target by target and part by part."""
    out = []
    for target in report["targets"]:
        for part, found in target["parts"].items():
            what = f"{name}, {target['target']}, {PARTS[part]}"
            out += _coverages(what, report["coverage"], target, found)
            out += _curve(what, target["unit"], found)
            out += _domain(what, found)
    return out


def _coverages(
    what: str, nominal: float, target: dict[str, Any], found: dict[str, Any]
) -> list[dict[str, Any]]:
    scaled, plain = found["scaled"], found["constant"]
    # Rows judged are few, and so were those that the intervals were calibrated on.
    error = float(np.hypot(scaled["se"], target["calibration_se"]))
    low, high = scaled["coverage"] - 2 * error, scaled["coverage"] + 2 * error
    size = scaled["rows"] / 5
    note = (
        f"{scaled['rows']} rows of {scaled['groups']} groups, calibrated on {target['groups']}; "
        f"spread: {target['spread_means']}; range: two standard errors"
    )
    each = ", ".join(f"{100 * one['coverage']:.0f}" for one in scaled["fifths"])
    chance = f"each known to {100 * np.sqrt(nominal * (1 - nominal) / size):.0f} points"
    worst, width = scaled["worst_fifth"], scaled["mean_width"]
    beside = f"plain conformal: {100 * plain['coverage']:.1f}%"
    beside_worst = f"plain conformal: {100 * plain['worst_fifth']:.1f}%"
    beside_width = f"plain conformal: {plain['mean_width']:.4g}"
    reach = f"{nominal:.0%} within two standard errors"
    unit = target["unit"]
    return [
        row(f"{what}: coverage", 100 * scaled["coverage"], "%", low=100 * low, high=100 * high,
            against=beside, reach=reach, note=note),
        row(f"{what}: coverage, worst fifth by spread", 100 * worst, "%", against=beside_worst,
            reach=">= 85%", note=f"fifths {each}%, {chance}"),
        row(f"{what}: mean width", width, unit, against=beside_width, reach="report",
            note=f"median {scaled['median_width']:.4g}; MAE {scaled['mean_error']:.4g}"),
    ]  # fmt: skip


def _curve(what: str, unit: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    curve = found["curve"]
    half = curve["dropped"].index(0.5)
    rows = [
        row(
            f"{what}: MAE of the half with narrower intervals", curve["model"][half], unit,
            against=f"all rows: {curve['random'][half]:.4g}, half with smallest errors: "
            f"{curve['oracle'][half]:.4g}",
            reach="report",
        ),
        row(
            f"{what}: error curve, gain over chance", curve["gain"], "",
            against="1: errors known, 0: chance", reach="report",
        ),
    ]  # fmt: skip
    if curve["correlation"] is not None:
        rows.append(
            row(f"{what}: rank correlation of width and error", curve["correlation"], "",
                reach="report")
        )  # fmt: skip
    return rows


def _domain(what: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    inside, outside = found["domain"]["in"], found["domain"]["out"]
    refused = 100 * outside["rows"] / (inside["rows"] + outside["rows"])
    note = "none" if not outside["rows"] else f"their MAE {outside['mean_error']:.4g}"
    against = "" if not inside["rows"] else f"MAE in domain {inside['mean_error']:.4g}"
    return [row(f"{what}: out of domain", refused, "%", against=against, note=note)]


def pooled(kind: str, reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Coverage over several runs together, fifth by fifth: one alone has few rows in a fifth."""
    keys = [(one["target"], part) for one in reports[0]["targets"] for part in one["parts"]]
    out = []
    for target, part in keys:
        found = [
            one["parts"][part]
            for report in reports
            for one in report["targets"]
            if one["target"] == target and part in one["parts"]
        ]
        if len(found) < 2:
            continue
        what = f"{len(found)} runs together ({kind}), {target}, {PARTS[part]}"
        scaled, plain = (_together([one[name] for one in found]) for name in ("scaled", "constant"))
        each = ", ".join(f"{100 * one:.1f}" for one in scaled)
        rows = sum(one["scaled"]["rows"] for one in found)
        out.append(
            row(f"{what}: coverage, worst fifth by spread", 100 * min(scaled), "%",
                against=f"plain conformal: {100 * min(plain):.1f}%", reach=">= 85%",
                note=f"fifths {each}% of {rows} rows; all {100 * float(np.mean(scaled)):.1f}%")
        )  # fmt: skip
    return out


def _together(qualities: list[dict[str, Any]]) -> list[float]:
    """Coverage of every fifth over all runs."""
    return [
        sum(one["coverage"] * one["rows"] for one in fifths) / sum(one["rows"] for one in fifths)
        for fifths in zip(*(one["fifths"] for one in qualities), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished ensembles")
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--dropout-samples", type=int, default=0, help="0: not judged")
    parser.add_argument("--single", action="store_true", help="judge the first member alone, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    reports: dict[str, list[dict[str, Any]]] = {}
    for folder in options.runs:
        name, members = folder.name, member_folders(folder)
        alone = members[0] if members else folder
        kinds = [(f"{len(members) or 1} members", folder, 0)]
        if options.single and members:
            kinds.append(("first member", alone, 0))
        if options.dropout_samples:
            words = f"first member, {options.dropout_samples} draws of dropout"
            kinds.append((words, alone, options.dropout_samples))
        for words, place, samples in kinds:
            report = report_of(place, options.coverage, samples, options.seed)
            reports.setdefault(words, []).append(report)
            rows += rows_of(f"{name} ({words})", report)
    for words, several in reports.items():
        if len(several) > 1:
            rows = pooled(words, several) + rows
    name = "intervals_dropout" if options.dropout_samples else "intervals"
    write(name, "see each row", rows, options.json)


if __name__ == "__main__":
    main()
