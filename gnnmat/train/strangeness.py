"""From what members said about samples to one number a score and sample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gnnmat.tasks.task import Task
from gnnmat.train.committee import class_probabilities, deviation
from gnnmat.train.trust_scores import Density
from gnnmat.train.uncertainty import mutual_information
from gnnmat.train.voices import Observed

Floats = NDArray[np.float64]

FEATURES, STATISTICS = "features", "statistics"


def plain_scores(task: Task, found: Observed) -> dict[str, Floats]:
    """Scores that need no density: of probabilities, of the members' disagreement, of the task.

    Args:
        task: of the members.
        found: what they said.
    """
    tables = [task.table(one) for one in found.decoded]
    surest: list[Floats] = []
    informations: list[Floats] = []
    spreads: list[Floats] = []
    for target, unit in zip(task.targets, _units(task), strict=True):
        own = [one[target.name] for one in tables]
        if target.classes:
            chances = class_probabilities(own, target.classes)
            surest.append(chances.mean(axis=0).max(axis=-1))
            informations.append(mutual_information(chances))
        else:
            spreads.append(deviation(own) / unit)
    scores: dict[str, Floats] = {}
    if surest:
        scores["confidence"] = 1 - np.min(surest, axis=0)
    if informations and len(tables) > 1:
        scores["mutual_information"] = np.max(informations, axis=0)
    if spreads and len(tables) > 1:
        scores["disagreement"] = np.array(spreads).mean(axis=0)
    for name, value in found.strangeness.items():
        scores[name] = value.double().numpy().mean(axis=0)
    return scores


def _units(task: Task) -> list[float]:
    """What each target was divided by for training, so that targets of several units compare."""
    factor = getattr(task, "factor", None)
    out: list[float] = []
    start = 0
    for target in task.targets:
        size = 0 if target.classes else target.size
        own = None if factor is None else factor[start : start + size]
        out.append(1.0 if own is None or not len(own) else float(own.mean()))
        start += size
    return out


def member_distances(
    densities: Mapping[str, tuple[Density, ...]], found: Observed
) -> dict[str, Floats]:
    """By score (members, rows) distances of each member's features from the training rows."""
    out: dict[str, Floats] = {}
    if FEATURES in densities:
        pairs = list(zip(densities[FEATURES], found.pooled, strict=True))
        out["distance"] = np.array([one.distance(rows.numpy()) for one, rows in pairs])
        out["neighbours"] = np.array([one.neighbours(rows.numpy()) for one, rows in pairs])
    if STATISTICS in densities and found.statistics is not None:
        (shared,) = densities[STATISTICS]
        out[STATISTICS] = shared.distance(found.statistics.numpy())[None]
    return out


def all_scores(
    task: Task,
    densities: Mapping[str, tuple[Density, ...]],
    scales: Mapping[str, Floats],
    found: Observed,
) -> dict[str, Floats]:
    """By score (rows,) how strange each sample is.

    Args:
        task: of the members.
        densities: of the training rows.
        scales: by score (members,) the usual distance, by which each member's is divided before
            the mean over the members is taken.
        found: what the members said.
    """
    scores = plain_scores(task, found)
    for name, distances in member_distances(densities, found).items():
        scores[name] = (distances / scales[name][:, None]).mean(axis=0)
    return scores
