from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gnnmat.pages.headline import headline_card, headlines, interval, smaller_is_better

Maker = Callable[..., dict[str, Any]]


def test_key_number_is_the_test_mae_with_its_baselines(score: Maker) -> None:
    metrics = [score(0.2, metric="rmse"), score(0.1), score(0.05, split="train")]
    baselines = [
        score(0.9, baseline="mean predictor"),
        score(0.8, baseline="mean predictor", split="train"),
        score(1.0, baseline="mean predictor", metric="rmse"),
    ]
    (headline,) = headlines([], metrics, baselines)
    assert headline.model["value"] == 0.1
    assert [row["value"] for row in headline.baselines] == [0.9]


def test_without_a_test_split_the_key_number_is_validation(score: Maker) -> None:
    (headline,) = headlines([], [score(0.1, split="train"), score(0.2, split="val")], [])
    assert headline.model["split"] == "val"


@pytest.mark.parametrize(
    ("model", "baseline", "metric", "words"),
    [
        (
            (0.1, 0.08, 0.12),
            (0.4, 0.3, 0.5),
            "mae",
            r"75% below the best baseline \(forest, 0.400\)\.$",
        ),
        ((0.1, 0.08, 0.35), (0.4, 0.3, 0.5), "mae", r"but the 95% intervals overlap\.$"),
        ((0.5, 0.4, 0.6), (0.4, 0.3, 0.5), "mae", r"^Does not beat the best baseline"),
        ((0.9, 0.85, 0.95), (0.7, 0.6, 0.8), "accuracy", r"^Better than the best .* 0.700\)\.$"),
        ((0.6, 0.55, 0.65), (0.7, 0.6, 0.8), "accuracy", r"^Does not beat"),
        ((0.1, float("nan"), float("nan")), (0.4, 0.3, 0.5), "mae", r"^75% below"),
    ],
)
def test_verdict_is_honest(
    score: Maker, model: tuple[float, ...], baseline: tuple[float, ...], metric: str, words: str
) -> None:
    own, other = score(*model, metric=metric), score(*baseline, metric=metric, baseline="forest")
    (headline,) = headlines([], [own], [other])
    assert re.search(words, headline.verdict)


@pytest.mark.parametrize(
    ("metric", "smaller"),
    [("MAE", True), ("median AE", True), ("mean_absolute_error", True), ("R2", False)]
    + [("accuracy", False), ("precision", False), ("ROC AUC", False), ("log loss", True)],
)
def test_errors_should_be_small_and_scores_large(metric: str, smaller: bool) -> None:
    assert smaller_is_better(metric) is smaller


def test_without_baselines_there_is_no_verdict(score: Maker) -> None:
    (headline,) = headlines([], [score(0.1)], [])
    assert headline.verdict == ""


def test_card_shows_number_interval_and_a_bar_each(score: Maker) -> None:
    (headline,) = headlines([], [score(0.1, 0.08, 0.12)], [score(0.4, baseline="<b>forest")])
    card = headline_card(headline, "cgcnn")
    assert "0.100" in card
    assert "95% interval 0.0800 to 0.120" in card
    assert 'style="width:25.0%"' in card
    assert "&lt;b&gt;forest" in card


def test_interval_is_empty_when_unknown(score: Maker) -> None:
    assert interval(score(0.1)) == ""
