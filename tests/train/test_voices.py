"""What members say: the same as one by one, with dropout only where it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gnnmat.data.dataset import SampleDataset, open_dataset
from gnnmat.data.loading import EpochBatches, loader
from gnnmat.errors import GnnmatError
from gnnmat.inputs.image import Image
from gnnmat.sample import DataSpec, Target, TargetSpec
from gnnmat.tasks.head import Head
from gnnmat.train.checkpoint import Trained, build
from gnnmat.train.committee import Committee, class_probabilities, disagreements
from gnnmat.train.predictor import predict_rows
from gnnmat.train.uncertainty import mutual_information
from gnnmat.train.voices import WIDEST, _narrowed, joined, observe

from ..workflows.pictures import SIZE, picture_config, picture_records
from .tiny import graph_cache  # noqa: F401

SIDE = TargetSpec((Target("side", classes=("left", "right")),))
ROWS = np.arange(20)


@pytest.fixture(scope="module")
def dataset() -> SampleDataset:
    return open_dataset(picture_records(20), Image(), ["side"], classes=True, quiet=True)


def member(seed: int, *, dropout: float = 0.0, targets: TargetSpec = SIDE) -> Trained:
    torch.manual_seed(seed)
    config = picture_config()
    task = config.task.model_copy(update={"head": Head(hidden=(16,), dropout=dropout)})
    config = config.model_copy(update={"task": task})
    spec = DataSpec(("image",), targets, channels=1, image_shape=(SIZE, SIZE))
    return Trained(config, spec, *(one.eval() for one in build(config, spec)))


def batches(dataset: SampleDataset, size: int = 8) -> object:
    return loader(dataset, EpochBatches(ROWS, size, shuffle=False))


def test_members_say_together_what_they_say_alone(dataset: SampleDataset) -> None:
    members = [member(0), member(1)]
    found = observe(members, batches(dataset))  # type: ignore[arg-type]
    for one, decoded in zip(members, found.decoded, strict=True):
        alone = predict_rows(one.encoder, one.task, dataset, ROWS)
        torch.testing.assert_close(decoded, alone)
    assert [len(rows) for rows in found.pooled] == [20, 20]


def test_dropout_is_drawn_by_its_seed_and_leaves_all_else_in_evaluation(
    dataset: SampleDataset,
) -> None:
    one = member(0, dropout=0.5)
    first = observe([one], batches(dataset), samples=3, seed=1)  # type: ignore[arg-type]
    again = observe([one], batches(dataset), samples=3, seed=1)  # type: ignore[arg-type]
    other = observe([one], batches(dataset), samples=3, seed=2)  # type: ignore[arg-type]
    assert torch.equal(first.decoded, again.decoded)
    assert not torch.equal(first.decoded, other.decoded)
    assert not torch.equal(first.decoded[0], first.decoded[1])
    assert not any(part.training for part in [*one.encoder.modules(), *one.task.modules()])
    norms = [part for part in one.encoder.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert all(int(norm.num_batches_tracked) == 0 for norm in norms)


def test_dropout_leaves_the_generator_of_the_user_alone(dataset: SampleDataset) -> None:
    one = member(0, dropout=0.5)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    observe([one], batches(dataset), samples=2)  # type: ignore[arg-type]
    assert torch.equal(torch.rand(1), expected)


def test_run_without_dropout_says_so(dataset: SampleDataset) -> None:
    with pytest.raises(GnnmatError, match="has no dropout") as caught:
        observe([member(0)], batches(dataset), samples=5)  # type: ignore[arg-type]
    assert "task.head.dropout" in caught.value.fix


def test_observations_are_joined_row_by_row(dataset: SampleDataset) -> None:
    members = [member(0), member(1)]
    found = observe(members, batches(dataset))  # type: ignore[arg-type]
    twice = joined([found, found])
    assert twice.decoded.shape == (2, 40, 2)
    assert torch.equal(twice.pooled[1][20:], found.pooled[1])
    assert twice.statistics is not None
    assert len(twice.statistics) == 40


def test_wide_features_are_averaged_in_groups() -> None:
    wide = torch.arange(4.0 * WIDEST).view(1, -1)
    assert _narrowed(wide).shape == (1, WIDEST)
    assert float(_narrowed(wide)[0, 0]) == 1.5  # mean of 0, 1, 2, 3
    assert torch.equal(_narrowed(wide[:, :5]), wide[:, :5])


def test_disagreement_is_the_deviation_of_the_predicted_class() -> None:
    task = member(0).task
    decoded = torch.tensor([[[0.9, 0.1]], [[0.5, 0.5]], [[0.7, 0.3]]])
    found = disagreements(task, decoded)
    assert found["disagreement"][0] == pytest.approx(np.std([0.9, 0.5, 0.7]), rel=1e-5)
    expected = mutual_information(decoded.numpy())
    assert found["mutual_information"][0] == pytest.approx(expected[0], rel=1e-5)


def test_scores_that_are_no_probabilities_become_shares() -> None:
    table = {"probability_a": [0.2, 0.0], "probability_b": [0.6, 0.0]}
    shares = class_probabilities([table], ("a", "b"))
    assert shares[0] == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))


def test_members_that_answer_different_questions_are_refused() -> None:
    other = TargetSpec((Target("colour", classes=("red", "blue")),))
    with pytest.raises(GnnmatError, match="Member 1 of the ensemble has other targets"):
        Committee([member(0), member(1, targets=other)])
    with pytest.raises(GnnmatError, match="at least one member"):
        Committee([])
