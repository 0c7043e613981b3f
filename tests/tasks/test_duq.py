"""DUQ against its formulas, written out with numpy and torch's own losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch, Features, Sample, Target, collate
from gnnmat.tasks import Duq
from gnnmat.tasks.duq import DuqTask
from gnnmat.tasks.input_penalty import slope_penalty

from .labelled import METAL, NAN, SYSTEM, WIDTH, features_of, labelled, spec_of

LABELS = [[0.0, 2.0], [1.0, NAN], [1.0, 0.0], [NAN, 1.0]]


def duq(*targets: Target, seed: int = 0, **options: object) -> DuqTask:
    """A task on both targets of `labelled`, with centroids apart from each other."""
    torch.manual_seed(seed)
    config = Duq(**({"embedding": 3, "length_scale": 0.8} | options))
    return config.build(spec_of(*(targets or (METAL, SYSTEM))), WIDTH)


def kernels_by_hand(task: DuqTask, features: Features) -> np.ndarray:
    """(rows, classes) exp(-|W_c f - e_c|^2 / (2 n s^2))."""
    weight, f = task.weight.detach().numpy(), features.pooled.numpy()
    centroid = (task.total / task.size[:, None]).numpy()
    out = np.zeros((len(f), len(weight)))
    for row in range(len(f)):
        for c in range(len(weight)):
            away = weight[c] @ f[row] - centroid[c]
            out[row, c] = np.exp(-np.mean(away**2) / (2 * 0.8**2))
    return out


def test_kernels_follow_the_formula() -> None:
    task, batch = duq(), labelled(LABELS)
    features = features_of(batch)
    with torch.no_grad():
        decoded = task.decode(task(features, batch))
    np.testing.assert_allclose(decoded.numpy(), kernels_by_hand(task, features), rtol=1e-4)


def test_loss_is_the_binary_cross_entropy_of_the_kernels() -> None:
    task, batch = duq(), labelled(LABELS)
    features = features_of(batch)
    loss = task.loss(task(features, batch), batch)
    kernels = torch.from_numpy(kernels_by_hand(task, features)).float()
    expected = torch.zeros(())
    for row, labels in enumerate(LABELS):
        for start, size, label in ((0, 2, labels[0]), (2, 3, labels[1])):
            if not math.isnan(label):
                hot = F.one_hot(torch.tensor(int(label)), size).float()
                part = kernels[row, start : start + size]
                expected += F.binary_cross_entropy(part, hot, reduction="sum")
    torch.testing.assert_close(loss.total, expected, rtol=1e-4, atol=1e-4)
    assert int(loss.count) == 6


def test_far_from_every_centroid_a_row_is_still_pulled_and_still_named() -> None:
    task, batch = duq(METAL), labelled([[1.0]])
    far = Features(torch.zeros(1, WIDTH), torch.full((1, WIDTH), 1000.0, requires_grad=True))
    prediction = task(far, batch)
    task.loss(prediction, batch).mean().backward()
    assert far.pooled.grad is not None
    assert bool((far.pooled.grad != 0).any())
    table = task.table(task.decode(prediction.detach()))["is_metal"]
    assert table["score"][0] == pytest.approx(0, abs=1e-20)
    nearest = int(prediction.argmax())
    assert table["prediction"] == [METAL.classes[nearest]]
    assert table["probability"][0] == pytest.approx(1)


def test_score_is_the_largest_kernel_and_probabilities_are_shares() -> None:
    task = duq(METAL)
    table = task.table(torch.tensor([[0.2, 0.6], [0.01, 0.03]]))["is_metal"]
    assert table["prediction"] == ["yes", "yes"]
    assert table["score"] == pytest.approx([0.6, 0.03])
    assert table["probability"] == pytest.approx([0.75, 0.75])
    assert table["probability_no"] == pytest.approx([0.25, 0.25])


def test_centroids_are_moving_means_of_the_labelled_rows() -> None:
    task, batch = duq(memory=0.9), labelled(LABELS)
    features = features_of(batch)
    weight = task.weight.detach().numpy()
    size, total = task.size.numpy().copy(), task.total.numpy().copy()
    task.after_step(features, batch)
    seen = {c: [] for c in range(5)}
    for row, labels in enumerate(LABELS):
        for start, label in ((0, labels[0]), (2, labels[1])):
            if not math.isnan(label):
                c = start + int(label)
                seen[c].append(weight[c] @ features.pooled[row].numpy())
    for c, rows in seen.items():
        size[c] = 0.9 * size[c] + 0.1 * len(rows)
        total[c] = 0.9 * total[c] + 0.1 * np.sum(rows, axis=0)
    np.testing.assert_allclose(task.size.numpy(), size, rtol=1e-5)
    np.testing.assert_allclose(task.total.numpy(), total, rtol=1e-4, atol=1e-6)
    expected = total / size[:, None]
    np.testing.assert_allclose(task.centroids.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_centroids_come_to_lie_at_the_mean_of_their_class() -> None:
    task, batch = duq(METAL, memory=0.5), labelled([[0.0], [1.0], [1.0]])
    features = features_of(batch)
    for _ in range(60):
        task.after_step(features, batch)
    with torch.no_grad():
        embedded = task.embed(features.pooled)
    torch.testing.assert_close(task.centroids[0], embedded[0, 0])
    torch.testing.assert_close(task.centroids[1], embedded[1:, 1].mean(dim=0))


def test_looking_does_not_move_the_centroids() -> None:
    task, batch = duq(), labelled(LABELS)
    before = task.centroids.clone()
    prediction = task(features_of(batch), batch)
    task.loss(prediction, batch)
    task.update(task.metrics(), prediction, batch)
    assert torch.equal(task.centroids, before)


def test_a_batch_without_labels_leaves_the_centroids_where_they_are() -> None:
    task, batch = duq(), labelled([[NAN, NAN]] * 4)
    before = task.centroids.clone()
    task.after_step(features_of(batch), batch)
    torch.testing.assert_close(task.centroids, before)


def test_scores_do_not_depend_on_the_other_rows() -> None:
    task, batch = duq().eval(), labelled(LABELS)
    features = features_of(batch)
    with torch.no_grad():
        whole = task(features, batch)
        alone = [
            task(Features(features.local[i : i + 1], features.pooled[i : i + 1]), batch)
            for i in range(4)
        ]
    torch.testing.assert_close(torch.cat(alone), whole)


@pytest.mark.parametrize("scale", ["learned", 0.4])
def test_the_length_scale_is_learned_or_given(scale: float | str) -> None:
    task, batch = duq(length_scale=scale), labelled(LABELS)
    task.loss(task(features_of(batch), batch), batch).mean().backward()
    learned = {name for name, _ in task.named_parameters()}
    assert ("log_scale" in learned) == (scale == "learned")
    assert float(task.log_scale.detach().exp()) == pytest.approx(0.3 if scale == "learned" else 0.4)
    assert "log_scale" in task.state_dict()


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_length_scale_that_is_no_length_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Duq(length_scale=scale)


def images(count: int = 3) -> Batch:
    torch.manual_seed(1)
    return collate([Sample(image=torch.rand(1, 2, 3, 4), num_nodes=1) for _ in range(count)])


def test_the_slope_of_a_linear_map_of_images_is_its_norm() -> None:
    batch, slope = images(), torch.randn(2, 3, 4)
    x = batch.image.requires_grad_()
    factor = torch.tensor([0.1, 1.0, 3.0])
    total = (factor * (x * slope).flatten(1).sum(dim=1)).sum()
    square = factor**2 * float(slope.square().sum())  # over all pixels, whatever their number
    torch.testing.assert_close(slope_penalty(total, x, batch), (square - 1) ** 2)
    total = (factor * (x * slope).flatten(1).sum(dim=1)).sum()
    expected = (square - 1).clamp(min=0) ** 2
    torch.testing.assert_close(slope_penalty(total, x, batch, sides=1), expected)


def test_slopes_by_edge_lengths_are_joined_by_crystal() -> None:
    edges = {"edge_index": torch.tensor([[0, 1], [1, 1]]), "edge_length": torch.tensor([2.0, 3.0])}
    one = Sample(z=torch.ones(2, dtype=torch.int64), **edges)
    batch = collate([one, one.clone()])
    x = batch.edge_length.requires_grad_()
    total = (torch.tensor([1.0, 2.0, 0.0, 0.5]) * x).sum()
    expected = torch.tensor([(1 + 4 - 1) ** 2, (0.25 - 1) ** 2])
    torch.testing.assert_close(slope_penalty(total, x, batch), expected)


def test_the_penalty_is_weighed_and_averaged_over_samples() -> None:
    batch = images()
    x = batch.image.requires_grad_()
    task = duq(METAL, penalty=0.25)
    log_kernel = -(1 + x.flatten(1)[:, :2].square())  # one pixel moves each class
    slopes = slope_penalty(log_kernel.exp().sum(), x, batch)
    assert float(slopes.min().detach()) > 0
    torch.testing.assert_close(task.penalty(log_kernel, x, batch), 0.25 * slopes.mean())
    assert task.needs_input_grad
    assert not duq(METAL, penalty=0).needs_input_grad


def test_strangeness_is_the_distance_from_the_nearest_centroid() -> None:
    task, batch = duq(METAL), labelled([[0.0], [1.0]])
    prediction = torch.tensor([[-0.5, -3.0], [-7.0, -2.0]])
    found = task.strangeness(prediction, features_of(batch), batch)
    assert found["duq"].tolist() == [0.5, 2.0]


def test_strangeness_of_atoms_is_averaged_over_the_crystal() -> None:
    level = Target("site", level="atom", classes=("a", "b"))
    task, batch = duq(level), labelled([[0.0]] * 6, level="atom")
    prediction = torch.tensor([[-1.0, -9.0], [-3.0, -9.0], [-5.0, -9.0]] + [[-6.0, -9.0]] * 3)
    found = task.strangeness(prediction, features_of(batch), batch)
    assert found["duq"].tolist() == [2.0, 5.0, 6.0]


def test_labels_of_one_class_are_refused() -> None:
    with pytest.raises(GnnmatError, match="'is_metal' has one class only in the training rows"):
        duq(METAL).prepare(torch.ones(4, 1))


def test_numbers_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Target 'gap' has fewer than two classes"):
        duq(Target("gap", "eV"))
