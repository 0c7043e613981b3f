"""Classification against torch and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.tasks import Classification

from .labelled import METAL, NAN, SYSTEM, WIDTH, classification, features_of, labelled, spec_of

# Columns: is_metal (2 classes), system (3 classes).
LABELS = torch.tensor([[0, 2], [1, 0], [0, NAN], [NAN, 1], [NAN, NAN], [1, 2], [0, 0]])
LOGITS = torch.randn(7, 5, generator=torch.Generator().manual_seed(5)) * 2


def known(column: int) -> torch.Tensor:
    return ~LABELS[:, column].isnan()


def test_loss_is_the_cross_entropy_of_torch_over_known_labels() -> None:
    loss = classification().loss(LOGITS, labelled(LABELS))
    expected = sum(
        F.cross_entropy(logits[known(i)], LABELS[known(i), i].long(), reduction="sum")
        for i, logits in enumerate(LOGITS.split([2, 3], dim=1))
    )
    torch.testing.assert_close(loss.total, expected)
    assert float(loss.count) == 5 + 5


def test_probabilities_sum_to_one_for_each_target() -> None:
    decoded = classification().decode(LOGITS * 30)
    for part in decoded.split([2, 3], dim=1):
        torch.testing.assert_close(part.sum(dim=1), torch.ones(7))
        assert bool((part >= 0).all())


def test_missing_labels_move_nothing() -> None:
    logits = LOGITS.clone().requires_grad_()
    classification().loss(logits, labelled(LABELS)).mean().backward()
    moved = torch.stack([part.abs().sum(1) > 0 for part in logits.grad.split([2, 3], dim=1)], 1)
    assert torch.equal(moved, ~LABELS.isnan())


def test_without_any_label_the_loss_is_zero_and_moves_nothing() -> None:
    task, batch = classification(), labelled(torch.full((3, 2), NAN))
    loss = task.loss(task(features_of(batch), batch), batch)
    assert (float(loss.mean().detach()), float(loss.count)) == (0, 0)
    loss.mean().backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in task.parameters())


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_loss_of_members_is_the_mean_of_their_losses(weights: str) -> None:
    task, batch = classification(weights=weights), labelled(LABELS)
    task.prepare(LABELS)
    members = torch.randn(4, 7, 5)
    each = [task.loss(member, batch) for member in members]
    for shape in ((4, 7, 5), (2, 2, 7, 5)):
        together = task.loss(members.view(shape), batch)
        torch.testing.assert_close(together.total, sum(loss.total for loss in each) / 4)
        torch.testing.assert_close(together.count, each[0].count)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    task = classification(weights="balanced")
    task.prepare(LABELS)
    for column, weight in enumerate(task.weight.split([2, 3])):
        labels = LABELS[known(column), column].numpy().astype(int)
        expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6)


def test_balanced_loss_is_the_weighted_cross_entropy_of_torch() -> None:
    task = classification(METAL, weights="balanced")
    labels = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    task.prepare(labels)
    logits = LOGITS[:4, :2]
    weight = torch.tensor([4 / 6, 4 / 2])
    expected = F.cross_entropy(logits, labels[:, 0].long(), weight=weight)
    # On the rows that gave the weights these add up to the number of rows.
    torch.testing.assert_close(task.loss(logits, labelled(labels)).mean(), expected)


def test_an_absent_class_has_a_finite_weight() -> None:
    task = classification(SYSTEM, weights="balanced")
    task.prepare(torch.tensor([[0.0], [2.0], [2.0]]))
    np.testing.assert_allclose(task.weight.numpy()[[0, 2]], [1.5, 0.75])
    assert bool(task.weight.isfinite().all())


def test_unbalanced_classes_all_weigh_one() -> None:
    task = classification()
    task.prepare(LABELS)
    assert task.weight.tolist() == [1.0] * 5


def test_classes_by_atom_look_at_the_atoms() -> None:
    task = classification(Target("site", level="atom", classes=("A", "B")))
    labels = torch.tensor([[0.0], [1.0], [NAN], [1.0], [NAN], [0.0]])
    batch = labelled(labels, "atom")
    features = features_of(batch)
    logits = task(features, batch)
    torch.testing.assert_close(logits, task.head(features.local))
    mask = ~labels[:, 0].isnan()
    expected = F.cross_entropy(logits[mask], labels[mask, 0].long())
    torch.testing.assert_close(task.loss(logits, batch).mean(), expected)


def test_scores_over_batches_are_those_of_scikit_learn_over_all() -> None:
    random = torch.Generator().manual_seed(6)
    labels = torch.stack([torch.randint(0, n, (40,), generator=random) for n in (2, 3)], 1).float()
    labels[torch.rand(40, 2, generator=random) < 0.3] = NAN
    logits = torch.randn(40, 5, generator=random)
    task = classification()
    metrics = task.metrics()
    for rows in (slice(0, 3), slice(3, 4), slice(4, 40)):  # unequal batches
        task.update(metrics, logits[rows], labelled(labels[rows]))
    found = metrics.compute()
    total = count = 0.0
    parts = task.decode(logits).split([2, 3], dim=1)
    for column, (target, part) in enumerate(zip((METAL, SYSTEM), parts, strict=True)):
        mask = ~labels[:, column].isnan()
        truth = labels[mask, column].int()
        accuracy = accuracy_score(truth, part[mask].argmax(dim=1))
        assert float(found[f"accuracy_{target.name}"]) == pytest.approx(accuracy)
        size = len(target.classes)
        exact = part[mask].double() / part[mask].double().sum(dim=1, keepdim=True)
        total += log_loss(truth, exact, labels=range(size)) * len(truth)
        count += len(truth)
    assert float(found["score"]) == pytest.approx(total / count, rel=1e-5)


def test_scores_of_members_are_the_mean_of_their_scores() -> None:
    task, batch = classification(), labelled(LABELS)
    members = torch.randn(5, 7, 5)
    values = []
    for prediction in [*members, members]:
        metrics = task.metrics()
        task.update(metrics, prediction, batch)
        values.append({name: float(value) for name, value in metrics.compute().items()})
    for name, value in values[-1].items():
        assert value == pytest.approx(np.mean([each[name] for each in values[:-1]]), rel=1e-5)


def test_many_labels_are_counted_exactly_in_half_precision() -> None:
    labels = torch.zeros(1001, 1)
    loss = classification(METAL).loss(torch.zeros(1001, 2, dtype=torch.bfloat16), labelled(labels))
    assert float(loss.count) == 1001
    assert float(loss.mean()) == pytest.approx(np.log(2), rel=1e-5)


def test_logits_whose_sum_is_too_large_for_half_precision_give_a_finite_loss() -> None:
    logits = torch.full((100, 2), 2000.0, dtype=torch.float16, requires_grad=True)
    loss = classification(METAL).loss(logits, labelled(torch.zeros(100, 1)))
    assert float(loss.mean().detach()) == pytest.approx(np.log(2), rel=1e-3)


def test_table_names_the_class_and_its_probability() -> None:
    decoded = torch.tensor([[0.25, 0.75, 0.5, 0.3, 0.2]])
    table = classification().table(decoded)
    assert table["is_metal"]["prediction"] == ["yes"]
    assert table["is_metal"]["probability"] == [0.75]
    assert table["system"]["prediction"] == ["cubic"]
    assert table["system"]["probability_hexagonal"] == [pytest.approx(0.3)]
    assert set(table["system"]) == {
        "prediction",
        "probability",
        "probability_cubic",
        "probability_hexagonal",
        "probability_triclinic",
    }


def test_one_class_in_training_is_refused() -> None:
    with pytest.raises(GnnmatError, match="Target 'is_metal' has one class only") as caught:
        classification(METAL).prepare(torch.tensor([[1.0], [1.0], [NAN]]))
    assert "another split" in caught.value.fix


@pytest.mark.parametrize("classes", [(), ("yes",)])
def test_fewer_than_two_classes_are_refused(classes: tuple[str, ...]) -> None:
    target = Target("metal", classes=classes)
    with pytest.raises(GnnmatError, match="'metal' has fewer than two classes"):
        Classification().build(spec_of(target), WIDTH)


def test_weights_by_name_have_a_mean_of_one_over_the_training_rows() -> None:
    task = classification(SYSTEM, weights={"triclinic": 3.0})
    labels = torch.tensor([[0.0]] * 6 + [[1.0]] * 2 + [[2.0]] * 2)
    task.prepare(labels)
    assert task.weight[2] == pytest.approx(3 * float(task.weight[0]))
    assert float(task.weight[labels[:, 0].long()].mean()) == pytest.approx(1.0)


def test_weights_of_an_unknown_class_are_refused() -> None:
    with pytest.raises(GnnmatError, match="names the class 'triclinik', which no target") as caught:
        classification(SYSTEM, weights={"triclinik": 3.0})
    assert "Did you mean 'triclinic'?" in str(caught.value)


def test_weights_must_be_positive() -> None:
    with pytest.raises(ValidationError, match="the weight of class 'cubic' is 0, expected above 0"):
        classification(SYSTEM, weights={"cubic": 0.0})


def test_balance_of_earlier_configs_is_read() -> None:
    assert Classification.model_validate({"balance": True}).weights == "balanced"
    assert Classification.model_validate({"balance": False}).weights == "none"


def test_an_unknown_class_is_told_the_classes_of_each_target_once() -> None:
    with pytest.raises(GnnmatError) as caught:
        classification(METAL, SYSTEM, weights={"xyz": 3.0})
    assert str(caught.value).count(", ".join(SYSTEM.classes)) == 1
    assert f"of '{METAL.name}': {', '.join(METAL.classes)}" in caught.value.why
    with pytest.raises(GnnmatError) as caught:
        classification(METAL, SYSTEM, weights={"triclinik": 3.0})
    assert caught.value.why == f"Classes of '{SYSTEM.name}': {', '.join(SYSTEM.classes)}."
