"""Binary and multi-class classification of one or several targets, with missing labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features, Target
from gnnmat.tasks.head import Head, MlpHead
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets, masked_sum, score_name


class Classification(TaskOptions):
    """Class-valued targets; the classes are those found in the data."""

    kind: Literal["classification"] = "classification"
    balance: bool = Field(False, description="Weigh every class alike, however rare it is.")
    head: Head = Field(Head(), description="The last layers.")

    @property
    def classes(self) -> bool:
        """Whether targets are class names."""
        return True

    @classmethod
    def example(cls) -> Classification:
        """A small instance for contract tests."""
        return cls(head=Head(hidden=(8,)))

    def build(self, spec: DataSpec, width: int) -> ClassificationTask:
        """The task for these data and features of this width."""
        return ClassificationTask(self, spec, width)


class ClassificationTask(Task):
    """Prediction (..., rows, d): logits of all classes of the first target, then of the next."""

    weight: Tensor

    def __init__(self, config: Classification, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.targets = choose_targets(spec.targets.targets, None)
        check_classes(self.targets)
        self.level = self.targets[0].level
        self.config = config
        self.sizes = [len(target.classes) for target in self.targets]
        self.head: MlpHead = config.head.build(width, sum(self.sizes))
        self.register_buffer("weight", torch.ones(sum(self.sizes)))

    def prepare(self, labels: Tensor) -> None:
        """Weights of the classes, if they are to count alike."""
        for column, count in enumerate(count_classes(self.targets, labels)):
            if self.config.balance:
                start = sum(self.sizes[:column])
                weight = count.sum() / (count.clamp(min=1) * (count > 0).sum())
                self.weight[start : start + self.sizes[column]] = weight

    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.head(self.features(features))

    def decode(self, prediction: Tensor) -> Tensor:
        parts = prediction.float().split(self.sizes, dim=-1)
        return torch.cat([part.softmax(dim=-1) for part in parts], dim=-1)

    def _each(self, prediction: Tensor, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Logits (..., rows, classes), labels (rows,), mask (rows,) of every target."""
        labels = self.labels(batch)
        mask = ~labels.isnan()
        wanted = torch.where(mask, labels, 0.0).long()
        parts = prediction.float().split(self.sizes, dim=-1)
        return [(part, wanted[:, i], mask[:, i]) for i, part in enumerate(parts)]

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        # Half precision counts to 2,048 at most, and its sums overflow.
        total = (prediction * 0.0).float().sum()
        count = torch.zeros((), device=prediction.device)
        weights = self.weight.split(self.sizes)
        members = prediction[..., 0, 0].numel() if prediction.dim() > 2 else 1
        for (logits, label, mask), weight in zip(
            self._each(prediction, batch), weights, strict=True
        ):
            each = _cross_entropy(logits, label) * weight[label]
            total = total + torch.where(mask, each, 0.0).sum() / members
            count = count + mask.sum()
        return Loss(total, count)

    def metrics(self) -> MetricCollection:
        named = {score_name("accuracy", target): Mean() for target in self.targets}
        return MetricCollection({"score": Mean(), **named}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        for (logits, label, mask), target in zip(
            self._each(prediction, batch), self.targets, strict=True
        ):
            right = (logits.argmax(dim=-1) == label).float()
            metrics["score"].update(*masked_sum(_cross_entropy(logits, label), mask))
            metrics[score_name("accuracy", target)].update(*masked_sum(right, mask))

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        out: dict[str, dict[str, list[Any]]] = {}
        for target, part in zip(self.targets, decoded.split(self.sizes, dim=-1), strict=True):
            top = part.max(dim=-1)
            out[target.name] = {
                "prediction": [target.classes[place] for place in top.indices.tolist()],
                "probability": top.values.tolist(),
            } | {
                f"probability_{label}": part[:, place].tolist()
                for place, label in enumerate(target.classes)
            }
        return out


def check_classes(targets: tuple[Target, ...]) -> None:
    """Refuse targets without two classes."""
    for target in targets:
        if len(target.classes) < 2:
            raise GnnmatError(f"Target '{target.name}' has fewer than two classes.")


def count_classes(targets: tuple[Target, ...], labels: Tensor) -> list[Tensor]:
    """(classes,) number of labels of each class, for each target.

    Raises:
        GnnmatError: all labels of a target are of one class.
    """
    counts = []
    for column, target in enumerate(targets):
        known = labels[:, column][~labels[:, column].isnan()].long()
        counts.append(torch.bincount(known, minlength=len(target.classes)).float())
        if int((counts[-1] > 0).sum()) < 2:
            raise GnnmatError(
                f"Target '{target.name}' has one class only in the training rows.",
                fix="Use another split or more data.",
            )
    return counts


def _cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """(..., rows) cross entropy of logits (..., rows, classes) with labels (rows,)."""
    index = label.expand(logits.shape[:-1]).unsqueeze(-1)
    return -F.log_softmax(logits, dim=-1).gather(-1, index).squeeze(-1)
