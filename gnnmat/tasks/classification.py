"""Binary and multi-class classification of one or several targets, with missing labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from gnnmat.errors import GnnmatError, closest
from gnnmat.sample import Batch, DataSpec, Features, Target
from gnnmat.tasks.head import Head, MlpHead
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets, masked_sum, score_name


class Classification(TaskOptions):
    """Class-valued targets; the classes are those found in the data."""

    kind: Literal["classification"] = "classification"
    weights: Literal["none", "balanced"] | dict[str, float] = Field(
        "none",
        description="What a mistake costs: 'none': alike for every row; 'balanced': alike for "
        "every class, however rare it is; or by class: {metal: 1, insulator: 3}, others 1. "
        "Probabilities then follow the weights, not how often a class occurs.",
    )
    head: Head = Field(Head(), description="The last layers.")

    @field_validator("weights")
    @classmethod
    def _are_positive(cls, value: Any) -> Any:
        for name, weight in value.items() if isinstance(value, dict) else ():
            if not 0 < weight < float("inf"):
                raise ValueError(f"the weight of class '{name}' is {weight:g}, expected above 0")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_balance(cls, plain: Any) -> Any:
        """What was ``balance: true`` is ``weights: balanced``."""
        if isinstance(plain, dict) and "balance" in plain:
            rest = {name: value for name, value in plain.items() if name != "balance"}
            return {"weights": "balanced" if plain["balance"] else "none", **rest}
        return plain

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
        _check_weights(config.weights, self.targets)
        self.level = self.targets[0].level
        self.config = config
        self.sizes = [len(target.classes) for target in self.targets]
        self.head: MlpHead = config.head.build(width, sum(self.sizes))
        self.register_buffer("weight", torch.ones(sum(self.sizes)))

    def prepare(self, labels: Tensor) -> None:
        """Weights of the classes, if they are to count alike."""
        counts = count_classes(self.targets, labels)
        for target, count, own in zip(
            self.targets, counts, self.weight.split(self.sizes), strict=True
        ):
            if self.config.weights == "balanced":
                own.copy_(count.sum() / (count.clamp(min=1) * (count > 0).sum()))
            elif self.config.weights != "none":
                given = torch.tensor(
                    [self.config.weights.get(name, 1.0) for name in target.classes]
                )
                # A mean of one over the training rows: the learning rate keeps its meaning.
                own.copy_(given * count.sum() / (given * count).sum())

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


def _check_weights(weights: str | dict[str, float], targets: tuple[Target, ...]) -> None:
    """Refuse the weight of a class that no target has."""
    names = [name for target in targets for name in target.classes]
    for name in weights if isinstance(weights, dict) else ():
        if name not in names:
            fix = closest(name, names)
            own = [one for one in targets if any(f"'{label}'" in fix for label in one.classes)]
            lists = [f"'{one.name}': {', '.join(one.classes)}" for one in own or targets]
            raise GnnmatError(
                f"task.weights names the class '{name}', which no target has.",
                why=f"Classes of {'; of '.join(lists)}.",
                fix=fix,
            )


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
                why=f"All {len(known):,} labelled rows are '{target.classes[int(known[0])]}'."
                if len(known)
                else "None of them has a label.",
                fix="Use another split (split.seed, split.stratified) or more data.",
            )
    return counts


def _cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """(..., rows) cross entropy of logits (..., rows, classes) with labels (rows,)."""
    index = label.expand(logits.shape[:-1]).unsqueeze(-1)
    return -F.log_softmax(logits, dim=-1).gather(-1, index).squeeze(-1)
