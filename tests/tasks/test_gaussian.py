"""Values with error bars: loss against torch's own, mixtures against samples."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.sample import Features, Target
from gnnmat.tasks import Gaussian
from gnnmat.tasks.gaussian import GaussianTask
from gnnmat.tasks.head import Head

from .labelled import METAL, NAN, WIDTH, features_of, labelled, spec_of

LABELS = [[1.0, 30.0], [2.0, NAN], [5.0, 10.0], [NAN, NAN]]


def gaussian(**options: float) -> GaussianTask:
    torch.manual_seed(0)
    config = Gaussian(head=Head(hidden=(8,)), **options)
    task = config.build(spec_of(Target("J", "meV"), Target("D", "meV")), WIDTH)
    task.prepare(torch.tensor([[0.0, 10.0], [4.0, 30.0], [NAN, NAN]]))
    return task


def test_mean_and_deviation_come_back_in_their_units() -> None:
    task = gaussian()
    assert task.shift.tolist() == [2.0, 20.0]
    assert task.factor.tolist() == [2.0, 10.0]
    decoded = task.decode(torch.tensor([[0.5, -1.0, 0.0, 2 * torch.log(torch.tensor(3.0))]]))
    # The log variance is bounded from below so smoothly that it is unchanged above.
    expected = torch.tensor([[3.0, 10.0, 2.0, 30.0]])
    torch.testing.assert_close(decoded, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_loss_is_the_likelihood_weighed_by_the_variance(beta: float) -> None:
    task, batch = gaussian(beta=beta), labelled(LABELS)
    prediction = task(features_of(batch), batch)
    loss = task.loss(prediction, batch)
    decoded = task.decode(prediction).detach()
    labels = torch.tensor(LABELS)
    total = torch.zeros(())
    for row, column in (~labels.isnan()).nonzero().tolist():
        scale = task.factor[column]
        mean, deviation = decoded[row, column] / scale, decoded[row, 2 + column] / scale
        each = F.gaussian_nll_loss(mean, labels[row, column] / scale, deviation**2)
        total += deviation ** (2 * beta) * each
    torch.testing.assert_close(loss.total.detach(), total, rtol=1e-4, atol=1e-5)
    assert int(loss.count) == 5


def test_the_error_bar_learns_the_size_of_the_noise() -> None:
    # 400 labels with noise of deviation 3 around 7, and features that tell nothing.
    random = torch.Generator().manual_seed(0)
    values = 7 + 3 * torch.randn(400, 1, generator=random)
    torch.manual_seed(0)
    task = Gaussian(head=Head(hidden=())).build(spec_of(Target("J", "meV")), WIDTH)
    task.prepare(values * 2)  # scaled by other labels, so that there is something to learn
    batch = labelled(values)
    features = Features(torch.zeros(400, WIDTH), torch.zeros(400, WIDTH))
    optimizer = torch.optim.Adam(task.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        task.loss(task(features, batch), batch).mean().backward()
        optimizer.step()
    table = task.table(task.decode(task(features, batch).detach()))["J"]
    assert table["prediction"][0] == pytest.approx(float(values.mean()), abs=0.05)
    assert table["error"][0] == pytest.approx(float(values.std()), rel=0.03)


def test_several_members_are_one_mixture() -> None:
    decoded = torch.tensor([[[1.0, 0.0, 0.5, 2.0]], [[4.0, 0.0, 1.5, 2.0]], [[4.0, 6.0, 1.0, 1.0]]])
    random = torch.Generator().manual_seed(0)
    draws = torch.randn(3, 100_000, 2, generator=random, dtype=torch.float64)
    drawn = (decoded[:, :, :2] + draws * decoded[:, :, 2:]).flatten(0, 1)
    found = gaussian().combine(decoded)
    torch.testing.assert_close(found[0, :2].double(), drawn.mean(dim=0), rtol=0.01, atol=0.01)
    torch.testing.assert_close(found[0, 2:].double(), drawn.std(dim=0), rtol=0.01, atol=0.01)


def test_scores_are_likelihood_and_mean_absolute_errors() -> None:
    task, batch = gaussian(), labelled(LABELS)
    prediction = task(features_of(batch), batch).detach()
    metrics = task.metrics()
    task.update(metrics, prediction, batch)
    found, decoded = metrics.compute(), task.decode(prediction)
    assert set(found) == {"score", "mae_J", "mae_D"}
    error = (decoded[:, :2] - torch.tensor(LABELS)).abs()
    torch.testing.assert_close(found["mae_J"], error[:3, 0].mean())
    torch.testing.assert_close(found["mae_D"], (error[0, 1] + error[2, 1]) / 2)
    plain = gaussian(beta=0.0)
    torch.testing.assert_close(found["score"], plain.loss(prediction, batch).mean())


def test_a_target_without_spread_or_label_is_refused() -> None:
    with pytest.raises(GnnmatError, match="Target 'J' is 3 in every training row"):
        gaussian().prepare(torch.tensor([[3.0, 1.0], [3.0, 2.0]]))
    with pytest.raises(GnnmatError, match="Target 'J' has no label in the training rows"):
        gaussian().prepare(torch.tensor([[NAN, 1.0], [NAN, 2.0]]))


def test_class_names_are_refused() -> None:
    with pytest.raises(GnnmatError) as caught:
        Gaussian().build(spec_of(METAL), WIDTH)
    assert "class names" in caught.value.what
    assert caught.value.fix == "task.kind=classification"
