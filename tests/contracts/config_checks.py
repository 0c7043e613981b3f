"""What every config class of a union keeps. Broken twins: ``test_config_twins.py``."""

from __future__ import annotations

import inspect
import json
import typing
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ValidationError

from gnnmat.data.split_table import SplitTable
from gnnmat.errors import GnnmatError
from gnnmat.sample import FIELDS, check_sample
from gnnmat.sources.records import Records

from .cases import as_sample, raws_for

Config = type[BaseModel]


def check_kind_is_its_one_name(config: Config) -> None:
    """``kind`` is a literal with one value, which is the default."""
    kind = config.model_fields["kind"]
    assert typing.get_origin(kind.annotation) is Literal, "kind is not a Literal"
    assert typing.get_args(kind.annotation) == (kind.default,), "kind is not its default"


def check_is_frozen(config: Config) -> None:
    """An option cannot be changed afterwards."""
    made = config.model_construct()
    try:
        made.kind = "other"  # type: ignore[attr-defined]
    except ValidationError:
        return
    raise AssertionError(f"{config.__name__} can be changed")


def check_refuses_unknown_options(config: Config) -> None:
    """An option that does not exist is refused, in the config and in every part of it."""
    for part in parts_of(config):
        try:
            part.model_validate({"surely_unknown": 1})
        except ValidationError as error:
            if "extra_forbidden" in {trouble["type"] for trouble in error.errors()}:
                continue
        raise AssertionError(f"{part.__name__} takes an option that does not exist")


def check_every_option_is_described(config: Config) -> None:
    """Every option but ``kind`` says what it is, and the class says what it is for."""
    for part in parts_of(config):
        assert vars(part).get("__doc__"), f"{part.__name__} has no docstring"
        for name, option in part.model_fields.items():
            described = name == "kind" or (option.description or "").strip()
            assert described, f"{part.__name__}.{name} has no description"


def parts_of(config: Config) -> list[Config]:
    """The config class and those of its options that are config classes."""
    parts = [config]
    for option in config.model_fields.values():
        for kind in (option.annotation, *typing.get_args(option.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                parts += parts_of(kind)
    return parts


def check_example_survives_yaml(config: Config) -> None:
    """``example()`` is an instance that YAML and JSON give back."""
    example = config.example()  # type: ignore[attr-defined]
    assert type(example) is config, "example() is of another class"
    plain = example.model_dump(mode="json")
    for text, read in ((yaml.safe_dump(plain), yaml.safe_load), (json.dumps(plain), json.loads)):
        assert config.model_validate(read(text)) == example, f"{text} is not {example!r}"


def check_source_opens_records(config: Config) -> None:
    """A source has ``open()``, which needs nothing and promises `Records`."""
    method = getattr(config, "open", None)
    assert callable(method), "a source has open()"
    assert list(inspect.signature(method).parameters) == ["self"], "open() needs something"
    module = vars(inspect.getmodule(config))
    promised = typing.get_type_hints(method, {**module, "Records": Records})["return"]
    assert promised is Records, f"open() promises {promised}"


def check_split_names_a_part_for_every_row(config: Config) -> None:
    """Every row trains, validates, tests or is unused; the same each time; some rows train."""
    split: Any = config.example()  # type: ignore[attr-defined]
    formulas = [f"{symbol}{n}O" for symbol in ("Li", "Na", "K", "Mg", "Ca") for n in range(2, 8)]
    words = ["train", "train", "val", "test", "train"] * 6
    table = SplitTable(30, pd.DataFrame({"split": words}), formulas, formulas, [0, 1, 0] * 10)
    parts = split.assign(table)
    assert parts.shape == (30,), f"{parts.shape} for 30 rows"
    assert set(parts.tolist()) <= {"train", "val", "test", ""}, set(parts.tolist())
    assert {"train", "test"} <= set(parts.tolist()), "nothing to train on or to judge by"
    assert np.array_equal(parts, split.assign(table)), "another split at the second time"


def check_input_makes_the_fields_it_promises(config: Config) -> None:
    """A sample has the promised fields, meets the sample contract, and is the same each time."""
    input_: Any = config.example()  # type: ignore[attr-defined]
    for raw in raws_for(input_):
        arrays = input_.sample(raw)
        assert set(arrays) == set(input_.fields), f"{set(arrays)} is not {input_.fields}"
        assert set(arrays) <= set(FIELDS), f"unknown fields {set(arrays) - set(FIELDS)}"
        sample = as_sample(arrays)
        if "image" in arrays:
            sample.num_nodes = 1
        try:
            check_sample(sample, input_.fields)
        except GnnmatError as error:
            raise AssertionError(f"the sample contract: {error}") from error
        for name, array in input_.sample(raw).items():
            assert np.array_equal(array, arrays[name]), f"'{name}' differs at the second time"
            exact = array.dtype in [np.dtype(kind) for kind in (np.float64, np.int64, np.bool_)]
            assert exact, f"'{name}' is {array.dtype}; the store casts, not the input"


def check_input_leaves_the_raw_item_alone(config: Config) -> None:
    """What is read is not changed."""
    input_: Any = config.example()  # type: ignore[attr-defined]
    for raw in raws_for(input_):
        parts = [raw] if isinstance(raw, np.ndarray) else list(vars(raw).values())
        arrays = [part for part in parts if isinstance(part, np.ndarray)]
        before = [array.copy() for array in arrays]
        input_.sample(raw)
        for array, kept in zip(arrays, before, strict=True):
            assert np.array_equal(array, kept), "the raw item was changed"


CONFIG_CHECKS = (
    check_kind_is_its_one_name,
    check_is_frozen,
    check_refuses_unknown_options,
    check_every_option_is_described,
)
EXAMPLE_CHECKS = (check_example_survives_yaml,)
INPUT_CHECKS = (check_input_makes_the_fields_it_promises, check_input_leaves_the_raw_item_alone)
SPLIT_CHECKS = (check_split_names_a_part_for_every_row,)
SOURCE_CHECKS = (check_source_opens_records,)
