"""A search over options of a recipe: trials judged on the validation rows, never on test rows."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml
from rich.console import Console

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.train.config import RunConfig
from gnnmat.workflows.preparation import Prepared, prepare
from gnnmat.workflows.run_folder import claim
from gnnmat.workflows.search_space import Space, check_space, default_space, with_values
from gnnmat.workflows.study import (
    STARTUP,
    Told,
    best_value,
    counted_trials,
    draw,
    finished_trials,
    importances,
    is_over,
    open_study,
    requeue,
    trials_table,
)
from gnnmat.workflows.transfer import find_start, keep_start, with_start
from gnnmat.workflows.trial import run_trial
from gnnmat.workflows.tune_page import tune_page

if TYPE_CHECKING:
    import optuna

SETUP, BEST, TRIALS = "tune.json", "best.yaml", "trials.csv"
IMPORTANCE, PAGE = "importance.csv", "tune.html"


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Args:
        folder: the study, ``best.yaml``, ``trials.csv``, ``importance.csv`` and the page.
        best: the recipe of the best trial.
        value: its score on the validation rows (the lower the better).
        trials: a row a trial: number, state, value, epochs, seconds, and the options.
        importance: share of each option in how much the scores differ; empty for few trials.
    """

    folder: Path
    best: RunConfig
    value: float
    trials: pd.DataFrame
    importance: dict[str, float]


def tune(
    config: RunConfig,
    folder: Path,
    *,
    budget: int | None = None,
    hours: float | None = None,
    space: Space | None = None,
    records: Records | None = None,
    console: Console | None = None,
    on_trial: Callable[[Told], None] | None = None,
) -> Tuned:
    """The best options that were found; the same call again goes on with the search.

    The first trial is the recipe itself, unless the space leaves it out. A trial that does worse
    than the median of the others at the same epoch is stopped; all trials have the same epochs and
    schedule, so that this is a fair comparison.

    Args:
        config: the recipe.
        folder: of the study.
        budget: trials altogether, those of earlier calls included; default 20, or no limit
            where ``hours`` is given.
        hours: no trial begins after so long, counted from this call.
        space: options by dotted name; default by the model.
        records: what to learn from, instead of the config's source.
        console: for progress of each trial; None is silent.
        on_trial: told of every trial that ended.

    Raises:
        GnnmatError: optuna is not installed, the space does not fit the recipe, the folder holds
            another search, there are no validation rows, or no trial came to an end.

    Source: Akiba et al., "Optuna", KDD 2019; the sampler is its tree-structured Parzen estimator.
    """
    _need_optuna()
    place = find_start(config, folder, *([folder] if (folder / SETUP).is_file() else []))
    config = with_start(config, place)
    chosen = dict(default_space(config) if space is None else space)
    check_space(config, chosen)
    budget = 20 if budget is None and hours is None else budget
    rooms = _Rooms(records, quiet=console is None)
    _check_judges(config, rooms.of(config))  # before anything is written
    _claim(config, folder, chosen)
    keep_start(config, place, folder)
    study = open_study(folder, config)
    requeue(study, config, chosen)
    end = time.monotonic() + 3600 * hours if hours is not None else None
    failure: GnnmatError | None = None
    while not is_over(study, budget, end):
        trial = study.ask()
        failure = _one(study, trial, config, chosen, rooms, folder, console) or failure
        table = trials_table(study)
        _write(study, table, config, folder)
        if on_trial is not None:
            row = table[table["number"] == trial.number].iloc[0]
            on_trial(Told(row, counted_trials(study), budget, best_value(study)))
        if failure is not None and counted_trials(study) >= STARTUP and not finished_trials(study):
            break
    if not finished_trials(study):
        raise failure or GnnmatError("No trial came to an end.", fix="Give more --hours.")
    table = trials_table(study)
    return Tuned(folder, _best(study, config), float(study.best_value), table, importances(study))


class _Rooms:
    """Samples and parts, prepared once for all trials that share them."""

    def __init__(self, records: Records | None, *, quiet: bool) -> None:
        self.records = records
        self.quiet = quiet
        self.known: dict[str, Prepared] = {}

    def of(self, config: RunConfig) -> Prepared:
        key = config.input.model_dump_json() + config.task.model_dump_json()
        if key not in self.known:
            self.known = {key: prepare(config, self.records, quiet=self.quiet)}
        return self.known[key]


def _one(
    study: optuna.Study,
    trial: optuna.Trial,
    config: RunConfig,
    space: Space,
    rooms: _Rooms,
    folder: Path,
    console: Console | None,
) -> GnnmatError | None:
    """One trial, told to the study; what went wrong with it, if anything."""
    import optuna

    home = folder / "trials" / f"{trial.number:03d}"
    shutil.rmtree(home, ignore_errors=True)
    began = time.monotonic()
    start = find_start(config, folder, folder)  # the copy, which stays where it is

    def report(epoch: int, value: float) -> bool:
        trial.report(value, epoch)
        return trial.should_prune()

    try:
        made = with_values(config, {name: draw(trial, name, one) for name, one in space.items()})
        value, stopped = run_trial(made, rooms.of(made), home, report, console, start)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Go on with the same command.") from None
    except GnnmatError as error:
        trial.set_user_attr("error", error.sentence)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return error
    trial.set_user_attr("seconds", round(time.monotonic() - began, 1))
    shutil.rmtree(home / "checkpoints", ignore_errors=True)
    state = optuna.trial.TrialState.PRUNED if stopped else optuna.trial.TrialState.COMPLETE
    study.tell(trial, None if stopped else value, state=state)
    return None


def _best(study: optuna.Study, config: RunConfig) -> RunConfig:
    params = study.best_trial.params
    drawn = {k: json.loads(v) if isinstance(v, str) else v for k, v in params.items()}
    made = with_values(config, drawn)
    return made.model_copy(update={"name": f"{config.name}-tuned"})


def _write(study: optuna.Study, table: pd.DataFrame, config: RunConfig, folder: Path) -> None:
    write_atomically(folder / TRIALS, table.to_csv(index=False))
    if not finished_trials(study):
        return
    shares = importances(study)
    listed = pd.DataFrame({"option": list(shares), "importance": list(shares.values())})
    write_atomically(folder / IMPORTANCE, listed.to_csv(index=False))
    write_atomically(folder / BEST, _best(study, config).to_yaml())
    write_atomically(folder / PAGE, tune_page(table, shares, config.name))


def _check_judges(config: RunConfig, prepared: Prepared) -> None:
    """Refuse a recipe whose trials cannot be judged."""
    if not len(prepared.rows("val")):
        raise GnnmatError(
            "There are no validation rows to judge trials by.", fix="--set split.val=0.1"
        )
    if config.trainer.devices != 1:
        raise GnnmatError(
            f"A trial runs on one device, and trainer.devices is {config.trainer.devices}.",
            fix="--set trainer.devices=1",
        )


def _claim(config: RunConfig, folder: Path, space: Space) -> None:
    """Make the folder ours, or go on with the same search.

    Raises:
        GnnmatError: it holds another one, or something else.
    """
    told = {name: str(choice) for name, choice in space.items()}
    setup = json.dumps({"space": told, "recipe": yaml.safe_load(config.to_yaml())}, indent=1)
    path = folder / SETUP
    if path.is_file():
        if path.read_text() != setup:
            raise GnnmatError(
                f"{folder} holds a search of another recipe or another space.",
                fix="Choose another --output.",
            )
        return
    claim(folder, resume=False, overwrite=False)
    write_atomically(path, setup)


def _need_optuna() -> None:
    if find_spec("optuna") is None:
        raise GnnmatError(
            "Tuning needs optuna, which is not installed.", fix="pip install 'gnnmat[tune]'"
        )
