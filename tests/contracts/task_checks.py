"""What every task keeps. Each check fails for a broken twin in ``test_task_twins.py``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnnmat.sample import Batch
from gnnmat.target import Curve
from gnnmat.tasks import Loss, Task

from .cases import EncoderCase, TaskCase, tensors_of

NAN = float("nan")


def predicted(case: TaskCase, task: Task, labels: Tensor) -> tuple[Tensor, Batch]:
    """A prediction that is a leaf, and its batch."""
    batch = case.batch(labels)
    return task(case.features(batch), batch).detach().requires_grad_(), batch


def close(found: Tensor, expected: Tensor) -> bool:
    """Equal to float32."""
    return torch.allclose(found.double(), expected.double(), rtol=1e-5, atol=1e-6)


def check_prediction_has_a_row_for_each_label(case: TaskCase) -> None:
    """Rows are samples or atoms, by level; decoded rows too, and all are finite."""
    task = case.task()
    prediction, batch = predicted(case, task, case.labels())
    assert task.level == case.level, f"level {task.level}"
    assert prediction.shape[:-1] == (case.rows,), f"{prediction.shape} for {case.rows} rows"
    decoded = task.decode(prediction)
    assert decoded.shape[:-1] == (case.rows,), f"decoded {decoded.shape}"
    assert decoded.isfinite().all(), "decoded prediction is not finite"
    loss = task.loss(prediction, batch)
    assert isinstance(loss, Loss), f"loss is {type(loss).__name__}"
    assert loss.total.isfinite(), "loss is not finite"
    assert float(loss.count) == case.labels().numel(), "count is the number of labels"


def check_missing_labels_change_nothing(case: TaskCase) -> None:
    """A label that is not there adds nothing to loss, count or gradient, whatever was predicted.

    Compared with the loss of each label alone, summed over those that are there.
    """
    task, labels = case.task(), case.labels()
    missing = torch.rand(labels.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    assert 0 < int(missing.sum()) < missing.numel()
    prediction, batch = predicted(case, task, torch.where(missing, NAN, labels))
    loss = task.loss(prediction, batch)
    total, alone = torch.zeros(()), torch.zeros_like(prediction)
    for place in (~missing).nonzero().tolist():
        single = torch.full_like(labels, NAN)
        single[tuple(place)] = labels[tuple(place)]
        part = task.loss(prediction, case.batch(single))
        (gradient,) = torch.autograd.grad(part.total, prediction)
        assert close(part.count, torch.ones(())), f"one label counts {float(part.count)}"
        total, alone = total + part.total.detach(), alone + gradient
    assert close(loss.count, (~missing).sum()), f"count {float(loss.count)}"
    assert close(loss.total.detach(), total), f"loss {float(loss.total.detach())} is not {total}"
    (gradient,) = torch.autograd.grad(loss.total, prediction)
    assert close(gradient, alone), "gradient"


def check_without_labels_the_loss_is_zero(case: TaskCase) -> None:
    """A batch with no label at all gives a finite zero, tied to the graph, that moves nothing."""
    task = case.task()
    batch = case.batch(torch.full_like(case.labels(), NAN))
    loss = task.loss(task(case.features(batch), batch), batch)
    assert loss.mean().requires_grad, "not tied to the graph: backward would fail"
    assert float(loss.mean().detach()) == 0.0, "not zero"
    assert float(loss.count) == 0.0, "counts labels that are not there"
    loss.mean().backward()
    for name, parameter in task.named_parameters():
        assert parameter.grad is not None, f"{name} is not tied to the loss"
        assert not bool(parameter.grad.any()), f"{name} moves"  # NaN is not zero either


def check_loss_of_members_is_their_mean(case: TaskCase) -> None:
    """Leading axes of a prediction are members, whose losses are averaged."""
    task, labels = case.task(), case.labels()
    labels[0, 0] = NAN
    prediction, batch = predicted(case, task, labels)
    random = torch.Generator().manual_seed(4)
    members = prediction.detach() + torch.randn((3, *prediction.shape), generator=random)
    each = [task.loss(member, batch).mean() for member in members]
    together = task.loss(members, batch)
    assert close(together.mean(), torch.stack(each).mean()), "mean over members"
    assert close(together.count, task.loss(members[0], batch).count), "count"


def check_gradients_reach_every_parameter_of_the_task(case: TaskCase) -> None:
    """The loss depends on every parameter of the task, and on the features."""
    task, batch = case.task(), case.batch(case.labels())
    features = case.features(batch)
    seen = features.pooled if case.level == "sample" else features.local
    seen.requires_grad_()
    task.loss(task(features, batch), batch).mean().backward()
    assert seen.grad is not None, "no gradient reaches the features"
    assert bool((seen.grad.abs().amax(dim=1) > 0).all()), "no gradient reaches some rows"
    for name, parameter in task.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert bool(parameter.grad.any()), f"the loss does not depend on {name}"


def check_scores_add_up_over_batches(case: TaskCase) -> None:
    """Scores of two batches equal those of a batch of both; ``score`` is one of them."""
    task = case.task()
    parts, twice = task.metrics(), task.metrics()
    first, second = case.labels(seed=1), case.labels(seed=2)
    second[1:, 0] = NAN  # batches with different numbers of labels
    for seed, labels in enumerate((first, second)):
        batch = case.batch(labels)
        prediction = task(case.features(batch, seed), batch).detach()
        task.update(parts, prediction, batch)
        for _ in range(2):
            task.update(twice, prediction, batch)
    found, expected = parts.compute(), twice.compute()
    assert "score" in found, "no score"
    single = {}
    for name in found:
        assert found[name].isfinite(), f"{name} is not finite"
        assert close(found[name], expected[name]), f"{name} counts batches, not labels"
    for seed, labels in enumerate((first, second)):
        alone, batch = task.metrics(), case.batch(labels)
        task.update(alone, task(case.features(batch, seed), batch).detach(), batch)
        single[seed] = (float(alone.compute()["score"]), int((~labels.isnan()).sum()))
    mean = sum(value * n for value, n in single.values()) / sum(n for _, n in single.values())
    assert close(found["score"], torch.tensor(mean)), "score is no mean over labels"


def check_state_restores_the_task(case: TaskCase) -> None:
    """State dict into a task prepared on other labels decodes like the first."""
    first, second = case.task(seed=0), case.task(seed=1)
    batch = case.batch(case.labels())
    features = case.features(batch)
    second.load_state_dict(first.state_dict())
    found, expected = (task.decode(task(features, batch)) for task in (second, first))
    assert close(found, expected), "decoded predictions differ"
    losses = [task.loss(task(features, batch), batch).mean() for task in (second, first)]
    assert close(*losses), "losses differ"


def check_table_has_every_target(case: TaskCase) -> None:
    """The table has, for each target, a prediction for each row; a class by its name."""
    task, batch = case.task(), case.batch(case.labels())
    table = task.table(task.decode(task(case.features(batch), batch)).detach())
    names = [target.name for target in case.targets]
    assert list(table) == names, f"{list(table)} is not {names}"
    for target in case.targets:
        for name, column in table[target.name].items():
            assert len(column) == case.rows, f"{target.name}.{name}: {len(column)} rows"
        for value in table[target.name]["prediction"]:
            kind = Curve if target.is_curve else float
            fits = value in target.classes if target.classes else isinstance(value, kind)
            assert fits, f"{value!r} is no value of {target.name}"


def check_batch_is_not_changed_by_the_task(case: TaskCase) -> None:
    """Loss and scores leave batch, labels and features as they were."""
    task, labels = case.task(), case.labels()
    labels[1, 1] = NAN
    batch = case.batch(labels)
    before, features, same = batch.clone(), case.features(batch), case.features(batch)
    prediction = task(features, batch)
    task.loss(prediction, batch)
    task.update(task.metrics(), prediction, batch)
    assert set(batch.keys()) == set(before.keys()), "fields were added or removed"
    for name, value in tensors_of(before).items():
        assert torch.equal(batch[name].nan_to_num(-99.0), value.nan_to_num(-99.0)), name
    for found, expected in ((features.local, same.local), (features.pooled, same.pooled)):
        assert torch.equal(found, expected), "features were changed"


def check_learns_with(case: TaskCase, encoder_case: EncoderCase) -> None:
    """A few steps on a few samples bring the loss down by half, encoder and head together."""
    encoder, batch = encoder_case.fresh(targets=case.spec.targets).train(), encoder_case.batch()
    task = case.build(case.spec, encoder.width).double().train()
    rows = batch.num_graphs if case.level == "sample" else batch.num_nodes
    labels = case.labels(rows=rows)
    task.prepare(labels)
    labels[-1, 0] = NAN
    batch[f"y_{case.level}"] = labels.double()
    before = [parameter.clone() for parameter in encoder.parameters()]
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], lr=0.03)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = task.loss(task(encoder(batch), batch), batch).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    moved = [not torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True)]
    assert all(moved), "the encoder does not learn"
    assert min(losses) < 0.5 * losses[0], f"loss {losses[0]:.3g} became {min(losses):.3g}"


def check_learns_without_labels(config: Any, encoder_case: EncoderCase) -> None:
    """A few steps on samples without any label bring the loss down, encoder and task together."""
    encoder, batch = encoder_case.fresh().train(), encoder_case.batch()
    example = config.example()
    task = example.build(encoder_case.spec, encoder.width).double().train()
    assert task.targets == example.own_targets, "it predicts something else than it says"
    before = [p.clone() for p in (*encoder.parameters(), *task.parameters())]
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        prediction = task(encoder(batch), batch)
        loss = task.loss(prediction, batch)
        assert float(loss.count) == batch.num_graphs, "count is the number of samples"
        loss.mean().backward()
        optimizer.step()
        losses.append(float(loss.mean().detach()))
    after = (*encoder.parameters(), *task.parameters())
    stuck = [place for place, (a, b) in enumerate(zip(before, after, strict=True)) if a.equal(b)]
    assert not stuck, "not everything learns"
    assert min(losses) < 0.95 * losses[0], f"loss {losses[0]:.3g} became {min(losses):.3g}"
    table = task.eval().table(task.decode(task(encoder.eval()(batch), batch)).detach())
    for target in example.own_targets:
        assert len(table[target.name]["prediction"]) == batch.num_graphs, "a row for each sample"


TASK_CHECKS = (
    check_prediction_has_a_row_for_each_label,
    check_missing_labels_change_nothing,
    check_without_labels_the_loss_is_zero,
    check_loss_of_members_is_their_mean,
    check_gradients_reach_every_parameter_of_the_task,
    check_scores_add_up_over_batches,
    check_state_restores_the_task,
    check_table_has_every_target,
    check_batch_is_not_changed_by_the_task,
)
