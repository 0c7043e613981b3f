"""The trials of a search on disk: drawn, told, taken up after a kill, and listed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gnnmat.train.config import RunConfig
from gnnmat.workflows.search_space import Choice, Range, Space, current_values

if TYPE_CHECKING:
    import optuna

STUDY = "study.log"
STARTUP = 4  # trials that are never stopped early, and before which nothing is modelled


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

    if not study.get_trials(deepcopy=False):
        own = current_values(config, space)
        if own:
            study.enqueue_trial(_as_told(own, space))
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if set(trial.params) == set(space):
            study.enqueue_trial(trial.params)


def finished_trials(study: optuna.Study) -> int:
    """Trials that came to their end, not stopped and not failed."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def is_over(study: optuna.Study, budget: int | None, end: float | None) -> bool:
    """Whether the budget is spent, or the time (of `time.monotonic`) is up."""
    from optuna.trial import TrialState

    # Trials that a kill cut short were tried again and do not count twice.
    told = study.get_trials(deepcopy=False)
    counted = [
        one
        for one in told
        if one.state in (TrialState.COMPLETE, TrialState.PRUNED) or "error" in one.user_attrs
    ]
    if budget is not None and len(counted) >= budget:
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
