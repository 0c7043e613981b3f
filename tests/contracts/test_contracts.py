"""Every member of every union meets the contracts; a new one is met unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from gnnmat.augment import Augment
from gnnmat.data.splits import Split
from gnnmat.inputs import Input
from gnnmat.models import Model
from gnnmat.sources import Source
from gnnmat.tasks import TaskConfig
from gnnmat.train.unions import members

from . import crystals
from .cases import EncoderCase, TaskCase, encoder_cases, takes_crystals, task_cases
from .checks import ENCODER_CHECKS, GRAPH_CHECKS, check_is_the_same_for
from .config_checks import (
    CONFIG_CHECKS,
    EXAMPLE_CHECKS,
    INPUT_CHECKS,
    SOURCE_CHECKS,
    SPLIT_CHECKS,
)
from .task_checks import TASK_CHECKS, check_learns_with, check_learns_without_labels

UNIONS = {"model": Model, "task": TaskConfig, "input": Input, "split": Split, "source": Source}
UNIONS["augment"] = Augment
CONFIGS = {
    f"{name}-{kind}": (name, config)
    for name, union in UNIONS.items()
    for kind, config in members(union).items()
}
ENCODERS, TASKS = encoder_cases(), task_cases()
CRYSTAL_ENCODERS = {name: case for name, case in ENCODERS.items() if takes_crystals(case)}
GRAPH_ENCODERS = {
    name: case for name, case in ENCODERS.items() if "edge_index" in case.fresh().reads
}
# Labels an atom need atoms.
PAIRS = {
    f"{task}-{encoder}": (TASKS[task], ENCODERS[encoder])
    for task in TASKS
    for encoder in ENCODERS
    if TASKS[task].level == "sample" or "z" in ENCODERS[encoder].input.fields
}
# Tasks that learn from the samples alone, as yet of images of two axes.
LABEL_FREE = {
    f"{kind}-{name}": (task, case)
    for kind, task in members(TaskConfig).items()
    for name, case in ENCODERS.items()
    if task.example().own_targets and len(case.spec.image_shape) == 2
}

Check = Callable[[Any], None]


def named(checks: tuple[Check, ...]) -> Any:
    return pytest.mark.parametrize("check", checks, ids=lambda check: check.__name__[6:])


def each(name: str, cases: dict[str, Any]) -> Any:
    return pytest.mark.parametrize(name, cases.values(), ids=cases)


@each("case", ENCODERS)
@named(ENCODER_CHECKS)
def test_encoder(check: Check, case: EncoderCase) -> None:
    check(case)


@each("case", GRAPH_ENCODERS)
@named(GRAPH_CHECKS)
def test_graph_encoder(check: Check, case: EncoderCase) -> None:
    check(case)


@each("case", CRYSTAL_ENCODERS)
@pytest.mark.parametrize("relative", crystals.RELATIVES)
def test_crystal_encoder_is_the_same_for(relative: str, case: EncoderCase) -> None:
    check_is_the_same_for(case, relative)


@each("case", TASKS)
@named(TASK_CHECKS)
def test_task(check: Check, case: TaskCase) -> None:
    check(case)


@each("pair", PAIRS)
def test_task_learns_with(pair: tuple[TaskCase, EncoderCase]) -> None:
    check_learns_with(*pair)


@each("pair", LABEL_FREE)
def test_task_learns_without_labels_with(pair: tuple[Any, EncoderCase]) -> None:
    check_learns_without_labels(*pair)


@each("member", CONFIGS)
@named(CONFIG_CHECKS)
def test_config(check: Check, member: tuple[str, type[BaseModel]]) -> None:
    check(member[1])


@each("member", {name: pair for name, pair in CONFIGS.items() if pair[0] != "source"})
@named(EXAMPLE_CHECKS)
def test_example(check: Check, member: tuple[str, type[BaseModel]]) -> None:
    check(member[1])


@each("config", members(Input))
@named(INPUT_CHECKS)
def test_input(check: Check, config: type[BaseModel]) -> None:
    check(config)


@each("config", members(Split))
@named(SPLIT_CHECKS)
def test_split(check: Check, config: type[BaseModel]) -> None:
    check(config)


@each("config", members(Source))
@named(SOURCE_CHECKS)
def test_source(check: Check, config: type[BaseModel]) -> None:
    check(config)


def test_no_model_escapes_for_want_of_an_input() -> None:
    fed = {name.partition("-")[2] for name in ENCODERS}
    assert fed == set(members(Model)), "a model that no input feeds is not tested"
    assert CRYSTAL_ENCODERS
    assert GRAPH_ENCODERS


@pytest.mark.parametrize("union", UNIONS.values(), ids=UNIONS)
def test_kinds_of_a_union_differ(union: object) -> None:
    from typing import get_args

    assert len(members(union)) == len(get_args(get_args(union)[0]))
