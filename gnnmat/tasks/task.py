"""What every task offers: features -> prediction, loss, scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, Features, Level, Target


@dataclass(frozen=True)
class Loss:
    """A loss as a sum and the number of labels in it.

    Several processes add both before they divide; a mean of their means would weigh a process
    with few labels too much.

    Args:
        total: scalar, sum over the labels; tied to the graph even if there is no label.
        count: scalar, number of labels.
    """

    total: Tensor
    count: Tensor

    def mean(self) -> Tensor:
        """The mean over the labels; zero without any."""
        return self.total / self.count.clamp(min=1)


class TaskOptions(BaseModel):
    """What every task's config says of itself; the base of all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def classes(self) -> bool | Literal["text"]:
        """Whether targets are class names; 'text' where columns of text are."""
        return False

    @property
    def own_targets(self) -> tuple[Target, ...]:
        """What the task predicts without labels to learn from; the ideal of each is zero."""
        return ()


class Task(nn.Module):
    """Features, batch -> prediction, loss and scores; the base of all tasks.

    Predictions have shape (..., rows, d): rows are samples or atoms by ``level``, and leading
    axes, if any, are members of an ensemble.

    Attributes:
        level: what carries the labels.
        targets: the targets, in the order of their columns.
        needs_input_grad: whether training adds `penalty`, which takes gradients of the
            encoder's inputs.
        columns: where its labels stand among those of the batch; None takes all of them.
        labels_are_truth: whether a label says what is true; unlabelled says nothing, and then
            neither chances nor doubts can be fixed on labels.
    """

    level: Level
    targets: tuple[Target, ...]
    needs_input_grad: bool = False
    columns: tuple[int, ...] | None = None
    labels_are_truth: bool = True

    @property
    def explained(self) -> dict[str, str]:
        """By target, the class to explain unless another is asked for; else the predicted one."""
        return {}

    def features(self, features: Features) -> Tensor:
        """The rows this task looks at: one a sample or one an atom."""
        return features.pooled if self.level == "sample" else features.local

    def labels(self, batch: Batch) -> Tensor:
        """(rows, targets) labels, NaN where there is none."""
        labels: Tensor = batch["y_sample" if self.level == "sample" else "y_atom"]
        return labels if self.columns is None else labels[:, list(self.columns)]

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """(..., rows, d) raw prediction."""
        raise NotImplementedError

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        """The loss over all labels of the batch; leading axes are averaged."""
        raise NotImplementedError

    def penalty(self, prediction: Tensor, inputs: Tensor, batch: Batch) -> Tensor:
        """Scalar that training adds to the mean loss, of a task with ``needs_input_grad``.

        Args:
            prediction: as from `forward`, tied to ``inputs``.
            inputs: ``encoder.inputs(batch)``, which then requires gradients.
            batch: likewise.
        """
        raise NotImplementedError

    def after_step(self, features: Features, batch: Batch) -> None:
        """What is learned otherwise than by gradients, after each training step.

        Args:
            features: of the training step, before the weights moved.
            batch: of the training step.
        """

    def decode(self, prediction: Tensor) -> Tensor:
        """The prediction in the units of the targets, or as probabilities."""
        raise NotImplementedError

    def combine(self, decoded: Tensor) -> Tensor:
        """(rows, d) what several members say together, from their decoded (members, rows, d)."""
        return decoded.mean(dim=0)

    def strangeness(
        self, prediction: Tensor, features: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """By name (samples,) how unlike the training data each sample is, the higher the stranger.

        Only what this task alone can say, such as the distance from the centroids of classes.
        """
        return {}

    def prepare(self, labels: Tensor) -> None:
        """Learn scales and the like from the training labels (rows, targets)."""

    def metrics(self) -> MetricCollection:
        """Scores for the learning curve, filled by `update`; ``score`` is the lower the better."""
        raise NotImplementedError

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        """Add a batch to the scores."""
        raise NotImplementedError

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        """Columns of ``predictions.csv`` by target: ``prediction`` and what else there is."""
        raise NotImplementedError


class Mean(Metric):
    """A mean kept as sum and count, so that batches and processes add up; NaN over nothing."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: Tensor) -> None:
        """Add a sum over ``count`` values."""
        self.total += total.detach().to(self.total)
        self.count += count.detach().to(self.count)

    def compute(self) -> Tensor:
        """The mean."""
        return (self.total / self.count).float()


def score_name(kind: str, target: Target) -> str:
    """The name of a score of one target; torch allows no dots in it."""
    return f"{kind}_{target.name}".replace(".", "_")


def masked_sum(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the values at which the mask is set, and how many there are.

    The mask may lack leading axes of the values: members of an ensemble share their labels.
    """
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0).sum(), mask.sum()


def choose_targets(available: tuple[Target, ...], level: Level | None) -> tuple[Target, ...]:
    """The targets of one level; all of them must be on the same level.

    Raises:
        GnnmatError: no target, or targets on several levels.
    """
    levels = {target.level for target in available}
    if not available:
        raise GnnmatError("No target to learn.", fix="Name one in data.targets or with --target.")
    if level is None and len(levels) > 1:
        raise GnnmatError(
            "The targets mix values a crystal with values an atom.",
            why=", ".join(f"{target.name}: {target.level}" for target in available),
            fix="Train one model for each level.",
        )
    return tuple(target for target in available if level is None or target.level == level)
