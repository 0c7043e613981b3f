"""Positive or unlabelled: two classes, one of which is a mixture of both."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sample import Batch, DataSpec, Target
from gnnmat.tasks.classification import Classification, ClassificationTask
from gnnmat.tasks.head import Head
from gnnmat.tasks.task import Loss, TaskOptions


class Pu(TaskOptions):
    """Positive and unlabelled rows: how much a row looks like the positive ones.

    The probability of the positive class is a score that ranks; it is no chance of being positive,
    because nobody knows how many of the unlabelled rows are.
    """

    kind: Literal["pu"] = "pu"
    positive: str | None = Field(
        None, description="Name of the positive class; null takes the second in the alphabet."
    )
    loss: Literal["balanced", "nnpu"] = Field(
        "balanced",
        description="'balanced': unlabelled rows count as negative, both classes weigh alike; "
        "'nnpu': the non-negative risk, which knows that a share of them is positive.",
    )
    prior: float | None = Field(
        None, gt=0, lt=1, description="That share, for 'nnpu': positives among the unlabelled."
    )
    head: Head = Field(Head(), description="The last layers.")

    @model_validator(mode="after")
    def _prior_is_known(self) -> Pu:
        if self.loss == "nnpu" and self.prior is None:
            raise ValueError("loss nnpu needs task.prior, the share of positives among unlabelled")
        return self

    @property
    def classes(self) -> bool:
        """Whether targets are class names."""
        return True

    @classmethod
    def example(cls) -> Pu:
        """A small instance for contract tests."""
        return cls(head=Head(hidden=(8,)))

    def build(self, spec: DataSpec, width: int) -> PuTask:
        """The task for these data and features of this width."""
        return PuTask(self, spec, width)


class PuTask(ClassificationTask):
    """Prediction (..., rows, d): logits of both classes of the first target, then of the next.

    Source: Kiryo, Niu, du Plessis & Sugiyama, "Positive-unlabeled learning with non-negative risk
    estimator", NeurIPS 2017, equations 5 and 6 and algorithm 1 (beta 0, gamma 1), here with the
    logistic loss; 'balanced' is the classifier of one bag of Mordelet & Vert, Pattern Recognition
    Letters 37, 201 (2014). The risk of nnpu is one of a batch: it does not add up over batches, nor
    over processes.
    """

    labels_are_truth = False

    def __init__(self, config: Pu, spec: DataSpec, width: int) -> None:
        super().__init__(Classification(weights="balanced", head=config.head), spec, width)
        self.pu = config
        if self.level != "sample":
            raise GnnmatError("Whole crystals are positive or unlabelled, not their atoms.")
        self.places = [_positive(target, config.positive) for target in self.targets]

    @property
    def explained(self) -> dict[str, str]:
        """The positive class."""
        pairs = zip(self.targets, self.places, strict=True)
        return {target.name: target.classes[place] for target, place in pairs}

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        if self.pu.prior is None or self.pu.loss == "balanced":
            return super().loss(prediction, batch)
        total = (prediction * 0.0).float().sum()
        count = torch.zeros((), device=prediction.device)
        for (logits, label, mask), place in zip(
            self._each(prediction, batch), self.places, strict=True
        ):
            risk = non_negative_risk(
                logits[..., place] - logits[..., 1 - place],
                (label == place) & mask,
                (label != place) & mask,
                self.pu.prior,
            )
            total = total + risk.mean() * mask.sum()
            count = count + mask.sum()
        return Loss(total, count)

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        found = super().table(decoded)
        for target, place in zip(self.targets, self.places, strict=True):
            name = target.classes[place]
            found[target.name]["score"] = found[target.name][f"probability_{name}"]
        return found


def non_negative_risk(margin: Tensor, positive: Tensor, unlabelled: Tensor, prior: float) -> Tensor:
    """(...) the risk of a classifier, from positive and unlabelled rows.

    Where the risk on negatives, which is estimated as a difference, comes out below zero, its
    value is zero and its gradient points back: then the network has begun to learn by heart which
    rows are labelled.

    Args:
        margin: (..., rows) positive for rows called positive.
        positive: (rows,) whether a row is a labelled positive.
        unlabelled: (rows,) whether it is unlabelled.
        prior: share of positives among the unlabelled.
    """
    called_positive, called_negative = F.softplus(-margin), F.softplus(margin)
    hit = prior * _mean(called_positive, positive)
    rest = _mean(called_negative, unlabelled) - prior * _mean(called_negative, positive)
    back = hit.detach() + rest.detach() - rest
    return torch.where(rest < 0, back, hit + rest)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """(...) mean over the rows of the mask; zero over none."""
    return torch.where(mask, values, 0.0).sum(dim=-1) / mask.sum().clamp(min=1)


def _positive(target: Target, name: str | None) -> int:
    """Which of its two classes is the positive one."""
    if len(target.classes) != 2:
        raise GnnmatError(
            f"Target '{target.name}' has {len(target.classes)} classes, and positive-unlabelled "
            "learning takes two.",
            why=f"They are {', '.join(target.classes[:8])}.",
            fix="Give 1 for positive and 0 for unlabelled.",
        )
    if name is None:
        return 1
    if name not in target.classes:
        raise GnnmatError(
            f"task.positive names the class '{name}', which '{target.name}' does not have.",
            fix=did_you_mean(name, target.classes),
        )
    return target.classes.index(name)
