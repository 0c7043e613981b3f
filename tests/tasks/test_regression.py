"""Regression against sums by hand, torch, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error
from torch.nn import functional as F

from gnnmat.errors import GnnmatError
from gnnmat.sample import Target
from gnnmat.target import Curve
from gnnmat.tasks import Classification, Gaussian, Joint, Regression
from gnnmat.tasks.head import Head
from gnnmat.tasks.regression import RegressionTask

from .labelled import NAN, WIDTH, features_of, labelled, regression, spec_of


def test_squared_loss_is_that_by_hand() -> None:
    task = regression()
    task.prepare(torch.tensor([[1.0], [3.0]]))  # mean 2, deviation 1
    loss = task.loss(torch.tensor([[0.5], [0.0]]), labelled([[3.0], [0.0]]))
    # Standardised labels are 1 and -2: (0.5 - 1)^2 + (0 + 2)^2 = 4.25.
    assert float(loss.total) == pytest.approx(4.25)
    assert float(loss.count) == 2
    assert float(loss.mean()) == pytest.approx(2.125)


@pytest.mark.parametrize(
    ("kind", "reference"), [("mse", F.mse_loss), ("mae", F.l1_loss), ("huber", F.huber_loss)]
)
def test_losses_are_those_of_torch_on_standardised_labels(kind: str, reference: object) -> None:
    labels = torch.randn(20, 2, generator=torch.Generator().manual_seed(1)) * 3 + 5
    task = regression("gap mass", loss=kind)
    task.prepare(labels)
    standard = (labels - labels.mean(0)) / labels.std(0, unbiased=False)
    prediction = torch.randn(20, 2, generator=torch.Generator().manual_seed(2))
    found = task.loss(prediction, labelled(labels)).mean()
    torch.testing.assert_close(found, reference(prediction, standard))  # type: ignore[operator]


def test_decoded_prediction_of_standardised_labels_is_the_labels() -> None:
    labels = torch.tensor([[1.0, -300.0], [2.0, NAN], [9.0, 500.0], [NAN, 0.0]])
    task = regression("gap heat")
    task.prepare(labels)
    known = ~labels.isnan()
    torch.testing.assert_close(task.shift, torch.tensor([4.0, 200 / 3]))
    assert float(task.factor[0]) == pytest.approx(np.std([1, 2, 9]))
    standard = (labels - task.shift) / task.factor
    torch.testing.assert_close(task.decode(standard)[known], labels[known])


def test_without_scaling_the_prediction_is_the_value() -> None:
    task = regression(scale="none")
    task.prepare(torch.tensor([[1.0], [3.0]]))
    assert task.decode(torch.tensor([[7.0]])).tolist() == [[7.0]]


def test_logarithms_are_standardised_and_decoded_to_the_values() -> None:
    labels = torch.tensor([[1.0], [100.0], [NAN]])
    task = regression(scale="log")
    task.prepare(labels)
    # Logarithms 0 and ln 100: their mean is ln 10 and so is their deviation.
    torch.testing.assert_close(task.shift, torch.log(torch.tensor([10.0])))
    torch.testing.assert_close(task.factor, torch.log(torch.tensor([10.0])))
    torch.testing.assert_close(task.decode(torch.tensor([[-1.0], [1.0]])), labels[:2])
    loss = task.loss(torch.tensor([[-1.0], [3.0], [9.0]]), labelled(labels))
    assert (float(loss.total), float(loss.count)) == (pytest.approx(4.0), 2)


def test_a_value_without_a_logarithm_is_refused() -> None:
    with pytest.raises(GnnmatError, match="Target 'gap' is -2 in a training row") as caught:
        regression(scale="log").prepare(torch.tensor([[1.0], [-2.0]]))
    assert caught.value.fix == "task.scale=standard"


def test_a_value_without_a_logarithm_in_validation_gives_a_finite_loss() -> None:
    task = regression(scale="log")
    task.prepare(torch.tensor([[1.0], [100.0]]))
    assert bool(task.loss(torch.zeros(1, 1), labelled([[0.0]])).total.isfinite())


def test_a_single_label_is_not_divided_by_zero() -> None:
    task = regression()
    task.prepare(torch.tensor([[5.0], [NAN]]))
    assert task.decode(torch.zeros(1, 1)).tolist() == [[5.0]]
    assert task.loss(torch.zeros(1, 1), labelled([[5.5]])).mean() == pytest.approx(0.25)


def test_scales_travel_in_the_state() -> None:
    task, other = regression(), regression()
    task.prepare(torch.tensor([[100.0], [300.0]]))
    other.load_state_dict(task.state_dict())
    assert other.decode(torch.tensor([[1.0]])).tolist() == [[300.0]]


def test_missing_labels_change_nothing() -> None:
    task = regression("gap mass")
    task.prepare(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    prediction = torch.randn(4, 2, requires_grad=True)
    labels = [[1.0, NAN], [NAN, NAN], [2.0, 4.0], [NAN, 3.0]]
    loss = task.loss(prediction, labelled(labels))
    by_hand = sum(
        (prediction[row, column] - (value - task.shift[column]) / task.factor[column]) ** 2
        for row, values in enumerate(labels)
        for column, value in enumerate(values)
        if value == value
    )
    torch.testing.assert_close(loss.total, by_hand)
    assert float(loss.count) == 4
    loss.mean().backward()
    assert (prediction.grad == 0).tolist() == [
        [False, True],
        [True, True],
        [False] * 2,
        [True, False],
    ]


def test_without_any_label_the_loss_is_zero_and_moves_nothing() -> None:
    task = regression("gap mass")
    batch = labelled([[NAN, NAN]] * 3)
    loss = task.loss(task(features_of(batch), batch), batch)
    assert float(loss.mean().detach()) == 0
    assert float(loss.count) == 0
    loss.mean().backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in task.parameters())


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
def test_loss_of_members_is_the_mean_of_their_losses(kind: str) -> None:
    task = regression("gap mass", loss=kind)
    batch = labelled([[1.0, NAN], [2.0, 4.0], [NAN, 3.0]])
    members = torch.randn(5, 3, 2)
    each = [task.loss(member, batch) for member in members]
    together = task.loss(members, batch)
    torch.testing.assert_close(together.total, sum(loss.total for loss in each) / 5)
    torch.testing.assert_close(together.count, each[0].count.float())
    nested = task.loss(members[:4].view(2, 2, 3, 2), batch)
    torch.testing.assert_close(nested.total, sum(loss.total for loss in each[:4]) / 4)


def test_values_by_atom_look_at_the_atoms() -> None:
    task = regression("moment", level="atom")
    labels = torch.tensor([[0.5], [1.0], [NAN], [2.0], [NAN], [-1.0]])
    batch = labelled(labels, "atom")
    features = features_of(batch)
    prediction = task(features, batch)
    torch.testing.assert_close(prediction, task.head(features.local))
    known = ~labels.isnan()
    expected = F.mse_loss(prediction[known], labels[known])
    torch.testing.assert_close(task.loss(prediction, batch).mean(), expected)


def test_scores_over_batches_are_those_of_scikit_learn_over_all() -> None:
    random = torch.Generator().manual_seed(3)
    labels = torch.randn(30, 2, generator=random) * 10
    labels[torch.rand(30, 2, generator=random) < 0.3] = NAN
    prediction = torch.randn(30, 2, generator=random)
    task = regression("gap mass")
    task.prepare(labels)
    metrics = task.metrics()
    for rows in (slice(0, 7), slice(7, 8), slice(8, 30)):  # unequal batches
        task.update(metrics, prediction[rows], labelled(labels[rows]))
    found = metrics.compute()
    decoded, scores = task.decode(prediction), []
    for column, name in enumerate(("gap", "mass")):
        known = ~labels[:, column].isnan()
        expected = mean_absolute_error(labels[known, column], decoded[known, column])
        assert float(found[f"mae_{name}"]) == pytest.approx(expected, rel=1e-5)
        scores.append((expected / float(task.factor[column]), int(known.sum())))
    mean = sum(score * n for score, n in scores) / sum(n for _, n in scores)
    assert float(found["score"]) == pytest.approx(mean, rel=1e-5)


def test_scores_of_members_are_the_mean_of_their_scores() -> None:
    task = regression("gap mass")
    batch = labelled([[1.0, NAN], [2.0, 4.0], [NAN, 3.0]])
    members = torch.randn(5, 3, 2)
    values = []
    for prediction in [*members, members]:
        metrics = task.metrics()
        task.update(metrics, prediction, batch)
        values.append({name: float(value) for name, value in metrics.compute().items()})
    for name, value in values[-1].items():
        assert value == pytest.approx(np.mean([each[name] for each in values[:-1]]), rel=1e-5)


def test_scores_of_a_target_without_labels_are_nan_and_the_rest_stands() -> None:
    task = regression("gap mass")
    metrics = task.metrics()
    task.update(metrics, torch.zeros(2, 2), labelled([[1.0, NAN], [3.0, NAN]]))
    found = metrics.compute()
    assert float(found["mae_gap"]) == 2
    assert bool(found["mae_mass"].isnan())
    assert float(found["score"]) == 2


def test_table_has_a_column_of_predictions_for_each_target() -> None:
    table = regression("gap mass").table(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert table == {"gap": {"prediction": [1.0, 3.0]}, "mass": {"prediction": [2.0, 4.0]}}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([[4.5], [4.5], [NAN]], "Target 'gap' is 4.5 in every training row.\nThere is nothing"),
        ([[NAN], [NAN]], "Target 'gap' has no label in the training rows."),
    ],
)
@pytest.mark.parametrize("scale", ["standard", "log", "none"])
def test_labels_that_teach_nothing_are_refused(
    scale: str, labels: list[list[float]], words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        regression(scale=scale).prepare(torch.tensor(labels))


def test_class_names_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Regression was given class names") as caught:
        Regression().build(spec_of(Target("metal", classes=("no", "yes"))), WIDTH)
    assert caught.value.fix == "task.kind=classification"


def test_no_target_is_refused() -> None:
    with pytest.raises(GnnmatError, match="No target to learn") as caught:
        Regression().build(spec_of(), WIDTH)
    assert "data.targets" in caught.value.fix


def test_targets_of_two_levels_are_refused() -> None:
    targets = Target("gap"), Target("moment", level="atom")
    with pytest.raises(GnnmatError, match="a crystal with values an atom") as caught:
        Regression().build(spec_of(*targets), WIDTH)
    assert caught.value.why == "gap: sample, moment: atom"


# Curves.


def curves_task(size: int = 3, **options: object) -> RegressionTask:
    torch.manual_seed(0)
    targets = spec_of(Target("gap", "eV"), Target("dos", size=size))
    return Regression(head=Head(hidden=(8,)), **options).build(targets, WIDTH)  # type: ignore[arg-type]


CURVES = torch.tensor([[1.0, 0.0, 1.0, 9.0], [3.0, 0.0, 5.0, 9.0], [NAN, 0.0, NAN, 9.0]])


def test_a_curve_has_one_mean_and_one_deviation() -> None:
    task = curves_task()
    task.prepare(CURVES)
    points = [0, 1, 9, 0, 5, 9, 0, 9]
    assert task.shift.tolist() == pytest.approx([2.0, *[np.mean(points)] * 3])
    assert task.factor.tolist() == pytest.approx([1.0, *[np.std(points)] * 3])


def test_points_may_have_their_own_mean_and_a_constant_one_the_common_deviation() -> None:
    task = curves_task(points="each")
    task.prepare(CURVES)
    common = np.std([0, 1, 9, 0, 5, 9, 0, 9])
    assert task.shift.tolist() == pytest.approx([2.0, 0.0, 3.0, 9.0])
    assert task.factor.tolist() == pytest.approx([1.0, common, 2.0, common])


def test_loss_counts_points_and_leaves_missing_ones_out() -> None:
    task = curves_task(scale="none")
    task.prepare(CURVES)
    loss = task.loss(torch.zeros(3, 4), labelled(CURVES))
    assert float(loss.count) == 10
    assert float(loss.total) == pytest.approx(1 + 9 + 1 + 25 + 3 * 81)


def test_scores_of_a_curve_are_over_all_its_points() -> None:
    task, batch = curves_task(), labelled(CURVES)
    task.prepare(CURVES)
    metrics = task.metrics()
    prediction = torch.zeros(3, 4)
    task.update(metrics, prediction, batch)
    decoded = task.decode(prediction)[:, 1:]
    mask = ~CURVES[:, 1:].isnan()
    expected = (decoded - CURVES[:, 1:]).abs()[mask].mean()
    assert float(metrics.compute()["mae_dos"]) == pytest.approx(float(expected))


def test_table_holds_a_curve_a_row_and_a_number_beside() -> None:
    task = curves_task()
    table = task.table(torch.tensor([[0.5, 1.0, 2.0, 3.25], [1.5, 4.0, 5.0, 6.0]]))
    assert table["gap"]["prediction"] == [0.5, 1.5]
    assert table["dos"]["prediction"] == [Curve([1, 2, 3.25]), Curve([4, 5, 6])]
    assert str(table["dos"]["prediction"][0]) == "[1.0, 2.0, 3.25]"


def test_positive_predictions_are_never_below_zero_and_reach_the_labels() -> None:
    task = curves_task(positive=True)
    task.prepare(CURVES)
    assert bool((task.decode(torch.full((2, 4), -100.0)) >= 0).all())
    # Not cut off at zero, where nothing could be learned any more.
    assert task.decode(torch.full((1, 4), -3.0)).min() > 0
    raw = torch.zeros(3, 4, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.3)
    for _ in range(400):
        optimizer.zero_grad()
        task.loss(raw, labelled(CURVES)).mean().backward()
        optimizer.step()
    known = ~CURVES.isnan()
    torch.testing.assert_close(task.decode(raw.detach())[known], CURVES[known], atol=0.1, rtol=0)


def test_negative_labels_of_a_positive_target_are_refused() -> None:
    with pytest.raises(GnnmatError, match="Target 'gap' is -1 in a training row") as caught:
        regression(positive=True).prepare(torch.tensor([[-1.0], [3.0]]))
    assert "task.positive=false" in str(caught.value)


def test_positive_and_logarithm_exclude_each_other() -> None:
    with pytest.raises(GnnmatError, match="task.positive and task.scale=log exclude each other"):
        regression(positive=True, scale="log")


GAPS = torch.tensor([[0.0], [0.0], [1.0], [3.0]])  # mean 1


def test_a_negative_prediction_of_a_censored_zero_costs_nothing() -> None:
    """By hand, in eV: told -2, 0.5, -2, 4 for 0, 0, 1, 3; the third is off by 3 all the same."""
    told = torch.tensor([[-2.0], [0.5], [-2.0], [4.0]])
    for censored, each in ((True, [0, 0.5, 3, 1]), (False, [2, 0.5, 3, 1])):
        task = regression(loss="mae", censored=censored)
        task.prepare(GAPS)
        raw = ((told - task.shift) / task.factor).requires_grad_()
        loss = task.loss(raw, labelled(GAPS))
        assert float(loss.mean().detach() * task.factor) == pytest.approx(sum(each) / 4)
        loss.mean().backward()
        assert raw.grad is not None
        assert bool(raw.grad[0] == 0) == censored
        assert float(raw.grad[2]) < 0  # pushed up towards its label


def test_censored_predictions_are_told_and_scored_as_zero() -> None:
    task = regression(loss="mae", censored=True)
    task.prepare(GAPS)
    raw = (torch.tensor([[-2.0], [0.5], [-2.0], [4.0]]) - task.shift) / task.factor
    assert task.decode(raw).flatten().tolist() == pytest.approx([0, 0.5, 0, 4], abs=1e-6)
    metrics = task.metrics()
    task.update(metrics, raw, labelled(GAPS))
    found = metrics.compute()
    assert float(found["mae_gap"]) == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert float(found["score"] * task.factor) == pytest.approx((0 + 0.5 + 1 + 1) / 4)


def test_censored_labels_are_not_negative_and_have_no_logarithm() -> None:
    with pytest.raises(GnnmatError, match="is -1 in a training row") as caught:
        regression(censored=True).prepare(torch.tensor([[-1.0], [3.0]]))
    assert "task.censored=false" in str(caught.value)
    for other in ({"positive": True}, {"scale": "log"}):
        with pytest.raises(GnnmatError, match="task.censored goes with neither"):
            regression(censored=True, **other)


def test_a_gaussian_of_curves_is_refused() -> None:
    with pytest.raises(GnnmatError, match="'gaussian' learns single numbers, not curves"):
        Gaussian().build(spec_of(Target("dos", size=3)), WIDTH)


def test_a_joint_task_gives_every_part_its_columns() -> None:
    targets = (Target("dos", size=2), Target("metal", classes=("no", "yes")), Target("gap"))
    config = Joint(of_classes=Classification(), of_numbers=Regression())
    task = config.build(spec_of(*targets), WIDTH)
    labels = torch.tensor([[1.0, 2.0, 0.0, 7.0], [3.0, 4.0, 1.0, 9.0]])
    task.prepare(labels)
    batch = labelled(labels)
    by_name = {part.targets[0].name: part.labels(batch).tolist() for part in task.tasks}
    assert by_name == {"metal": [[0.0], [1.0]], "dos": [[1.0, 2.0, 7.0], [3.0, 4.0, 9.0]]}
