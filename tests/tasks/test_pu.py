"""Positive-unlabelled risk against a count by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.tasks import Pu
from gnnmat.tasks.pu import PuTask, non_negative_risk

from .labelled import NAN, WIDTH, features_of, labelled, spec_of

MADE = Target("made", classes=("positive", "unlabelled"))


def pu(target: Target = MADE, **options: Any) -> PuTask:
    torch.manual_seed(0)
    return Pu(**{"positive": "positive", **options}).build(spec_of(target), WIDTH)


def test_risk_is_the_one_of_the_paper_counted_by_hand() -> None:
    margin = torch.tensor([2.0, -1.0, 0.5, -3.0, 9.0])
    positive = torch.tensor([True, True, False, False, False])
    unlabelled = torch.tensor([False, False, True, True, False])
    soft = np.logaddexp  # log(1 + exp(x)) = logaddexp(0, x)
    hit = (soft(0, -2.0) + soft(0, 1.0)) / 2
    miss = (soft(0, 2.0) + soft(0, -1.0)) / 2
    rest = (soft(0, 0.5) + soft(0, -3.0)) / 2
    expected = 0.2 * hit + (rest - 0.2 * miss)
    found = non_negative_risk(margin, positive, unlabelled, 0.2)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_a_negative_estimate_counts_as_zero_and_is_stepped_back_from() -> None:
    margin = torch.tensor([4.0, -6.0], requires_grad=True)
    positive = torch.tensor([True, False])
    risk = non_negative_risk(margin, positive, ~positive, 0.9)
    hit = 0.9 * np.logaddexp(0, -4.0)
    assert float(risk.detach()) == pytest.approx(hit, rel=1e-4)
    risk.backward()
    # The estimate is softplus(u) - 0.9 softplus(p); its gradient is taken backwards.
    expected = [0.9 * torch.sigmoid(torch.tensor(4.0)), -torch.sigmoid(torch.tensor(-6.0))]
    torch.testing.assert_close(margin.grad, torch.tensor(expected))


def test_balanced_is_the_weighted_cross_entropy_of_torch() -> None:
    labels = torch.tensor([[0], [1], [1], [1], [NAN]])
    task = pu()
    task.prepare(labels)
    logits = torch.randn(5, 2)
    known = labels[:4, 0].long()
    each = F.cross_entropy(logits[:4], known, reduction="none")
    weight = torch.tensor([2.0, 2 / 3])[known]
    loss = task.loss(logits, labelled(labels))
    torch.testing.assert_close(loss.total, (each * weight).sum())
    assert float(loss.count) == 4


@pytest.mark.parametrize("loss", [{"loss": "balanced"}, {"loss": "nnpu", "prior": 0.3}])
def test_batches_of_one_class_and_of_none_have_a_finite_loss(loss: dict[str, Any]) -> None:
    for labels in ([[0], [0]], [[1], [1]], [[NAN], [NAN]]):
        task = pu(**loss)
        batch = labelled(labels)
        value = task.loss(task(features_of(batch), batch), batch).mean()
        value.backward()
        assert bool(value.isfinite())
        assert all(bool(p.grad.isfinite().all()) for p in task.parameters() if p.grad is not None)


def test_members_and_missing_labels_are_averaged() -> None:
    task, batch = pu(loss="nnpu", prior=0.3), labelled([[0], [1], [NAN], [1]])
    members = torch.randn(3, 4, 2)
    together = task.loss(members, batch)
    each = [task.loss(one, batch).total for one in members]
    torch.testing.assert_close(together.total, torch.stack(each).mean())
    changed = members.clone()
    changed[:, 2] = 100.0
    torch.testing.assert_close(task.loss(changed, batch).total, together.total)


def test_score_is_the_probability_of_the_positive_class() -> None:
    task = pu()
    table = task.table(task.decode(torch.tensor([[3.0, 0.0], [0.0, 1.0]])))["made"]
    assert table["score"] == table["probability_positive"]
    assert table["prediction"] == ["positive", "unlabelled"]


def test_without_a_name_the_second_class_is_positive() -> None:
    table = pu(Target("made", classes=("0", "1")), positive=None)
    found = table.table(table.decode(torch.tensor([[0.0, 2.0]])))["made"]
    assert found["score"] == found["probability_1"]


def test_three_classes_and_unknown_names_are_refused() -> None:
    with pytest.raises(GnnmatError, match="3 classes") as error:
        pu(Target("made", classes=("0", "1", "2")), positive=None)
    assert "1 for positive and 0 for unlabelled" in str(error.value.fix)
    with pytest.raises(GnnmatError, match="'made' does not have"):
        pu(positive="positiv")


def test_nnpu_asks_for_the_prior() -> None:
    with pytest.raises(ValidationError, match="needs task.prior"):
        Pu(loss="nnpu")
