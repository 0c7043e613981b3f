"""State beside a structure: read, encoded, and refused in plain words where it is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gnnmat.data.state import read_state
from gnnmat.errors import GnnmatError
from gnnmat.sample import DataSpec
from gnnmat.sources.records import Records
from gnnmat.state import StateAttribute, StateSpec

NUMBERS = {"temperature": [100.0, 300.0, 500.0], "functional": ["PBE", "SCAN", "PBE"]}


def records_of(**columns: Any) -> Records:
    table = pd.DataFrame(columns or NUMBERS)
    return Records(
        ids=[f"c{item}" for item in range(len(table))],
        raws=[None] * len(table),
        read=str,
        fingerprint="",
        table=table,
        units={"temperature": "K"},
    )


def read(
    records: Records, names: tuple[str, ...] = ("temperature", "functional"), **options: Any
) -> tuple[torch.Tensor, StateSpec]:
    return read_state(records, names, np.arange(len(records)), **options)


def words(records: Records, **options: Any) -> str:
    with pytest.raises(GnnmatError) as caught:
        read(records, **options)
    return str(caught.value)


def test_numbers_stay_numbers_and_words_become_places() -> None:
    state, spec = read(records_of())
    assert state.tolist() == [[100, 0], [300, 1], [500, 0]]
    assert spec.attributes[0] == StateAttribute("temperature", "K")
    assert spec.attributes[1].categories == ("PBE", "SCAN")


def test_a_network_is_told_standardised_numbers_and_one_hot_categories() -> None:
    state, spec = read(records_of())
    spec = spec.learned_from(state)
    told = spec.encode(state)
    assert told.shape == (3, spec.width) == (3, 3)
    assert told[:, 0].tolist() == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])
    assert told[:, 1:].tolist() == [[1, 0], [0, 1], [1, 0]]


def test_a_state_that_is_alike_everywhere_is_told_as_zero() -> None:
    state, spec = read(records_of(temperature=[300.0, 300.0], functional=["a", "b"]))
    spec = spec.learned_from(state)
    assert spec.encode(state)[:, 0].tolist() == [0.0, 0.0]


def test_the_spec_comes_back_from_plain_words() -> None:
    state, spec = read(records_of())
    data = DataSpec(fields=("z", "state"), state=spec.learned_from(state))
    assert DataSpec.from_dict(data.to_dict()) == data
    old = data.to_dict()
    del old["state"]
    assert DataSpec.from_dict(old).state == StateSpec()


def test_values_may_be_given_instead_of_columns() -> None:
    known = read(records_of())[1]
    bare = records_of(other=[1, 2])
    state, _ = read(bare, known=known, given={"temperature": "250", "functional": "SCAN"})
    assert state.tolist() == [[250, 1], [250, 1]]
    each = read(bare, known=known, given={"temperature": [1, 2], "functional": "PBE"})[0]
    assert each.tolist() == [[1, 0], [2, 0]]


def test_a_state_that_is_not_given_is_asked_for() -> None:
    state, spec = read(records_of())
    said = words(records_of(other=[1]), known=spec.learned_from(state), given={"functional": "PBE"})
    assert "The model was trained with the state 'temperature' in K, which was not given." in said
    assert "--state temperature=300" in said


def test_a_crystal_without_a_value_is_refused_by_name() -> None:
    said = words(records_of(temperature=[1.0, np.nan], functional=["a", "b"]))
    assert said.startswith("The state 'temperature' has no value for 'c1'.")


def test_an_unknown_category_is_refused_with_the_known_ones() -> None:
    known = read(records_of())[1]
    said = words(records_of(temperature=[1.0], functional=["PBEsol"]), known=known)
    assert said.startswith("The state 'functional' is 'PBEsol' for 'c0', which is unknown.")
    assert "Known: PBE, SCAN." in said


def test_a_text_among_numbers_is_refused() -> None:
    said = words(records_of(temperature=["1", "2", "warm"], functional=["a", "b", "a"]))
    assert said.startswith("The state 'temperature' holds the text 'warm' among numbers.")


def test_a_text_for_a_number_is_refused() -> None:
    known = read(records_of())[1]
    said = words(records_of(x=[1]), known=known, given={"temperature": "hot", "functional": "PBE"})
    assert said.startswith("The state 'temperature' is 'hot' for 'c0', expected a number.")


def test_a_number_beyond_single_precision_is_refused() -> None:
    known = read(records_of())[1]
    given = {"temperature": 1e40, "functional": "PBE"}
    said = words(records_of(x=[1]), known=known, given=given)
    assert said.startswith("The state 'temperature' is 1e+40 for 'c0', which is too large.")


def test_another_unit_than_the_one_learned_is_refused() -> None:
    known = StateSpec((StateAttribute("temperature", "eV"), read(records_of())[1].attributes[1]))
    assert "is in K, but the model learned it in eV" in words(records_of(), known=known)


def test_a_state_that_the_model_does_not_have_is_refused() -> None:
    assert words(records_of(), given={"pressure": 1}).startswith("The state has no 'pressure'.")


def test_too_many_words_are_no_categories() -> None:
    names = [f"name-{row}" for row in range(101)]
    said = words(records_of(temperature=[1.0] * 101, functional=names))
    assert "The state 'functional' has 101 different words: too many categories." in said


def test_categories_are_listed_once() -> None:
    known = read(records_of())[1]
    said = words(records_of(temperature=[1.0], functional=["r2"]), known=known)
    assert said.count("PBE, SCAN") == 1
