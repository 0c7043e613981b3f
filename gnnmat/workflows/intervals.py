"""Intervals of a run: calibrated on its validation rows, groups kept together, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.data.split_folds import FoldsSplit
from gnnmat.data.splits import GroupSplit
from gnnmat.data.symmetry import formulas
from gnnmat.train.committee import Committee
from gnnmat.train.config import RunConfig
from gnnmat.train.interval_quality import Judged
from gnnmat.train.intervals import Interval, absolute_errors, around, fit_interval
from gnnmat.train.spread import NumberAnswer, number_answers
from gnnmat.train.voices import Observed
from gnnmat.workflows.preparation import Prepared, split_table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Answers whose truth is known, for one target.

    Args:
        answer: (rows,) what was said.
        truth: (rows,) in the unit of the target.
        groups: (rows,) what is kept together.
        trusted: (rows,) whether the row counts as in domain.
    """

    answer: NumberAnswer
    truth: Floats
    groups: NDArray[Any]
    trusted: NDArray[np.bool_]

    def take(self, rows: ArrayLike) -> Known:
        """Some of the rows."""
        chosen, one = np.asarray(rows), self.answer
        answer = NumberAnswer(
            one.target, one.prediction[chosen], one.spread[chosen], one.kind, one.logarithm
        )
        return Known(answer, self.truth[chosen], self.groups[chosen], self.trusted[chosen])

    def calibrate(self, coverage: float) -> Interval:
        """The intervals that these rows ask for.

        Raises:
            GnnmatError: too few groups.
        """
        one = self.answer
        return fit_interval(
            absolute_errors(self.truth, one.prediction, one.logarithm),
            one.spread,
            self.groups,
            target=one.target.name,
            unit=one.target.unit,
            kind=one.kind,
            coverage=coverage,
            logarithm=one.logarithm,
        )

    def judged(self, interval: Interval, *, constant: bool = False) -> Judged:
        """These rows with intervals, or with those that are equally wide everywhere."""
        one = self.answer
        half = interval.half_width(one.spread)
        if constant:
            half = np.full(len(self.truth), interval.constant)
        low, high = around(one.prediction, half, interval.logarithm)
        return Judged(self.truth, one.prediction, low, high, one.spread, self.groups)


def known_numbers(
    committee: Committee,
    prepared: Prepared,
    rows: NDArray[np.int64],
    found: Observed,
    scores: Mapping[str, Floats],
    groups: NDArray[Any],
    trusted: NDArray[np.bool_] | None = None,
) -> list[Known]:
    """The answers of a committee beside the truth, target by target; rows without it are left out.

    Args:
        committee: that answered.
        prepared: its data.
        rows: of the data, one for each that was looked at.
        found: what the members said about them.
        scores: how strange they are.
        groups: (rows,) what is kept together.
        trusted: (rows,) whether they are in domain; default all.
    """
    labels = prepared.dataset.labels
    answers = number_answers(committee.trained.task, found, scores, dropout=committee.drops)
    if labels.sample is None:
        return []
    fine = np.ones(len(rows), dtype=bool) if trusted is None else trusted
    out = []
    for name, answer in answers.items():
        column = labels.spec.columns(labels.spec[name]).start
        truth = labels.sample[rows, column].double().numpy()
        usable = np.isfinite(truth) & np.isfinite(answer.prediction) & np.isfinite(answer.spread)
        out.append(Known(answer, truth, groups, fine).take(np.flatnonzero(usable)))
    return out


def group_name(config: RunConfig, prepared: Prepared) -> str:
    """What is kept together in calibration: what the split kept together, else the formula."""
    split = config.split
    if not prepared.dataset.is_crystal:
        return "row"
    if isinstance(split, (GroupSplit, FoldsSplit)) and split.by not in (None, "element"):
        return str(split.by)
    return "formula"


def exchangeable_groups(
    config: RunConfig, prepared: Prepared, rows: NDArray[np.int64]
) -> NDArray[Any]:
    """(rows,) the name of the group of each row.

    Crystals of one formula have errors alike, so that a hundred of them tell hardly more than one.

    Args:
        config: of the run.
        prepared: its data.
        rows: of the data.
    """
    by = group_name(config, prepared)
    if by == "row":
        return np.asarray(rows)
    if by == "formula":
        return np.array(formulas(prepared.dataset))[rows]
    return split_table(prepared.dataset, rows, quiet=True).groups(by)
