"""A search over options: what may be chosen, who judges, early stops, kills, what is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError, GnnmatWarning
from gnnmat.models.cgcnn import CgcnnEncoder
from gnnmat.train.config import load_config
from gnnmat.workflows import tune as tuning
from gnnmat.workflows.search_space import (
    Choice,
    Range,
    check_space,
    current_values,
    default_space,
    parse_space,
    with_values,
)
from gnnmat.workflows.study import Told, open_study
from gnnmat.workflows.tune import Tuned, tune

from ..train.tiny import config, crystals, graph_cache, records, trained, volumes  # noqa: F401

SPACE = parse_space(["optimizer.lr=1e-3..1e-1:log", "model.width=4,8"])
RATES = parse_space(["optimizer.lr=1e-3..1e-1:log"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("tune") / "search"
    return tune(config(), folder, budget=5, space=SPACE, records=records())


def test_space_is_read_from_lines() -> None:
    lines = ["a.b=1e-4..1e-2:log", "c=1..5", "d=0.5..5", "e=32,64", "f=x,y", "g=[8],[16, 8]",
             "h=3e-4,1e-3"]  # fmt: skip
    assert parse_space(lines) == {
        "a.b": Range(1e-4, 1e-2, log=True),
        "c": Range(1, 5, whole=True),
        "d": Range(0.5, 5),
        "e": Choice((32, 64)),
        "f": Choice(("x", "y")),
        "g": Choice(([8], [16, 8])),
        "h": Choice((3e-4, 1e-3)),
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model.width", "expected NAME=VALUES"),
        ("model.width=64", "only one value"),
        ("optimizer.lr=a..b", "must be numbers"),
        ("optimizer.lr=1..0.1", "lower bound comes first"),
        ("optimizer.lr=0..0.1:log", "begins above zero"),
        ("optimizer.lr=1e-4..1:cube", "':cube' is unknown"),
    ],
)
def test_lines_of_other_forms_are_refused(line: str, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        parse_space([line])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model.widht=32,64", "model.widht: unknown option"),
        ("modle.width=32,64", "Did you mean 'model'"),
        ("model.width=-1,64", "model.width"),
        ("split.seed=0,1", "would not be comparable"),
        ("trainer.seed=0,1", "would not be comparable"),
        ("data.limit=10,20", "would not be comparable"),
        ("trainer={seed: 0},{seed: 1}", "same validation rows, with the same seed"),
        ("start.run=a,b", "Each run to begin with has seen other rows"),
        ("start={run: a},{run: b}", "Each run to begin with has seen other rows"),
        ("task.kind=regression,gaussian", "score counts in the task's own scale"),
        ("task.scale=standard,log", "score counts in the task's own scale"),
        ("task.points=together,each", "score counts in the task's own scale"),
        ("task.positive=true,false", "score counts in the task's own scale"),
        ("task.weights=none,balanced", "score counts in the task's own scale"),
        ("task.of_numbers.scale=standard,log", "score counts in the task's own scale"),
        ("task.weight=0.1,1", "score counts in the task's own scale"),
        ("task={scale: log},{scale: none}", r"Fix: .*task.loss and task.head"),
    ],
)
def test_options_that_do_not_fit_are_refused(line: str, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        check_space(config(), parse_space([line]))


def test_loss_and_head_may_be_chosen() -> None:
    lines = ["task.loss=mse,mae", "task.head.dropout=0..0.5", "task.head.hidden=[8],[8, 8]"]
    check_space(config(), parse_space(lines))


def test_score_does_not_depend_on_the_loss_but_does_on_the_scale(tmp_path: Path) -> None:
    """Why the one may be chosen and the other may not: a rate that moves nothing."""
    values = []
    for number, options in enumerate(({}, {"task__loss": "mae"}, {"task__scale": "none"})):
        still = config(optimizer__lr=1e-12, trainer__epochs=1, **options)
        space = {"optimizer.weight_decay": Choice((1e-4, 0.0))}
        found = tune(still, tmp_path / str(number), budget=1, space=space, records=records())
        values.append(found.value)
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert values[2] > 3 * values[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer__weight_decay": 0},
        {"optimizer__weight_decay": 0.3, "optimizer__lr": 2},
        {"optimizer__weight_decay": 1e-9},
        {"trainer__batch_size": 1, "model__width": 1},
        {"trainer__batch_size": 3, "model__layers": 2},
        {"start__run": "old", "start__body_lr": 0.001},
        {"start__run": "old", "start__body_lr": 5},
    ],
)
def test_default_space_holds_any_recipe(options: dict[str, Any]) -> None:
    chosen = config(**options)
    space = default_space(chosen)
    check_space(chosen, space)
    own = current_values(chosen, space)
    assert set(own) == set(space)
    assert with_values(chosen, own) == chosen
    for one in space.values():
        if isinstance(one, Choice):
            assert len(set(one.values)) == len(one.values) >= 2


def test_recipe_outside_the_space_is_said(tmp_path: Path) -> None:
    space = parse_space(["optimizer.lr=1e-3,2e-3"])
    words = "itself lies outside the space and is not tried: optimizer.lr is 0.01"
    with pytest.warns(GnnmatWarning, match=words):
        tune(config(), tmp_path / "s", budget=1, space=space, records=records())
    whole = {"optimizer.lr": Range(0, 5, whole=True)}
    assert current_values(config(optimizer__lr=2.5), whole) == {}
    assert current_values(config(optimizer__lr=2), whole) == {"optimizer.lr": 2}


def test_recipe_is_known_however_the_space_spells_its_number(tmp_path: Path) -> None:
    space = parse_space(["optimizer.weight_decay=1,0", "trainer.clip=0.5,1"])
    chosen = config(optimizer__weight_decay=0, trainer__clip=1)
    found = tune(chosen, tmp_path / "s", budget=1, space=space, records=records())
    first = found.trials.iloc[0]
    assert (first["optimizer.weight_decay"], first["trainer.clip"]) == (0, 1)


def test_default_space_holds_the_shipped_recipes() -> None:
    for recipe in ("crystals", "spectra", "matbench_phonons"):
        chosen = load_config(recipe)
        space = default_space(chosen)
        check_space(chosen, space)
        own = current_values(chosen, space)
        assert set(own) == set(space)
        assert with_values(chosen, own) == chosen


def test_best_is_the_lowest_of_the_trials(found: Tuned) -> None:
    done = found.trials[found.trials["state"] == "complete"]
    assert found.value == done["value"].min()
    best = done.loc[done["value"].idxmin()]
    assert found.best.optimizer.lr == best["optimizer.lr"]
    assert found.best.model.width == best["model.width"]  # type: ignore[union-attr]
    assert load_config(found.folder / "best.yaml") == found.best
    assert len(found.trials) == 5
    assert sum(found.importance.values()) == pytest.approx(1)
    page = (found.folder / "tune.html").read_text()
    assert page.count("<tr>") == 5 + 1 + 2 + 1
    assert "<script" not in page


def test_first_trial_is_the_recipe(found: Tuned) -> None:
    first = found.trials.iloc[0]
    assert (first["optimizer.lr"], first["model.width"]) == (0.01, 8)


def test_value_is_the_best_validation_score_of_the_fit(found: Tuned) -> None:
    history = pd.read_csv(found.folder / "trials" / "000" / "history.csv")
    assert found.trials.iloc[0]["value"] == pytest.approx(history["val_score"].min(), rel=1e-6)


def test_test_rows_are_not_looked_at(tmp_path: Path) -> None:
    """Labels of the test rows turned upside down change nothing; of the validation rows, all."""
    from gnnmat.workflows.preparation import prepare

    prepared = prepare(config(), records())
    values = []
    for part in ("none", "test", "val"):
        made = volumes(crystals(30))
        rows = prepared.rows(part)
        made[rows] = 1000 - made[rows]
        data = records(targets={"volume": made})
        found = tune(config(), tmp_path / part, budget=2, space=RATES, records=data)
        values.append(found.trials["value"].tolist())
    assert values[0] == values[1]
    assert values[0] != values[2]


def test_same_call_goes_on_and_another_search_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"space": RATES, "records": records()}
    tune(config(), tmp_path / "s", budget=2, **options)
    seen: list[Told] = []
    again = tune(
        config(), tmp_path / "s", budget=3, on_trial=seen.append,
        **options,
    )  # fmt: skip
    assert [(one.row["number"], one.place, one.budget) for one in seen] == [(2, 3, 3)]
    assert seen[0].best == again.value
    assert again.trials["number"].tolist() == [0, 1, 2]
    assert again.trials["optimizer.lr"].nunique() == 3
    with pytest.raises(GnnmatError, match="another recipe or another space"):
        tune(config(), tmp_path / "s", budget=3, space=SPACE, records=records())


def test_killed_search_tries_the_same_trial_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune(config(), tmp_path / "whole", budget=2, space=RATES, records=records())
    steps = {"taken": 0}
    original = CgcnnEncoder.local

    def local(self: CgcnnEncoder, batch: Any) -> Any:
        steps["taken"] += self.training
        if steps["taken"] == 8:  # three steps an epoch, two epochs a trial
            raise KeyboardInterrupt
        return original(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(CgcnnEncoder, "local", local)
        with pytest.raises(KeyboardInterrupt):
            tune(config(), tmp_path / "s", budget=2, space=RATES, records=records())
    tried = open_study(tmp_path / "s", config()).get_trials()[1].params["optimizer.lr"]
    told: list[Told] = []
    options: dict[str, Any] = {"space": RATES, "records": records(), "on_trial": told.append}
    found = tune(config(), tmp_path / "s", budget=2, **options)
    assert [(one.row["number"], one.place, one.budget) for one in told] == [(2, 2, 2)]
    done = found.trials[found.trials["state"] == "complete"]
    assert done["optimizer.lr"].tolist()[1] == tried
    assert done["value"].tolist() == whole.trials["value"].tolist()


def test_without_the_requeue_the_killed_trial_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of the test above."""
    study = tmp_path / "s"
    monkeypatch.setattr(tuning, "run_trial", _stop_in_the_second(tuning.run_trial))
    with pytest.raises(KeyboardInterrupt):
        tune(config(), study, budget=2, space=RATES, records=records())
    tried = open_study(study, config()).get_trials()[1].params["optimizer.lr"]
    monkeypatch.setattr(tuning, "requeue", lambda *_: None)
    found = tune(config(), study, budget=2, space=RATES, records=records())
    done = found.trials[found.trials["state"] == "complete"]
    assert tried not in done["optimizer.lr"].tolist()


def test_recipe_that_a_kill_found_undrawn_still_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "s"
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "draw", _killed)
        with pytest.raises(KeyboardInterrupt):
            tune(config(), study, budget=1, space=RATES, records=records())
    found = tune(config(), study, budget=1, space=RATES, records=records())
    assert found.best.optimizer.lr == config().optimizer.lr


def _killed(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_search_goes_on_when_the_run_it_begins_with_has_moved(tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained().folder, old)
    chosen = config("twice", start__run=str(old), trainer__epochs=1)
    data = records(targets={"twice": 2 * volumes(crystals(30))})
    tune(chosen, tmp_path / "s", budget=1, space=RATES, records=data)
    old.rename(tmp_path / "moved")
    again = tune(chosen, tmp_path / "s", budget=2, space=RATES, records=data)
    assert again.trials["state"].tolist() == ["complete"] * 2
    # The twin: a search that has not begun has no copy.
    with pytest.raises(GnnmatError, match="is not a finished run"):
        tune(chosen, tmp_path / "t", budget=1, space=RATES, records=data)


def _stop_in_the_second(original: Any) -> Any:
    calls = {"made": 0}

    def run(*given: Any) -> Any:
        calls["made"] += 1
        if calls["made"] == 2:
            raise KeyboardInterrupt
        return original(*given)

    return run


def test_hopeless_trial_is_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four trials learn, the fifth cannot; the twin without pruning runs to its end."""
    epochs = []
    for stop in (True, False):
        if not stop:
            monkeypatch.setattr("optuna.Trial.should_prune", lambda self: False)
        study = tmp_path / f"s{stop}"
        chosen = config(trainer__epochs=4)
        rates = iter([0.01, 0.02, 0.015, 0.012, 1e-7])
        monkeypatch.setattr(tuning, "draw", lambda *_, r=rates: next(r))
        space = parse_space(["optimizer.lr=1e-8..1e-1:log"])
        found = tune(chosen, study, budget=5, space=space, records=records())
        epochs.append(int(found.trials["epochs"].iloc[-1]))
    assert epochs[0] < 4
    assert epochs[1] == 4


def test_failed_trial_is_listed_and_counts(tmp_path: Path) -> None:
    space = {"optimizer.lr": Choice((0.01, 1e30))}
    found = tune(config(), tmp_path / "s", budget=6, space=space, records=records())
    failed = found.trials[found.trials["state"] == "fail"]
    assert len(failed)
    assert failed["error"].str.contains("The loss became").all()
    assert len(found.trials) == 6


def test_search_that_only_fails_says_why(tmp_path: Path) -> None:
    space = {"optimizer.lr": Choice((1e30, 2e30))}
    told: list[Told] = []
    with (
        pytest.warns(GnnmatWarning, match="not tried"),
        pytest.raises(GnnmatError, match="The loss became"),
    ):
        tune(
            config(), tmp_path / "s", budget=20, space=space, records=records(),
            on_trial=told.append,
        )  # fmt: skip
    assert [(one.place, one.best) for one in told] == [(1, None), (2, None), (3, None), (4, None)]


def test_search_needs_validation_rows(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="no validation rows"):
        tune(config(split__val=0), tmp_path / "s", space=RATES, records=records())
    with pytest.raises(GnnmatError, match="one device, and trainer.devices is 2"):
        tune(config(trainer__devices=2), tmp_path / "s", space=RATES, records=records())
    assert not (tmp_path / "s").exists()


def test_time_ends_a_search(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="No trial came to an end"):
        tune(config(), tmp_path / "s", hours=0, space=RATES, records=records())


def test_missing_optuna_is_said_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    with pytest.raises(GnnmatError, match=r"pip install 'gnnmat\[tune\]'"):
        tune(config(), tmp_path / "s", records=records())
    assert not (tmp_path / "s").exists()


def test_tuning_is_imported_only_when_used() -> None:
    for name in ("tune", "study", "trial", "search_space"):
        lines = (Path(tuning.__file__).with_name(f"{name}.py")).read_text().splitlines()
        assert not [line for line in lines if line.startswith(("import optuna", "from optuna"))]


def test_api_tunes(tmp_path: Path) -> None:
    found = gnnmat.tune(
        config(trainer__epochs=1), space=["optimizer.lr=1e-3,1e-2"], budget=1,
        output=tmp_path / "s",
        structures=crystals(30), targets={"volume": np.asarray(volumes(crystals(30)))},
    )  # fmt: skip
    assert len(found.trials) == 1
