"""Each check of config classes fails for a class that is broken in just that way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.data.split_table import Parts, SplitTable
from gnnmat.data.splits import RandomSplit
from gnnmat.inputs import CrystalGraph, Image
from gnnmat.sources.arrays import ArraysSource
from gnnmat.sources.records import Records

from . import config_checks as checks

STRICT = ConfigDict(frozen=True, extra="forbid")


class AnyKind(BaseModel):
    """Its name is any text."""

    model_config = STRICT
    kind: str = "any"


class TwoKinds(BaseModel):
    """It has two names."""

    model_config = STRICT
    kind: Literal["one", "two"] = "one"


class Soft(BaseModel):
    """It can be changed."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["soft"] = "soft"


class TakesAnything(BaseModel):
    """It ignores what it does not know."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["anything"] = "anything"


class HidesOneThatDoes(BaseModel):
    """A part of it ignores what it does not know."""

    model_config = STRICT
    kind: Literal["hides"] = "hides"
    part: TakesAnything = Field(TakesAnything(), description="A part.")


class SaysNothing(BaseModel):
    """An option is not described."""

    model_config = STRICT
    kind: Literal["nothing"] = "nothing"
    width: int = 3


class HasNoDoc(BaseModel):
    model_config = STRICT
    kind: Literal["no_doc"] = "no_doc"


class ExampleOfAnother(Soft):
    """Its example is something else."""

    @classmethod
    def example(cls) -> Soft:
        return Soft()


class WritesLess(BaseModel):
    """YAML does not give it back."""

    model_config = STRICT
    kind: Literal["less"] = "less"
    width: int = Field(3, description="Width.", exclude=True)

    @classmethod
    def example(cls) -> WritesLess:
        return cls(width=5)


class CannotOpen(Soft):
    """A source without open()."""


class NeedsMoreToOpen(ArraysSource):
    """A source that asks for something when opened."""

    def open(self, folder: str) -> Records:  # type: ignore[override]
        raise NotImplementedError


class OpensSomethingElse(ArraysSource):
    """A source that returns a list."""

    def open(self) -> list[str]:  # type: ignore[override]
        return []


class NamesOtherParts(RandomSplit):
    """Its words are its own."""

    def assign(self, rows: SplitTable) -> Parts:
        return np.char.upper(super().assign(rows))


class ForgetsRows(RandomSplit):
    """It leaves out the last row."""

    def assign(self, rows: SplitTable) -> Parts:
        return super().assign(rows)[:-1]


class TrainsNothing(RandomSplit):
    """Every row judges."""

    def assign(self, rows: SplitTable) -> Parts:
        return np.full(rows.n, "test")


class DrawsAgain(RandomSplit):
    """It does not keep to its seed."""

    def assign(self, rows: SplitTable) -> Parts:
        return np.random.default_rng().permutation(super().assign(rows))


class MakesLess(CrystalGraph):
    """It leaves out a field."""

    def sample(self, raw: Any) -> Any:
        return {name: a for name, a in super().sample(raw).items() if name != "pos"}


class BreaksTheContract(CrystalGraph):
    """Its edges are not sorted by centre."""

    def sample(self, raw: Any) -> Any:
        fields = super().sample(raw)
        return fields | {"edge_index": fields["edge_index"][:, ::-1]}


class Rounds(CrystalGraph):
    """It casts too early."""

    def sample(self, raw: Any) -> Any:
        fields = super().sample(raw)
        return fields | {"edge_length": fields["edge_length"].astype(np.float32)}


class AddsNoise(Image):
    """It draws without a seed."""

    def sample(self, raw: Any) -> Any:
        return super().sample(raw + np.random.default_rng().normal(size=raw.shape))


class ScalesInPlace(Image):
    """It changes what it reads."""

    def sample(self, raw: Any) -> Any:
        raw *= 2
        return super().sample(raw)


class WrapsInPlace(CrystalGraph):
    """It moves the atoms it reads."""

    def sample(self, raw: Any) -> Any:
        raw.frac[:] += 1
        return super().sample(raw)


TWINS: list[tuple[Callable[[type[BaseModel]], None], type[BaseModel], str]] = [
    (checks.check_kind_is_its_one_name, AnyKind, "not a Literal"),
    (checks.check_kind_is_its_one_name, TwoKinds, "not its default"),
    (checks.check_is_frozen, Soft, "can be changed"),
    (checks.check_refuses_unknown_options, TakesAnything, "TakesAnything takes"),
    (checks.check_refuses_unknown_options, HidesOneThatDoes, "TakesAnything takes"),
    (checks.check_every_option_is_described, SaysNothing, "width has no description"),
    (checks.check_every_option_is_described, HasNoDoc, "no docstring"),
    (checks.check_example_survives_yaml, ExampleOfAnother, "of another class"),
    (checks.check_example_survives_yaml, WritesLess, "is not WritesLess"),
    (checks.check_source_opens_records, CannotOpen, "a source has open"),
    (checks.check_source_opens_records, NeedsMoreToOpen, "needs something"),
    (checks.check_source_opens_records, OpensSomethingElse, "promises list"),
    (checks.check_split_names_a_part_for_every_row, NamesOtherParts, "TRAIN"),
    (checks.check_split_names_a_part_for_every_row, ForgetsRows, "for 30 rows"),
    (checks.check_split_names_a_part_for_every_row, TrainsNothing, "nothing to train on"),
    (checks.check_split_names_a_part_for_every_row, DrawsAgain, "at the second time"),
    (checks.check_input_makes_the_fields_it_promises, MakesLess, "is not"),
    (checks.check_input_makes_the_fields_it_promises, BreaksTheContract, "not sorted"),
    (checks.check_input_makes_the_fields_it_promises, Rounds, "'edge_length' is float32"),
    (checks.check_input_makes_the_fields_it_promises, AddsNoise, "at the second time"),
    (checks.check_input_leaves_the_raw_item_alone, ScalesInPlace, "was changed"),
    (checks.check_input_leaves_the_raw_item_alone, WrapsInPlace, "was changed"),
]


def name_of(value: Any) -> str:
    return value.__name__ if callable(value) else ""


@pytest.mark.parametrize(("check", "twin", "words"), TWINS, ids=name_of)
def test_check_fails_for(
    check: Callable[[type[BaseModel]], None], twin: type[BaseModel], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check(twin)


def test_every_check_is_walked_and_has_a_twin() -> None:
    own = {name: f for name, f in vars(checks).items() if name.startswith("check_")}
    written = {f for f in own.values() if f.__module__ == checks.__name__}
    walked = (
        *checks.CONFIG_CHECKS,
        *checks.EXAMPLE_CHECKS,
        *checks.INPUT_CHECKS,
        *checks.SPLIT_CHECKS,
        *checks.SOURCE_CHECKS,
    )
    assert set(walked) == written
    assert {check for check, _, _ in TWINS} == written
