"""Chances and errors made as large as validation rows say: temperatures and factors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.dataset import SampleDataset
from gnnmat.train.committee import Committee, class_probabilities
from gnnmat.train.uncertainty import (
    calibration_error,
    error_factor,
    fit_temperature,
    reliability,
    with_temperature,
)
from gnnmat.train.voices import Observed
from gnnmat.workflows.preparation import Prepared


def class_labels(committee: Committee, dataset: SampleDataset) -> NDArray[np.int64] | None:
    """(rows,) class index of the first class target, -1 where unknown; None without classes."""
    task = committee.trained.task
    for target in task.targets:
        if target.classes and dataset.labels.sample is not None:
            column = dataset.labels.spec.columns(dataset.labels.spec[target.name]).start
            values = dataset.labels.sample[:, column].numpy()
            return np.where(np.isnan(values), -1, np.nan_to_num(values)).astype(np.int64)
    return None


def calibrate_classes(
    committee: Committee,
    prepared: Prepared,
    seen: Observed,
    labels: NDArray[np.int64] | None,
    draws: int,
) -> tuple[float, dict[str, Any]]:
    """The temperature of the first class target, and the calibration before and after it."""
    target = next((one for one in committee.trained.task.targets if one.classes), None)
    if target is None or labels is None or not committee.trained.task.labels_are_truth:
        return 1.0, {}
    chances = committee_probabilities(committee, seen, target.name)
    true = np.tile(labels[prepared.rows("val")], max(draws, 1))
    known = true >= 0
    if not known.any():
        return 1.0, {}
    temperature = fit_temperature(chances[known], true[known])
    out: dict[str, Any] = {"target": target.name}
    for name, scaled in (("before", 1.0), ("after", temperature)):
        table = reliability(with_temperature(chances[known], scaled), true[known])
        out[name] = {"ece": calibration_error(table), "bins": [asdict(one) for one in table]}
    return temperature, out


def error_factors(
    committee: Committee, prepared: Prepared, seen: Observed, draws: int
) -> dict[str, float]:
    """By target what errors are multiplied by, so that they are as large as the validation says.

    Empty for tasks that give no errors.
    """
    task, labels = committee.trained.task, prepared.dataset.labels
    if labels.sample is None:
        return {}
    rows = np.tile(prepared.rows("val"), max(draws, 1))
    found = {}
    for name, columns in task.table(task.combine(seen.decoded)).items():
        if "error" not in columns:
            continue
        truth = labels.sample[rows, labels.spec.columns(labels.spec[name]).start].numpy()
        factor = error_factor(truth - np.array(columns["prediction"]), columns["error"])
        if factor is not None:
            found[name] = factor
    return found


def committee_probabilities(
    committee: Committee, found: Observed, target: str
) -> NDArray[np.float64]:
    """(rows, classes) probabilities of one target by all members together, not calibrated."""
    task = committee.trained.task
    classes = next(one.classes for one in task.targets if one.name == target)
    together = task.table(task.combine(found.decoded))[target]
    chances: NDArray[np.float64] = class_probabilities([together], classes)[0]
    return chances
