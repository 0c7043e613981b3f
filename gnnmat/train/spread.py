"""From what members said to numbers with a spread: the material of intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.sample import Target
from gnnmat.tasks.task import Task
from gnnmat.train.intervals import TINY
from gnnmat.train.voices import Observed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NumberAnswer:
    """What was predicted for one target, and how unsure the model is of it.

    Args:
        target: a number a sample.
        prediction: (rows,) in the unit of the target.
        spread: (rows,) the larger the less sure, in the unit of the target unless it comes from
            a distance.
        kind: where the spread comes from, a key of `gnnmat.train.intervals.SPREADS`.
        logarithm: whether spreads and errors are those of the natural logarithm.
    """

    target: Target
    prediction: Floats
    spread: Floats
    kind: str
    logarithm: bool


def number_answers(
    task: Task, found: Observed, scores: Mapping[str, Floats], *, dropout: bool = False
) -> dict[str, NumberAnswer]:
    """By target what members say about numbers; nothing for classes, curves and atoms.

    Numbers that belong to one of several classes are left out too: which interval holds would
    depend on the class.

    Args:
        task: of the members.
        found: what they said.
        scores: how strange the rows are, from `gnnmat.train.strangeness.all_scores`.
        dropout: whether the voices are draws of the dropout of one member.
    """
    if task.level != "sample" or any(target.classes for target in task.targets):
        return {}
    logarithm = getattr(getattr(task, "config", None), "scale", "") == "log"
    together = task.table(task.combine(found.decoded))
    voices = [task.table(one) for one in found.decoded]
    out = {}
    for target in task.targets:
        if target.is_curve:
            continue
        columns = together[target.name]
        prediction = np.array(columns["prediction"], dtype=float)
        if "error" in columns:
            kind, spread = "error", np.array(columns["error"], dtype=float)
        elif len(voices) > 1:
            said = np.array([one[target.name]["prediction"] for one in voices], dtype=float)
            said = np.log(np.maximum(said, TINY)) if logarithm else said
            kind, spread = "dropout" if dropout else "disagreement", said.std(axis=0)
        elif "neighbours" in scores:
            kind, spread = "distance", np.asarray(scores["neighbours"], dtype=float)
        else:
            kind, spread = "constant", np.zeros(len(prediction))
        out[target.name] = NumberAnswer(target, prediction, spread, kind, logarithm)
    return out
