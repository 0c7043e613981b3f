"""How good the intervals of a run are: judged on rows that they were not calibrated on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.train.config import RunConfig
from gnnmat.train.interval_quality import (
    Judged,
    calibration_error,
    coverage,
    error_curve,
    quality,
)
from gnnmat.train.intervals import SPREADS, Interval
from gnnmat.train.trust import Trust
from gnnmat.workflows.intervals import Known
from gnnmat.workflows.run_folder import UNCERTAINTY

UNCERTAINTY_JSON, UNCERTAINTY_PAGE = UNCERTAINTY
HALVES, TEST = "halves", "test"
# Said in the file and on the page.
HONEST = (
    "The validation rows also chose the epoch of each member, so that their errors are a little "
    "smaller than those of new rows; the test rows chose nothing."
)


def assess(trust: Trust, parts: Mapping[str, Sequence[Known]], *, seed: int = 0) -> dict[str, Any]:
    """What is known of the intervals, for ``uncertainty.json``.

    Every target is judged in two ways: ``halves``, where each half of the groups of the validation
    rows is judged by intervals calibrated on the other one; and ``test``, by those of the trust.

    Args:
        trust: with intervals.
        parts: known rows of ``val`` and, where there are any, of ``test``.
        seed: of the halves.
    """
    intervals = {one.target: one for one in trust.intervals}
    tests = {one.answer.target.name: one for one in parts.get("test", ())}
    targets = [
        _target(intervals[name], one, tests.get(name), seed)
        for one in parts["val"]
        if (name := one.answer.target.name) in intervals
    ]
    facts = {name: trust.facts[name] for name in ("members", "samples", "rows", "groups")}
    return {
        "coverage": trust.intervals[0].coverage,
        "false_refusal": trust.false_refusal,
        **facts,
        "note": HONEST,
        "targets": targets,
    }


def _target(interval: Interval, val: Known, test: Known | None, seed: int) -> dict[str, Any]:
    out: dict[str, Any] = {
        "target": interval.target,
        "unit": interval.unit,
        "spread": interval.spread,
        "spread_means": SPREADS[interval.spread],
        "logarithm": interval.logarithm,
        "floor": interval.floor,
        "quantiles": list(interval.quantiles),
        "rows": interval.rows,
        "groups": interval.groups,
        "calibration_se": calibration_error(interval.coverage, interval.groups),
        "parts": {},
    }
    halves = in_halves(val, interval.coverage, seed)
    if halves is not None:
        known = val.take(halves[2])
        out["parts"][HALVES] = _part(halves[0], halves[1], known)
    if test is not None and len(test.truth):
        scaled, constant = test.judged(interval), test.judged(interval, constant=True)
        out["parts"][TEST] = _part(scaled, constant, test)
    return out


def in_halves(
    known: Known, nominal: float, seed: int = 0
) -> tuple[Judged, Judged, np.ndarray] | None:
    """All rows, each with the interval that the other half of the groups asks for.

    Args:
        known: rows to be cut in two, groups kept together.
        nominal: coverage of the intervals.
        seed: of the halves.

    Returns:
        The rows with scaled and with constant intervals, and their places among ``known``; None
        where a half has too few groups.
    """
    names, member = np.unique(known.groups, return_inverse=True)
    first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
    halves = [np.flatnonzero(first[member.ravel()] == one) for one in (True, False)]
    try:
        intervals = [known.take(rows).calibrate(nominal) for rows in halves]
    except GnnmatError:
        return None
    pairs = list(zip(halves, reversed(intervals), strict=True))
    scaled, constant = (
        Judged.joined(*(known.take(rows).judged(one, constant=flat) for rows, one in pairs))
        for flat in (False, True)
    )
    return scaled, constant, np.concatenate(halves)


def _part(scaled: Judged, constant: Judged, known: Known) -> dict[str, Any]:
    """Everything about some rows: both kinds of intervals, the curve, in and out of domain."""
    errors = np.abs(scaled.truth - scaled.prediction)
    return {
        "scaled": quality(scaled),
        "constant": quality(constant),
        "curve": error_curve(errors, scaled.high - scaled.low),
        "domain": {
            name: _domain(scaled.take(np.flatnonzero(known.trusted == fine)))
            for name, fine in (("in", True), ("out", False))
        },
    }


def _domain(rows: Judged) -> dict[str, Any]:
    share, error = coverage(rows.inside, rows.groups)
    some = len(rows.truth) > 0
    return {
        "rows": len(rows.truth),
        "coverage": share if some else None,
        "se": error if np.isfinite(error) else None,
        "mean_error": float(np.abs(rows.truth - rows.prediction).mean()) if some else None,
    }


def write_uncertainty(folder: Path, report: dict[str, Any], config: RunConfig) -> None:
    """Write ``uncertainty.json`` and the page."""
    from gnnmat.pages.uncertainty import uncertainty_page

    report = _plain(report)
    write_atomically(folder / UNCERTAINTY_JSON, json.dumps(report, indent=1, allow_nan=False))
    write_atomically(folder / UNCERTAINTY_PAGE, uncertainty_page(report, config.name))


def _plain(value: Any) -> Any:
    """The same with None for what is no number, which JSON does not know."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def forget_uncertainty(folder: Path) -> None:
    """Remove what was said of intervals that are calibrated anew."""
    for name in (UNCERTAINTY_JSON, UNCERTAINTY_PAGE):
        (folder / name).unlink(missing_ok=True)


def read_uncertainty(folder: Path) -> dict[str, Any] | None:
    """What `write_uncertainty` wrote; None where it is not there, or damaged."""
    try:
        found: dict[str, Any] = json.loads((folder / UNCERTAINTY_JSON).read_text())
    except (OSError, ValueError):
        return None
    return found
