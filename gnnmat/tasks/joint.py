"""Several tasks on one encoder: classes and numbers of the same samples, learned together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torchmetrics import MetricCollection

from gnnmat.sample import Batch, DataSpec, Features, Target, TargetSpec
from gnnmat.target import columns_of
from gnnmat.tasks.classification import Classification
from gnnmat.tasks.duq import Duq
from gnnmat.tasks.gaussian import Gaussian
from gnnmat.tasks.head import Head
from gnnmat.tasks.regression import Regression
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets


class Joint(TaskOptions):
    """Class names and numbers at once: what one teaches the encoder helps the other.

    Columns of text go to ``classes``, columns of numbers to ``numbers``.
    """

    kind: Literal["joint"] = "joint"
    of_classes: Annotated[Classification | Duq, Field(discriminator="kind")] = Field(
        Duq(), description="The task of columns that hold class names."
    )
    of_numbers: Annotated[Gaussian | Regression, Field(discriminator="kind")] = Field(
        Gaussian(), description="The task of columns that hold numbers."
    )
    weight: float = Field(0.5, ge=0, description="Of the loss on numbers; that on classes has 1.")

    @property
    def classes(self) -> bool | Literal["text"]:
        """Columns of text are class names."""
        return "text"

    @classmethod
    def example(cls) -> Joint:
        """A small instance for contract tests."""
        return cls(
            of_classes=Classification(head=Head(hidden=(8,))),
            of_numbers=Gaussian(head=Head(hidden=(8,))),
        )

    def build(self, spec: DataSpec, width: int) -> JointTask:
        """The task for these data and features of this width."""
        return JointTask(self, spec, width)


class JointTask(Task):
    """Prediction (..., rows, d): that of the task on classes, then that of the task on numbers."""

    def __init__(self, config: Joint, spec: DataSpec, width: int) -> None:
        super().__init__()
        targets = choose_targets(spec.targets.targets, None)
        self.level = targets[0].level
        self.config = config
        chosen = [
            (one, [i for i, target in enumerate(targets) if bool(target.classes) == classes])
            for one, classes in ((config.of_classes, True), (config.of_numbers, False))
        ]
        places = columns_of(targets)
        parts: list[Task] = []
        for one, columns in chosen:
            if columns:
                own = tuple(targets[i] for i in columns)
                part = one.build(_with_targets(spec, own), width)
                part.columns = tuple(
                    column for i in columns for column in range(places[i].start, places[i].stop)
                )
                parts.append(part)
        self.parts = nn.ModuleList(parts)
        self.targets = tuple(target for part in self.tasks for target in part.targets)
        self.needs_input_grad = any(part.needs_input_grad for part in self.tasks)
        self.widths = [_outputs(part, width) for part in self.tasks]

    @property
    def tasks(self) -> list[Task]:
        """The tasks, in the order of their outputs."""
        return [part for part in self.parts if isinstance(part, Task)]

    @property
    def _weights(self) -> list[float]:
        return [1.0 if part.targets[0].classes else self.config.weight for part in self.tasks]

    def _split(self, prediction: Tensor) -> list[tuple[Task, Tensor]]:
        return list(zip(self.tasks, prediction.split(self.widths, dim=-1), strict=True))

    def of_classes(self, prediction: Tensor) -> tuple[Task, Tensor]:
        """The first task, which is that on classes if there is one, and its prediction."""
        return self._split(prediction)[0]

    def prepare(self, labels: Tensor) -> None:
        """Let every task learn from its own columns."""
        for part in self.tasks:
            assert part.columns is not None
            part.prepare(labels[:, list(part.columns)])

    def forward(self, features: Features, batch: Batch) -> Tensor:
        return torch.cat([part(features, batch) for part in self.tasks], dim=-1)

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        """The sum of the mean losses of the tasks, weighted, for every label."""
        losses = [part.loss(own, batch) for part, own in self._split(prediction)]
        mean = sum(w * one.mean() for w, one in zip(self._weights, losses, strict=True))
        count = torch.stack([one.count for one in losses]).sum()
        return Loss(mean * count, count)

    def penalty(self, prediction: Tensor, inputs: Tensor, batch: Batch) -> Tensor:
        """Sum of the penalties of those tasks that have one."""
        own = [
            part.penalty(one, inputs, batch)
            for part, one in self._split(prediction)
            if part.needs_input_grad
        ]
        return torch.stack(own).sum()

    def after_step(self, features: Features, batch: Batch) -> None:
        """What the tasks learn otherwise than by gradients."""
        for part in self.tasks:
            part.after_step(features, batch)

    def decode(self, prediction: Tensor) -> Tensor:
        return torch.cat([part.decode(own) for part, own in self._split(prediction)], dim=-1)

    def combine(self, decoded: Tensor) -> Tensor:
        """What several members say together, task by task."""
        return torch.cat([part.combine(own) for part, own in self._split(decoded)], dim=-1)

    def strangeness(
        self, prediction: Tensor, features: Features, batch: Batch
    ) -> dict[str, Tensor]:
        """What each task can say."""
        found: dict[str, Tensor] = {}
        for part, own in self._split(prediction):
            found |= part.strangeness(own, features, batch)
        return found

    def metrics(self) -> MetricCollection:
        named = {
            name: metric
            for part in self.tasks
            for name, metric in part.metrics().items()
            if name != "score"
        }
        return MetricCollection({"score": Mean(), **named}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        loss = self.loss(prediction, batch)
        metrics["score"].update(loss.total, loss.count)
        for part, own in self._split(prediction):
            names = [name for name in part.metrics() if name != "score"]
            inner = MetricCollection(
                {"score": Mean(), **{str(name): metrics[str(name)] for name in names}},
                compute_groups=False,
            )
            part.update(inner, own, batch)

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        out: dict[str, dict[str, list[Any]]] = {}
        for part, own in self._split(decoded):
            out |= part.table(own)
        return out


def _with_targets(spec: DataSpec, targets: tuple[Target, ...]) -> DataSpec:
    from dataclasses import replace

    return replace(spec, targets=TargetSpec(targets))


def _outputs(task: Task, width: int) -> int:
    """Numbers a row that a task predicts, before and after decoding."""
    with torch.no_grad():
        row = torch.zeros(1, width)
        return int(task(Features(row, row), Batch()).shape[-1])
