"""Entropy, mutual information, temperature and calibration against counts and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from gnnmat.train.uncertainty import (
    calibration_error,
    entropy,
    error_factor,
    fit_temperature,
    mutual_information,
    reliability,
    with_temperature,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def test_entropy_of_a_fair_coin_is_ln_2_and_of_certainty_zero() -> None:
    assert entropy([[0.5, 0.5], [1.0, 0.0]]) == pytest.approx([math.log(2), 0.0], abs=1e-9)


def test_voices_that_agree_tell_nothing_and_that_oppose_tell_ln_2() -> None:
    agree = [[[0.7, 0.3]], [[0.7, 0.3]]]
    oppose = [[[1.0, 0.0]], [[0.0, 1.0]]]
    assert mutual_information(agree) == pytest.approx([0.0], abs=1e-12)
    assert mutual_information(oppose) == pytest.approx([math.log(2)], abs=1e-9)


def test_temperature_is_found_again() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 3, (20_000, 3))
    cumulated = softmax(logits).cumsum(axis=-1)
    labels = (draw.random((20_000, 1)) > cumulated).sum(axis=-1)
    # A network that says its logits 2.5 times too loud.
    assert fit_temperature(softmax(2.5 * logits), labels) == pytest.approx(2.5, rel=0.05)
    assert fit_temperature(softmax(logits / 2), labels) == pytest.approx(0.5, rel=0.05)


def test_temperature_leaves_the_order_of_classes() -> None:
    p = softmax(np.random.default_rng(1).normal(0, 2, (50, 4)))
    flat = with_temperature(p, 3.0)
    assert (flat.argsort() == p.argsort()).all()
    assert flat.sum(axis=-1) == pytest.approx(np.ones(50))
    assert with_temperature(p, 1.0) == pytest.approx(p)


def test_reliability_is_a_count() -> None:
    # Two rows of confidence 0.6, one right; one of 0.95, right.
    table = reliability([[0.6, 0.4], [0.4, 0.6], [0.05, 0.95]], [0, 0, 1], bins=10)
    assert [(one.count, one.accuracy) for one in table] == [(2, 0.5), (1, 1.0)]
    assert [one.confidence for one in table] == pytest.approx([0.6, 0.95])
    assert calibration_error(table) == pytest.approx((2 * 0.1 + 0.05) / 3)


@pytest.mark.filterwarnings("ignore")
def test_calibration_error_equals_that_of_torchmetrics() -> None:
    draw = np.random.default_rng(2)
    p = softmax(draw.normal(0, 2, (500, 3)))
    labels = draw.integers(0, 3, 500)
    expected = multiclass_calibration_error(
        torch.from_numpy(p), torch.from_numpy(labels), num_classes=3, n_bins=15, norm="l1"
    )
    assert calibration_error(reliability(p, labels)) == pytest.approx(float(expected), abs=1e-6)


def test_error_factor_undoes_errors_that_are_too_small() -> None:
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.5, 2.0, 4000)
    differences = 3.0 * errors * rng.standard_normal(4000)
    differences[:100] = np.nan
    assert error_factor(differences, errors) == pytest.approx(3.0, rel=0.05)
    assert error_factor(differences, 3 * errors) == pytest.approx(1.0, rel=0.05)


def test_error_factor_needs_truths() -> None:
    assert error_factor([1.0, np.nan], [1.0, 1.0]) is None
