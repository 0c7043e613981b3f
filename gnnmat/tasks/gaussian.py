"""Regression with an error bar for every value, learned from the data, with missing labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torchmetrics import MetricCollection

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features
from gnnmat.tasks.head import Head, MlpHead
from gnnmat.tasks.regression import mean_and_spread
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets, masked_sum, score_name

LOWEST = -12.0  # log variance: errors below 0.25% of the labels' deviation are not claimed


class Gaussian(TaskOptions):
    """Real-valued targets as normal distributions: a mean and a standard deviation each."""

    kind: Literal["gaussian"] = "gaussian"
    beta: float = Field(
        0.5,
        ge=0,
        le=1,
        description="0: the likelihood, which neglects what is hard to predict; 1: means are "
        "learned as by squared errors; between: both.",
    )
    head: Head = Field(Head(), description="The last layers.")

    @classmethod
    def example(cls) -> Gaussian:
        """A small instance for contract tests."""
        return cls(head=Head(hidden=(8,)))

    def build(self, spec: DataSpec, width: int) -> GaussianTask:
        """The task for these data and features of this width."""
        return GaussianTask(self, spec, width)


class GaussianTask(Task):
    """Prediction (..., rows, 2 d): d standardised means, then d raw log variances.

    Source: the loss is beta-NLL, Seitzer et al., ICLR 2022, arXiv 2203.09168.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, config: Gaussian, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.targets = choose_targets(spec.targets.targets, None)
        if any(target.classes for target in self.targets):
            raise GnnmatError("Regression was given class names.", fix="task.kind=classification")
        if any(target.is_curve for target in self.targets):
            raise GnnmatError(
                "The task 'gaussian' learns single numbers, not curves.", fix="task.kind=regression"
            )
        self.level = self.targets[0].level
        self.config = config
        self.head: MlpHead = config.head.build(width, 2 * len(self.targets))
        self.register_buffer("shift", torch.zeros(len(self.targets)))
        self.register_buffer("factor", torch.ones(len(self.targets)))

    def prepare(self, labels: Tensor) -> None:
        """Mean and deviation of the training labels; a constant target is refused."""
        for column, target in enumerate(self.targets):
            known = labels[:, column][~labels[:, column].isnan()].double()
            self.shift[column], self.factor[column] = mean_and_spread(target, known)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.head(self.features(features))

    def _parts(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised means and log variances, (..., rows, d) each."""
        mean, raw = prediction.to(self.factor.dtype).chunk(2, dim=-1)
        return mean, LOWEST + torch.nn.functional.softplus(raw - LOWEST)

    def decode(self, prediction: Tensor) -> Tensor:
        """Means, then standard deviations, in the units of the targets."""
        mean, log_variance = self._parts(prediction)
        deviation = (0.5 * log_variance).exp() * self.factor
        return torch.cat([mean * self.factor + self.shift, deviation], dim=-1)

    def combine(self, decoded: Tensor) -> Tensor:
        """Mean and deviation of the mixture of all members.

        Source: Lakshminarayanan et al., NeurIPS 2017, arXiv 1612.01474.
        """
        mean, deviation = decoded.chunk(2, dim=-1)
        variance = deviation.square().mean(dim=0) + mean.var(dim=0, correction=0)
        return torch.cat([mean.mean(dim=0), variance.sqrt()], dim=-1)

    def _surprise(self, prediction: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Negative log likelihood without its constant, log variance, mask, (..., rows, d)."""
        wanted = (self.labels(batch) - self.shift) / self.factor
        mask = ~wanted.isnan()
        mean, log_variance = self._parts(prediction)
        error = mean - torch.where(mask, wanted, 0.0)
        surprise = 0.5 * (log_variance + error.square() * (-log_variance).exp())
        return surprise, log_variance, mask.expand_as(surprise)

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        surprise, log_variance, mask = self._surprise(prediction, batch)
        each = surprise * (self.config.beta * log_variance.detach()).exp()
        members = prediction[..., 0, 0].numel() if prediction.dim() > 2 else 1
        return Loss(torch.where(mask, each, 0.0).sum() / members, mask.sum() / members)

    def metrics(self) -> MetricCollection:
        named = {score_name("mae", target): Mean() for target in self.targets}
        return MetricCollection({"score": Mean(), **named}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        surprise, _, mask = self._surprise(prediction, batch)
        metrics["score"].update(*masked_sum(surprise, mask))
        error = (self.decode(prediction).chunk(2, dim=-1)[0] - self.labels(batch)).abs()
        for column, target in enumerate(self.targets):
            metrics[score_name("mae", target)].update(
                *masked_sum(error[..., column], mask[..., column])
            )

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        """``error`` is one standard deviation."""
        mean, deviation = decoded.chunk(2, dim=-1)
        return {
            target.name: {
                "prediction": mean[:, column].tolist(),
                "error": deviation[:, column].tolist(),
            }
            for column, target in enumerate(self.targets)
        }
