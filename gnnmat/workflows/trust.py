"""When to trust an answer, and how far: thresholds and intervals fixed on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.models.encoder import Encoder
from gnnmat.sources.records import Records
from gnnmat.train.checkpoint import PU_RECIPE, load_run_config
from gnnmat.train.committee import load_committee
from gnnmat.train.config import RunConfig
from gnnmat.train.domain import unseen_elements
from gnnmat.train.intervals import COVERAGE, Interval
from gnnmat.train.judge import Judge, load_judge
from gnnmat.train.trust import Trust, largest_surprise, load_trust, save_trust
from gnnmat.train.trust_scores import Usual, limit
from gnnmat.workflows.calibration import calibrate_classes, error_factors
from gnnmat.workflows.intervals import Known, group_name, known_numbers
from gnnmat.workflows.lessons import write_lessons
from gnnmat.workflows.looks import Look, Looking
from gnnmat.workflows.preparation import Prepared, prepare
from gnnmat.workflows.start_notes import warn_of_known_rows
from gnnmat.workflows.uncertainty import assess, forget_uncertainty, write_uncertainty

__all__ = ["COVERAGE", "FALSE_REFUSAL", "Judge", "fit_trust", "judge", "load_judge"]

FALSE_REFUSAL = 0.05


def fit_trust(
    folder: Path,
    *,
    records: Records | None = None,
    model: Encoder | None = None,
    false_refusal: float = FALSE_REFUSAL,
    coverage: float = COVERAGE,
    scores: Sequence[str] | None = None,
    samples: int = 0,
    draws: int = 1,
    seed: int = 0,
    quiet: bool = True,
) -> Trust:
    """What is in distribution for a run or an ensemble, written into its folder.

    Densities are learned from the training rows; thresholds, scales, the temperature and the
    intervals of numbers from the validation rows alone. Nothing foreign is looked at. How good
    the intervals are is written beside, as ``uncertainty.json`` and ``uncertainty.html``.

    Args:
        folder: of a finished run or ensemble.
        records: what it was trained on, if that was given in Python.
        model: the user's own encoder, if it has one.
        false_refusal: share of samples like the validation rows that may be refused, by all
            scores together.
        coverage: share of new samples whose true number lies in its interval.
        scores: those that count in the verdict; default all, but where numbers have intervals
            not the disagreement, of which the width of the interval tells.
        samples: draws of the dropout of each member; 0 leaves it out.
        draws: times that every validation row is looked at, with other noise each time.
        seed: of the draws.
        quiet: no progress bar.

    Raises:
        GnnmatError: values on atoms, no validation rows, too few for the rate, unknown score.
    """
    for name, share in (("false-refusal rate", false_refusal), ("coverage", coverage)):
        if not 0 < share < 1:
            raise GnnmatError(f"The {name} {share:g} is no share between 0 and 1.")
    committee = load_committee(folder, model=model, samples=samples, seed=seed)
    config = load_run_config(folder)
    prepared = _rows_of(folder, config, records, quiet=quiet)
    looking = Looking(committee, config, prepared, draws=draws, seed=seed)
    trust = fixed(looking, false_refusal=false_refusal, coverage=coverage, scores=scores)
    forget_uncertainty(folder)
    save_trust(folder, trust)
    write_lessons(folder, looking)
    trust = load_trust(folder)
    if trust.intervals:
        warn_of_known_rows(folder, prepared)
        write_uncertainty(folder, assess(trust, judged_parts(looking, trust), seed=seed), config)
    return trust


def _rows_of(folder: Path, config: RunConfig, records: Records | None, *, quiet: bool) -> Prepared:
    """The rows of a run as its fits had them."""
    if not (folder / PU_RECIPE).is_file():
        return prepare(config, records, quiet=quiet)
    from gnnmat.workflows.pu.options import load_pu
    from gnnmat.workflows.pu.rows import find_rows, open_records

    recipe = load_pu(folder / PU_RECIPE)
    return find_rows(recipe, *open_records(recipe, records), quiet=quiet).prepared


def fixed(
    looking: Looking,
    *,
    false_refusal: float = FALSE_REFUSAL,
    coverage: float = COVERAGE,
    scores: Sequence[str] | None = None,
) -> Trust:
    """Thresholds, calibrations and intervals that the validation rows ask for; nothing is written.

    Args:
        looking: the committee and its rows.
        false_refusal: share of samples like the validation rows that may be refused.
        coverage: of the intervals.
        scores: those that count in the verdict, see `fit_trust`.
    """
    committee, prepared, val = looking.committee, looking.prepared, looking.val
    intervals, without = _intervals(_known(looking, val), coverage)
    if scores is None and not committee.trained.task.labels_are_truth:
        scores = sorted(looking.scales)  # doubts about labels say nothing here
    used = _chosen(val.scores, scores, bool(intervals))
    usual = {name: Usual.of(values) for name, values in val.scores.items()}
    together = largest_surprise(usual, used, val.scores)
    temperature, calibration = calibrate_classes(
        committee, prepared, val.seen, looking.labels, looking.draws
    )
    rows = {"train": looking.train_rows, "val": len(prepared.rows("val")), "draws": looking.draws}
    facts = {
        "members": len(committee.members),
        "samples": committee.samples,
        "rows": rows,
        "calibration": calibration,
        "error_factors": error_factors(committee, prepared, val.seen, looking.draws),
        "groups": group_name(looking.config, prepared),
        "without_interval": without,
    }
    return Trust(
        usual,
        used,
        Usual.of(together),
        limit(together, false_refusal),
        false_refusal,
        looking.densities,
        looking.scales,
        temperature,
        tuple(intervals),
        facts,
    )


def judged_parts(looking: Looking, trust: Trust) -> dict[str, list[Known]]:
    """By ``val`` and ``test`` the answers whose truth is known, with the verdict on each row."""
    parts = {"val": looking.val, "test": looking.test()}
    return {
        name: _known(looking, part, trusted_rows(looking, trust, part))
        for name, part in parts.items()
        if part is not None
    }


def trusted_rows(looking: Looking, trust: Trust, part: Look) -> NDArray[np.bool_]:
    """(looks,) whether each is in domain: by its scores, and without new elements."""
    dataset = looking.prepared.dataset
    numbers = [dataset.numbers[row] for row in part.rows]
    unseen = unseen_elements(numbers, looking.committee.trained.spec.elements)
    fine = trust.judge(part.scores).in_distribution
    return fine & np.array([not one for one in unseen], dtype=bool)


def judge(
    run: str | Path,
    samples: Sequence[Any] | Records | Any,
    *,
    ids: Sequence[str] | None = None,
    model: Encoder | None = None,
    quiet: bool = True,
) -> pd.DataFrame:
    """The table of predictions with ``trust_score``, ``verdict`` and what else `Judge` adds.

    Args:
        run: folder of a run or an ensemble that has thresholds, see `fit_trust`.
        samples: files, objects or records.
        ids: names, one a sample.
        model: the user's own encoder, if the run has one.
        quiet: no progress bar.
    """
    return load_judge(run, model=model).predict(samples, ids=ids, quiet=quiet)


def _known(looking: Looking, part: Look, trusted: NDArray[np.bool_] | None = None) -> list[Known]:
    return known_numbers(
        looking.committee,
        looking.prepared,
        part.rows,
        part.seen,
        part.scores,
        part.groups,
        trusted,
    )


def _intervals(known: Sequence[Known], coverage: float) -> tuple[list[Interval], dict[str, str]]:
    """Intervals of the targets, and why some have none."""
    found, without = [], {}
    for one in known:
        try:
            found.append(one.calibrate(coverage))
        except GnnmatError as error:
            # Thresholds need fewer rows than intervals; one must not take the other away.
            without[one.answer.target.name] = error.sentence
    return found, without


def _chosen(
    found: dict[str, Any], scores: Sequence[str] | None, has_intervals: bool
) -> tuple[str, ...]:
    if scores is None:
        return tuple(name for name in found if name != "disagreement" or not has_intervals)
    for name in scores:
        if name not in found:
            raise GnnmatError(f"There is no score '{name}'.", fix=did_you_mean(name, found))
    if not scores:
        raise GnnmatError("At least one score must count in the verdict.")
    return tuple(scores)
