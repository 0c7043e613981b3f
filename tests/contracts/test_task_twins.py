"""Each check of tasks fails for a task that is broken in just that way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from gnnmat.inputs import CrystalGraph, Image
from gnnmat.models import Cgcnn, Cnn
from gnnmat.sample import Batch, DataSpec, Features
from gnnmat.tasks import Loss, Reconstruction, Regression
from gnnmat.tasks.reconstruction import ReconstructionTask
from gnnmat.tasks.regression import RegressionTask
from gnnmat.tasks.task import Mean

from . import task_checks as checks
from .cases import EncoderCase, TaskCase


class Twin(RegressionTask):
    """A sound regression, which the twins break, one thing each."""

    def __init__(self, spec: DataSpec, width: int) -> None:
        super().__init__(Regression.example(), spec, width)


class LooksAtSamplesAlways(Twin):
    def features(self, features: Features) -> Tensor:
        return features.pooled


class CountsRows(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        return Loss(super().loss(prediction, batch).total, torch.tensor(float(len(prediction))))


class MultipliesByTheMask(Twin):
    """0 * NaN is NaN."""

    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        labels = self.labels(batch)
        mask = ~labels.isnan()
        error = (prediction - (labels - self.shift) / self.factor) ** 2 * mask
        return Loss(error.sum(), mask.sum())


class TakesMissingForZero(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        labels = self.labels(batch)
        error = (prediction - (labels.nan_to_num(0.0) - self.shift) / self.factor) ** 2
        return Loss(error.sum(), (~labels.isnan()).sum())


class MeansOverNothing(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        mask = ~self.labels(batch).isnan()
        return Loss(prediction[mask].mean() * mask.sum(), mask.sum())


class LosesTheGraph(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        loss = super().loss(prediction, batch)
        return loss if loss.count > 0 else Loss(torch.zeros(()), loss.count)


class SumsOverMembers(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        loss = super().loss(prediction, batch)
        return Loss(loss.total * (len(prediction) if prediction.dim() > 2 else 1), loss.count)


class HasUnusedLayer(Twin):
    def __init__(self, spec: DataSpec, width: int) -> None:
        super().__init__(spec, width)
        self.forgotten = nn.Linear(3, 3)


class CutsTheGradient(Twin):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.head(self.features(features).detach())


class _LastBatch(Mean):
    def update(self, total: Tensor, count: Tensor) -> None:
        self.total, self.count = total.double(), count.double()


class _Batches(Mean):
    def update(self, total: Tensor, count: Tensor) -> None:
        super().update(total / count, torch.ones(()))


class ScoresTheLastBatch(Twin):
    def metrics(self) -> MetricCollection:
        names = ("score", "mae_first", "mae_second")
        return MetricCollection({name: _LastBatch() for name in names}, compute_groups=False)


class ScoresBatchesAlike(Twin):
    def metrics(self) -> MetricCollection:
        names = ("score", "mae_first", "mae_second")
        return MetricCollection({name: _Batches() for name in names}, compute_groups=False)


class KeepsItsScaleToItself(Twin):
    def prepare(self, labels: Tensor) -> None:
        super().prepare(labels)
        self.scale = float(self.factor[0])
        nn.init.ones_(self.factor)

    def decode(self, prediction: Tensor) -> Tensor:
        return super().decode(prediction) * self.scale


class ForgetsTheSecondTarget(Twin):
    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        return {"first": super().table(decoded)["first"]}


class TellsTheFirstRowOnly(Twin):
    def table(self, decoded: Tensor) -> dict[str, dict[str, list[Any]]]:
        return super().table(decoded[:1])


class FillsInTheLabels(Twin):
    def loss(self, prediction: Tensor, batch: Batch) -> Loss:
        loss = super().loss(prediction, batch)
        self.labels(batch).nan_to_num_(0.0)
        return loss


class ScalesTheFeatures(Twin):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        with torch.no_grad():
            self.features(features).mul_(0.5)
        return super().forward(features, batch)


TWINS: list[tuple[Callable[[TaskCase], None], type[Twin], str]] = [
    (checks.check_prediction_has_a_row_for_each_label, LooksAtSamplesAlways, "for 8 rows"),
    (checks.check_prediction_has_a_row_for_each_label, CountsRows, "count is the number"),
    (checks.check_missing_labels_change_nothing, MultipliesByTheMask, "loss nan"),
    (checks.check_missing_labels_change_nothing, TakesMissingForZero, "is not"),
    (checks.check_missing_labels_change_nothing, CountsRows, "one label counts 8"),
    (checks.check_without_labels_the_loss_is_zero, MeansOverNothing, "not zero"),
    (checks.check_without_labels_the_loss_is_zero, LosesTheGraph, "not tied to the graph"),
    (checks.check_loss_of_members_is_their_mean, SumsOverMembers, "mean over members"),
    (checks.check_gradients_reach_every_parameter_of_the_task, HasUnusedLayer, "forgotten"),
    (checks.check_gradients_reach_every_parameter_of_the_task, CutsTheGradient, "the features"),
    (checks.check_scores_add_up_over_batches, ScoresTheLastBatch, "no mean over labels"),
    (checks.check_scores_add_up_over_batches, ScoresBatchesAlike, "no mean over labels"),
    (checks.check_state_restores_the_task, KeepsItsScaleToItself, "decoded predictions differ"),
    (checks.check_table_has_every_target, ForgetsTheSecondTarget, "is not"),
    (checks.check_table_has_every_target, TellsTheFirstRowOnly, "1 rows"),
    (checks.check_batch_is_not_changed_by_the_task, FillsInTheLabels, "y_atom"),
    (checks.check_batch_is_not_changed_by_the_task, ScalesTheFeatures, "features were changed"),
]


def case_of(twin: type[Twin]) -> TaskCase:
    return TaskCase(twin, classes=False, level="atom")


def name_of(value: Any) -> str:
    return value.__name__ if callable(value) else ""


@pytest.mark.parametrize(("check", "twin", "words"), TWINS, ids=name_of)
def test_check_fails_for(check: Callable[[TaskCase], None], twin: type[Twin], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check(case_of(twin))


@pytest.mark.parametrize("check", checks.TASK_CHECKS, ids=name_of)
def test_check_passes_for_the_sound_one(check: Callable[[TaskCase], None]) -> None:
    check(case_of(Twin))


def test_learning_fails_for_a_task_that_cuts_the_gradient() -> None:
    encoder = EncoderCase(Cgcnn.example().build, CrystalGraph.example())
    with pytest.raises(AssertionError, match="the encoder does not learn"):
        checks.check_learns_with(case_of(CutsTheGradient), encoder)


class Forgetful(Reconstruction):
    """Its decoder never hears of the encoder."""

    def build(self, spec: DataSpec, width: int) -> ReconstructionTask:
        class Deaf(ReconstructionTask):
            def forward(self, features: Features, batch: Batch) -> Tensor:
                deaf = Features(features.local, features.pooled.detach())
                return super().forward(deaf, batch)

        return Deaf(self, spec, width)


def test_learning_without_labels_fails_for_a_task_that_cuts_the_gradient() -> None:
    encoder = EncoderCase(Cnn.example().build, Image.example())
    with pytest.raises(AssertionError, match="not everything learns"):
        checks.check_learns_without_labels(Forgetful, encoder)


def test_every_check_is_walked_and_has_a_twin() -> None:
    written = {f for name, f in vars(checks).items() if name.startswith("check_")}
    trainings = {checks.check_learns_with, checks.check_learns_without_labels}
    assert {*checks.TASK_CHECKS} | trainings == written
    assert {check for check, _, _ in TWINS} | trainings == written
