"""What is explained: one number that a run says about one crystal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sample import Batch, Features, Target
from gnnmat.target import columns_of
from gnnmat.tasks.joint import JointTask
from gnnmat.tasks.regression import RegressionTask
from gnnmat.tasks.task import Task


@dataclass(frozen=True)
class Answer:
    """One number of a prediction, in the units in which contributions add up.

    Numbers are explained as they are, on a logarithmic scale as their natural logarithm, curves
    as the mean over their points; classes as the log-odds of one against all others.

    Args:
        target: of the run.
        logarithm: whether the run learned its logarithm.
        label: place of the explained class; None for numbers.
        atom: whose value it is; None for a value of the whole crystal.
        latent: whether the run keeps the number from falling below zero; it is explained before.
    """

    target: Target
    logarithm: bool = False
    label: int | None = None
    atom: int | None = None
    latent: bool = False

    @property
    def unit(self) -> str:
        """Unit of the contributions."""
        if self.label is not None:
            return "log-odds"
        return "ln" if self.logarithm else self.target.unit

    @property
    def words(self) -> str:
        """What is explained, as in a sentence."""
        name = self.target.name
        if self.label is not None:
            return f"log-odds of '{self.target.classes[self.label]}' as {name}"
        if self.target.is_curve:
            name = f"mean of {name} over its {self.target.size} points"
        if self.latent:
            name += " before it is kept from falling below zero"
        unit = f" / {self.target.unit}" if self.target.unit else ""
        return f"ln({name}{unit})" if self.logarithm else name

    def values(self, task: Task, features: Features, batch: Batch) -> Tensor:
        """(rows,) the number for each row of the features: one a crystal, or one an atom."""
        part, raw = _part(task, task(features, batch), self.target)
        return self._read(part, raw)

    def baseline(self, task: Task, like: Tensor) -> float:
        """What stands for no contribution: the scale's zero, as a rule the training mean."""
        if self.label is not None:
            return 0.0
        part, raw = _part(task, torch.zeros_like(like), self.target)
        return float(self._read(part, raw)[0])

    def of(self, task: Task, features: Features, batch: Batch) -> Tensor:
        """Scalar: the explained number of a batch of one crystal."""
        return self.values(task, features, batch)[self.atom or 0]

    def _read(self, part: Task, raw: Tensor) -> Tensor:
        place = part.targets.index(self.target)
        if self.label is not None:
            scores = raw[..., columns_of_classes(part)[place]]
            others = torch.cat([scores[:, : self.label], scores[:, self.label + 1 :]], dim=1)
            return scores[:, self.label] - others.logsumexp(dim=1)
        decode = part.latent if isinstance(part, RegressionTask) and self.latent else part.decode
        decoded = decode(raw)[..., columns_of(part.targets)[place]]
        return (decoded.log() if self.logarithm else decoded).mean(dim=-1)


def columns_of_classes(task: Task) -> list[slice]:
    """Where the scores of each target stand in the raw prediction of a task on classes."""
    found, start = [], 0
    for target in task.targets:
        found.append(slice(start, start + len(target.classes)))
        start += len(target.classes)
    return found


def answer_of(
    task: Task, *, target: str | None = None, label: str | None = None, atom: int | None = None
) -> Answer:
    """The number to explain; a class is left open where none is named.

    Args:
        task: of the run.
        target: name; default the first.
        label: class to explain; default that of the task or, chosen later, the predicted one.
        atom: of a run that predicts a value an atom.

    Raises:
        GnnmatError: no such target or class, or an atom is missing or out of place.
    """
    names = [one.name for one in task.targets]
    if target is not None and target not in names:
        raise GnnmatError(f"The run predicts no '{target}'.", fix=did_you_mean(target, names))
    chosen = task.targets[0 if target is None else names.index(target)]
    label = task.explained.get(chosen.name) if label is None else label
    if label is not None and label not in chosen.classes:
        raise GnnmatError(
            f"'{chosen.name}' has no class '{label}'.", fix=did_you_mean(label, chosen.classes)
        )
    if task.level == "atom" and atom is None:
        raise GnnmatError(
            f"The run predicts '{chosen.name}' for every atom.",
            why="One of these values is explained at a time.",
            fix="Name the atom, counted from 0 in the order of the file: --atom 0",
        )
    if task.level != "atom" and atom is not None:
        raise GnnmatError(f"The run predicts one '{chosen.name}' a crystal, not one an atom.")
    part = _part(task, None, chosen)[0]
    scale = getattr(getattr(part, "config", None), "scale", "")
    place = chosen.classes.index(label) if label is not None else None
    latent = isinstance(part, RegressionTask) and part.has_latent
    return Answer(chosen, scale == "log", place, atom, latent)


def _part(task: Task, raw: Tensor | None, target: Target) -> tuple[Task, Tensor]:
    """The task that predicts a target, and its part of a raw prediction."""
    if isinstance(task, JointTask):
        splits = [raw] * len(task.tasks) if raw is None else raw.split(task.widths, dim=-1)
        for one, own in zip(task.tasks, splits, strict=True):
            if target in one.targets:
                return one, own
    return task, raw  # type: ignore[return-value]
