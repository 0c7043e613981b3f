"""The trials of a search on disk: drawn, told, taken up after a kill, and listed."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gnnmat.errors import GnnmatWarning
from gnnmat.train.config import RunConfig
from gnnmat.workflows.search_space import Choice, Range, Space, current_values, options_outside

if TYPE_CHECKING:
    import optuna

STUDY = "study.log"
STARTUP = 4  # trials that are never stopped early, and before which nothing is modelled


@dataclass(frozen=True)
class Told:
    """A trial that ended.

    Args:
        row: of ``trials``.
        place: how many count by now, this one among them; those a kill cut short do not.
        budget: how many there will be; None without a limit.
        best: lowest score of all trials that came to their end; None before the first.
    """

    row: pd.Series
    place: int
    budget: int | None
    best: float | None


def draw(trial: optuna.Trial, name: str, choice: Choice | Range) -> Any:
    """The value of one option in a trial."""
    if isinstance(choice, Choice):
        # Lists are told to the study as text, which is what it can keep.
        texts = [json.dumps(value) for value in choice.values]
        return json.loads(trial.suggest_categorical(name, texts))
    if choice.whole:
        return trial.suggest_int(name, int(choice.low), int(choice.high), log=choice.log)
    return trial.suggest_float(name, choice.low, choice.high, log=choice.log)


def _as_told(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    return {
        name: json.dumps(value) if isinstance(space[name], Choice) else value
        for name, value in values.items()
    }


def open_study(folder: Path, config: RunConfig) -> optuna.Study:
    """The study in a folder, new or taken up; a journal of lines, which a kill leaves readable."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(folder / STUDY)))
    study = optuna.create_study(
        storage=storage,
        study_name="gnnmat",
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP, n_warmup_steps=config.trainer.epochs // 4
        ),
    )
    # Another seed when a search goes on: it would draw again what it has drawn.
    seed = config.trainer.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
    return study


def requeue(study: optuna.Study, config: RunConfig, space: Space) -> None:
    """The recipe itself comes first; what a killed search was at is tried again."""
    from optuna.trial import TrialState

    _warn_outside(config, space)
    if not study.get_trials(deepcopy=False):
        own = current_values(config, space)
        if own:
            study.enqueue_trial(_as_told(own, space))
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        # A kill may come before all that was queued is drawn.
        params = {**trial.params, **trial.system_attrs.get("fixed_params", {})}
        if set(params) == set(space):
            study.enqueue_trial(params)


def _warn_outside(config: RunConfig, space: Space) -> None:
    """Say so where the first trial cannot be the recipe itself."""
    outside = options_outside(config, space)
    if outside:
        told = ", ".join(f"{name} is {value}" for name, value in outside.items())
        warnings.warn(
            f"The recipe itself lies outside the space and is not tried: {told}.",
            GnnmatWarning,
            stacklevel=4,
        )


def best_value(study: optuna.Study) -> float | None:
    """The lowest score of the trials that came to their end; None before the first."""
    return float(study.best_value) if finished_trials(study) else None


def finished_trials(study: optuna.Study) -> int:
    """Trials that came to their end, not stopped and not failed."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def counted_trials(study: optuna.Study) -> int:
    """Trials that count against the budget; those that a kill cut short are tried again."""
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    told = study.get_trials(deepcopy=False)
    return sum(one.state in ended or "error" in one.user_attrs for one in told)


def is_over(study: optuna.Study, budget: int | None, end: float | None) -> bool:
    """Whether the budget is spent, or the time (of `time.monotonic`) is up."""
    if budget is not None and counted_trials(study) >= budget:
        return True
    return end is not None and time.monotonic() >= end


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """A row a trial that ended: number, state, value, epochs, seconds, its options, an error."""
    rows = []
    for one in study.get_trials(deepcopy=False):
        if not one.state.is_finished():
            continue
        best = min(one.intermediate_values.values(), default=None)
        drawn = {k: json.loads(v) if isinstance(v, str) else v for k, v in one.params.items()}
        known = {"seconds": one.user_attrs.get("seconds"), "error": one.user_attrs.get("error", "")}
        state = one.state.name.lower()
        epochs = len(one.intermediate_values)
        rows.append(
            {"number": one.number, "state": state, "value": best, "epochs": epochs}
            | {"seconds": known["seconds"]}
            | drawn
            | {"error": known["error"]}
        )
    return pd.DataFrame(rows)


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each option, largest first; empty for fewer finished trials than can tell."""
    import optuna

    if finished_trials(study) < STARTUP:
        return {}
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except (ValueError, RuntimeError):  # all scores alike
        return {}
    return {name: float(value) for name, value in found.items()}
