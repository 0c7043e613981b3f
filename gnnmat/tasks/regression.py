"""Regression of numbers and curves, a sample or an atom, with missing labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, DataSpec, Features, Target
from gnnmat.target import columns_of, curves
from gnnmat.tasks.head import Head, MlpHead
from gnnmat.tasks.task import Loss, Mean, Task, TaskOptions, choose_targets, masked_sum, score_name

LEAST_SPREAD = 0.1  # of a point of a curve, in the deviation of the whole curve


class Regression(TaskOptions):
    """Real-valued targets, standardised inside the model."""

    kind: Literal["regression"] = "regression"
    loss: Literal["mse", "mae", "huber"] = Field(
        "mse", description="Loss on standardised targets: 'mse', 'mae' or 'huber'."
    )
    scale: Literal["standard", "log", "none"] = Field(
        "standard",
        description="'standard' subtracts the training labels' mean and divides by their "
        "deviation; 'log' does so with their logarithm, for positive targets such as moduli; "
        "or 'none'.",
    )
    points: Literal["together", "each"] = Field(
        "together",
        description="Curves: 'together' scales all points alike, so that errors weigh alike in "
        "their unit; 'each' gives every point its own mean and deviation.",
    )
    positive: bool = Field(
        False,
        description="Predictions are never below zero (a softplus at the end), for densities of "
        "states and other targets without negative values.",
    )
    censored: bool = Field(
        False,
        description="Labels of zero mean zero or less, as band gaps of metals do: there a negative "
        "prediction costs nothing, and it is given as zero (Tobin, Econometrica 26, 24 (1958)).",
    )
    head: Head = Field(Head(), description="The last layers.")

    @classmethod
    def example(cls) -> Regression:
        """A small instance for contract tests."""
        return cls(head=Head(hidden=(8,)))

    def build(self, spec: DataSpec, width: int) -> RegressionTask:
        """The task for these data and features of this width."""
        return RegressionTask(self, spec, width)


class RegressionTask(Task):
    """Prediction (..., rows, d): d standardised numbers; `decode` gives them their units.

    A curve takes as many of the d columns as it has points.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, config: Regression, spec: DataSpec, width: int) -> None:
        super().__init__()
        self.targets = choose_targets(spec.targets.targets, None)
        if any(target.classes for target in self.targets):
            raise GnnmatError("Regression was given class names.", fix="task.kind=classification")
        if config.positive and config.scale == "log":
            raise GnnmatError(
                "task.positive and task.scale=log exclude each other.",
                why="An exponential is positive already.",
                fix="Drop one of the two; 'positive' allows zero, 'log' does not.",
            )
        if config.censored and (config.positive or config.scale == "log"):
            raise GnnmatError(
                "task.censored goes with neither task.positive nor task.scale=log.",
                why="They keep predictions above zero in another way.",
                fix="Drop one of them.",
            )
        self.level = self.targets[0].level
        self.config = config
        self.places = columns_of(self.targets)
        outputs = sum(target.size for target in self.targets)
        self.head: MlpHead = config.head.build(width, outputs)
        self.register_buffer("shift", torch.zeros(outputs))
        self.register_buffer("factor", torch.ones(outputs))

    def prepare(self, labels: Tensor) -> None:
        """Mean and deviation of the training labels; a constant target is refused."""
        for target, place in zip(self.targets, self.places, strict=True):
            own = labels[:, place]
            values = own[~own.isnan()].double()
            if (self.config.positive or self.config.censored) and bool((values < 0).any()):
                raise self._not_positive(target, values, "Predictions would never be negative.")
            known = self._logarithm(values, target) if self.config.scale == "log" else values
            shift, factor = mean_and_spread(target, known, values)
            if self.config.scale == "none":
                continue
            self.shift[place], self.factor[place] = shift, factor
            if target.is_curve and self.config.points == "each":
                self._prepare_points(own, place, factor)

    def _prepare_points(self, own: Tensor, place: slice, common: float) -> None:
        """Mean and deviation of every point; one that never changes keeps the common deviation."""
        for column, values in enumerate(own.T, start=place.start):
            known = values[~values.isnan()].double()
            known = known.log() if self.config.scale == "log" else known
            if len(known):
                self.shift[column] = known.mean()
                # A point that is hardly ever there would be learned at the cost of all others.
                spread = float(known.std(unbiased=False))
                self.factor[column] = spread if spread > LEAST_SPREAD * common else common

    def _logarithm(self, known: Tensor, target: Target) -> Tensor:
        if bool((known <= 0).any()):
            raise self._not_positive(target, known, "Only positive values have a logarithm.")
        return known.log()

    def _not_positive(self, target: Target, values: Tensor, why: str) -> GnnmatError:
        fix = "task.censored=false" if self.config.censored else "task.positive=false"
        fix = "task.scale=standard" if self.config.scale == "log" else fix
        what = f"Target '{target.name}' is {float(values.min()):g} in a training row."
        return GnnmatError(what, why=why, fix=fix)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.head(self.features(features))

    def _standardised(self, prediction: Tensor) -> Tensor:
        """The prediction in units of `factor` from `shift`; at -shift / factor it is zero."""
        prediction = prediction.to(self.factor.dtype)
        if not self.config.positive:
            return prediction
        # Begins near the mean: softplus(x) is x where x is large.
        start = self.shift / self.factor
        return F.softplus(prediction + start) - start

    def _told(self, prediction: Tensor) -> Tensor:
        """`_standardised` as it is told, no less than zero where labels are censored."""
        found = self._standardised(prediction)
        zero = self.encode(torch.zeros_like(self.shift))
        return torch.maximum(found, zero) if self.config.censored else found

    def latent(self, prediction: Tensor) -> Tensor:
        """`decode` without what keeps it from falling below zero: linear in the prediction."""
        return prediction.to(self.factor.dtype) * self.factor + self.shift

    @property
    def has_latent(self) -> bool:
        """Whether `latent` is another number than the one that is told."""
        return self.config.positive or self.config.censored

    def decode(self, prediction: Tensor) -> Tensor:
        unscaled = self._standardised(prediction) * self.factor + self.shift
        if self.config.positive or self.config.censored:
            return unscaled.clamp(min=0)  # where positive: rounding
        return unscaled.exp() if self.config.scale == "log" else unscaled

    def encode(self, labels: Tensor) -> Tensor:
        """(rows, d) labels as the network should predict them, NaN where there is none."""
        if self.config.scale == "log":
            # A value without a logarithm, met in validation, counts as 1e-12.
            labels = labels.clamp(min=1e-12).log()
        return (labels - self.shift) / self.factor

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        wanted = self.encode(self.labels(batch))
        mask = ~wanted.isnan()
        wanted = torch.where(mask, wanted, 0.0)
        prediction = self._standardised(prediction).to(wanted.dtype)
        if self.config.censored:
            # A negative prediction of a zero is right.
            zero = self.encode(torch.zeros_like(self.shift))
            prediction = torch.where(wanted <= zero, prediction.clamp(min=zero), prediction)
        wanted, mask = wanted.expand_as(prediction), mask.expand_as(prediction)
        each = _LOSSES[self.config.loss](prediction, wanted, reduction="none")
        members = prediction[..., 0, 0].numel() if prediction.dim() > 2 else 1
        return Loss(torch.where(mask, each, 0.0).sum() / members, mask.sum() / members)

    def metrics(self) -> MetricCollection:
        named = {score_name("mae", target): Mean() for target in self.targets}
        return MetricCollection({"score": Mean(), **named}, compute_groups=False)

    def update(self, metrics: MetricCollection, prediction: Tensor, batch: Batch) -> None:
        labels = self.labels(batch)
        mask = ~labels.isnan()
        scaled = (self._told(prediction) - self.encode(labels)).abs()
        metrics["score"].update(*masked_sum(scaled, mask))
        error = (self.decode(prediction) - labels).abs()
        for place, target in zip(self.places, self.targets, strict=True):
            metrics[score_name("mae", target)].update(
                *masked_sum(error[..., place], mask[..., place])
            )

    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        return {
            target.name: {
                "prediction": curves(decoded[:, place].numpy())
                if target.is_curve
                else decoded[:, place.start].tolist()
            }
            for place, target in zip(self.places, self.targets, strict=True)
        }


def mean_and_spread(
    target: Target, known: Tensor, values: Tensor | None = None
) -> tuple[float, float]:
    """Mean and deviation of the labels of one target.

    Args:
        target: for the words.
        known: (n,) labels as they are learned, without NaN, float64.
        values: the same as they were given, for the words.

    Raises:
        GnnmatError: there is no label, or all are alike.
    """
    if not len(known):
        raise GnnmatError(f"Target '{target.name}' has no label in the training rows.")
    spread = float(known.std(unbiased=False))
    if len(known) > 1 and spread <= 1e-9 * float(known.abs().max()):
        shown = float((known if values is None else values)[0])
        raise GnnmatError(
            f"Target '{target.name}' is {shown:g} in every training row.",
            why="There is nothing to learn from a constant.",
        )
    return float(known.mean()), spread if len(known) > 1 else 1.0


_LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}
