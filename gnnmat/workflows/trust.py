"""When to trust an answer: thresholds fixed on validation rows, and verdicts in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.data.dataset import SampleDataset
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import load_run_config
from gnnmat.train.committee import Committee, class_probabilities, load_committee
from gnnmat.train.judge import Judge, load_judge
from gnnmat.train.strangeness import (
    FEATURES,
    STATISTICS,
    all_scores,
    member_distances,
)
from gnnmat.train.trust import Trust, largest_surprise, load_trust, save_trust
from gnnmat.train.trust_scores import Density, Usual, fit_density, limit
from gnnmat.train.uncertainty import (
    calibration_error,
    error_factor,
    fit_temperature,
    reliability,
    with_temperature,
)
from gnnmat.train.voices import Observed, joined
from gnnmat.workflows.preparation import Prepared, prepare

__all__ = ["FALSE_REFUSAL", "Judge", "fit_trust", "judge", "load_judge"]

FALSE_REFUSAL = 0.05
# Rows from which densities are learned; more make no difference to means and covariances.
TRAIN_ROWS = 5000


def fit_trust(
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    false_refusal: float = FALSE_REFUSAL,
    scores: Sequence[str] | None = None,
    samples: int = 0,
    draws: int = 1,
    seed: int = 0,
    quiet: bool = True,
) -> Trust:
    """What is in distribution for a run or an ensemble, written into its folder.

    Densities are learned from the training rows; thresholds, scales and the temperature from
    the validation rows alone. Nothing foreign is looked at.

    Args:
        folder: of a finished run or ensemble.
        records: what it was trained on, if that was given in Python.
        model: the user's own encoder, if it has one.
        false_refusal: share of samples like the validation rows that may be refused, by all
            scores together.
        scores: those that count in the verdict; default all.
        samples: draws of the dropout of each member; 0 leaves it out.
        draws: times that every validation row is looked at, with other noise each time.
        seed: of the draws.
        quiet: no progress bar.

    Raises:
        GnnmatError: values on atoms, no validation rows, too few for the rate, unknown score.
    """
    if not 0 < false_refusal < 1:
        raise GnnmatError(f"The false-refusal rate {false_refusal:g} is no share between 0 and 1.")
    committee = load_committee(folder, model=model, samples=samples, seed=seed)
    if committee.trained.task.level != "sample":
        raise GnnmatError("Trust is judged for values of whole samples, not of atoms.")
    prepared = prepare(load_run_config(folder), records, quiet=quiet)
    labels = class_labels(committee, prepared.dataset)
    train = prepared.rows("train")
    train = np.random.default_rng(seed).permutation(train)[:TRAIN_ROWS]
    densities = _densities(
        committee.observe(prepared.dataset, train, draw="fixed"),
        None if labels is None else labels[train],
        seed,
    )
    val = prepared.rows("val")
    if not len(val):
        raise GnnmatError("There are no validation rows to fix thresholds on.", fix="split.val=0.1")
    seen = _looked_at(committee, prepared.dataset, val, draws, seed)
    scales = {
        name: np.maximum(np.median(values, axis=1), 1e-12)
        for name, values in member_distances(densities, seen).items()
    }
    found = all_scores(committee.trained.task, densities, scales, seen)
    used = _chosen(found, scores)
    usual = {name: Usual.of(values) for name, values in found.items()}
    together = largest_surprise(usual, used, found)
    temperature, calibration = _calibrate(committee, prepared, seen, labels, draws)
    facts = {
        "members": len(committee.members),
        "samples": samples,
        "rows": {"train": len(train), "val": len(val), "draws": draws},
        "calibration": calibration,
        "error_factors": _error_factors(committee, prepared, seen, draws),
    }
    trust = Trust(
        usual,
        used,
        Usual.of(together),
        limit(together, false_refusal),
        false_refusal,
        densities,
        scales,
        temperature,
        facts,
    )
    save_trust(folder, trust)
    return load_trust(folder)


def judge(
    run: str | Path,
    samples: Sequence[Any] | Records | Any,
    *,
    ids: Sequence[str] | None = None,
    model: Encoder | None = None,
    quiet: bool = True,
) -> pd.DataFrame:
    """The table of predictions with ``in_distribution``, ``trust_score`` and ``verdict``.

    Args:
        run: folder of a run or an ensemble that has thresholds, see `fit_trust`.
        samples: files, objects or records.
        ids: names, one a sample.
        model: the user's own encoder, if the run has one.
        quiet: no progress bar.
    """
    return load_judge(run, model=model).predict(samples, ids=ids, quiet=quiet)


def class_labels(committee: Committee, dataset: SampleDataset) -> NDArray[np.int64] | None:
    """(rows,) class index of the first class target, -1 where unknown; None without classes."""
    task = committee.trained.task
    for target in task.targets:
        if target.classes and dataset.labels.sample is not None:
            column = dataset.labels.spec.at("sample").index(dataset.labels.spec[target.name])
            values = dataset.labels.sample[:, column].numpy()
            return np.where(np.isnan(values), -1, np.nan_to_num(values)).astype(np.int64)
    return None


def _looked_at(
    committee: Committee,
    dataset: SampleDataset,
    rows: NDArray[np.int64],
    draws: int,
    seed: int,
) -> Observed:
    """The rows, once a draw."""
    return joined(
        [
            committee.observe(dataset, rows, draw="fixed", seed=seed + number)
            for number in range(max(draws, 1))
        ]
    )


def _densities(
    seen: Observed, labels: NDArray[np.int64] | None, seed: int
) -> dict[str, tuple[Density, ...]]:
    found = {FEATURES: tuple(fit_density(rows.numpy(), labels, seed=seed) for rows in seen.pooled)}
    if seen.statistics is not None:
        found[STATISTICS] = (fit_density(seen.statistics.numpy(), labels, seed=seed),)
    return found


def _chosen(found: dict[str, Any], scores: Sequence[str] | None) -> tuple[str, ...]:
    if scores is None:
        return tuple(found)
    for name in scores:
        if name not in found:
            raise GnnmatError(f"There is no score '{name}'.", fix=did_you_mean(name, found))
    if not scores:
        raise GnnmatError("At least one score must count in the verdict.")
    return tuple(scores)


def _calibrate(
    committee: Committee,
    prepared: Prepared,
    seen: Observed,
    labels: NDArray[np.int64] | None,
    draws: int,
) -> tuple[float, dict[str, Any]]:
    """The temperature of the first class target, and the calibration before and after it."""
    target = next((one for one in committee.trained.task.targets if one.classes), None)
    if target is None or labels is None:
        return 1.0, {}
    chances = committee_probabilities(committee, seen, target.name)
    true = np.tile(labels[prepared.rows("val")], max(draws, 1))
    known = true >= 0
    if not known.any():
        return 1.0, {}
    temperature = fit_temperature(chances[known], true[known])
    out: dict[str, Any] = {"target": target.name}
    for name, scaled in (("before", 1.0), ("after", temperature)):
        table = reliability(with_temperature(chances[known], scaled), true[known])
        out[name] = {"ece": calibration_error(table), "bins": [asdict(one) for one in table]}
    return temperature, out


def _error_factors(
    committee: Committee, prepared: Prepared, seen: Observed, draws: int
) -> dict[str, float]:
    """By target what errors are multiplied by, so that they are as large as the validation says.

    Empty for tasks that give no errors.
    """
    task, labels = committee.trained.task, prepared.dataset.labels
    if labels.sample is None:
        return {}
    rows = np.tile(prepared.rows("val"), max(draws, 1))
    found = {}
    for name, columns in task.table(task.combine(seen.decoded)).items():
        if "error" not in columns:
            continue
        truth = labels.sample[rows, labels.spec.at("sample").index(labels.spec[name])].numpy()
        factor = error_factor(truth - np.array(columns["prediction"]), columns["error"])
        if factor is not None:
            found[name] = factor
    return found


def committee_probabilities(
    committee: Committee, found: Observed, target: str
) -> NDArray[np.float64]:
    """(rows, classes) probabilities of one target by all members together, not calibrated."""
    task = committee.trained.task
    classes = next(one.classes for one in task.targets if one.name == target)
    together = task.table(task.combine(found.decoded))[target]
    chances: NDArray[np.float64] = class_probabilities([together], classes)[0]
    return chances
