"""Columns of a table, or values given beside it -> the state of every sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.data.label_values import LARGEST, class_name, class_order, is_missing, is_number
from gnnmat.errors import GnnmatError, closest, did_you_mean
from gnnmat.sources.records import Records
from gnnmat.state import StateAttribute, StateSpec

MOST_CATEGORIES = 100
Given = Mapping[str, Any]


def read_state(
    records: Records,
    names: Sequence[str],
    kept: NDArray[np.int64],
    *,
    known: StateSpec | None = None,
    given: Given | None = None,
) -> tuple[Tensor, StateSpec]:
    """(samples, s) state of the records that were kept, and what it is.

    Columns of numbers are numbers, all others are categories.

    Args:
        records: the source.
        names: columns.
        kept: (samples,) positions in ``records``.
        known: of an earlier run, whose kinds and categories are taken over.
        given: by name one value for all, instead of a column.

    Raises:
        GnnmatError: no such column, a sample without a value, a category that the earlier run does
            not have, another unit.
    """
    given = given or {}
    for name in given:
        if name not in names:
            raise GnnmatError(
                f"The state has no '{name}'.", fix=did_you_mean(name, names) or "Leave it out."
            )
    columns, attributes = [], []
    for name in names:
        before = (
            next((one for one in known.attributes if one.name == name), None) if known else None
        )
        values = _values(records, name, kept, given, before)
        attribute = before or _attribute(name, values, records)
        _check_unit(name, records, given, attribute)
        columns.append(_column(attribute, values, [records.ids[item] for item in kept]))
        attributes.append(attribute)
    state = np.stack(columns, axis=1) if columns else np.empty((len(kept), 0))
    return torch.from_numpy(state.astype(np.float32)), StateSpec(tuple(attributes))


def _values(
    records: Records,
    name: str,
    kept: NDArray[np.int64],
    given: Given,
    before: StateAttribute | None,
) -> list[Any]:
    """A value a sample, as given or as the table holds them."""
    if name in given:
        value = given[name]
        if isinstance(value, (list, tuple, np.ndarray)):
            if len(value) != len(records):
                raise GnnmatError(
                    f"The state '{name}' has {len(value)} values for {len(records)} crystals."
                )
            return [value[item] for item in kept]
        return [value] * len(kept)
    if name in records.table.columns or before is None:
        return list(records.column(name).iloc[kept].to_list())
    example = before.categories[0] if before.categories else f"{before.mean:.4g}"
    unit = f" in {before.unit}" if before.unit else ""
    raise GnnmatError(
        f"The model was trained with the state '{name}'{unit}, which was not given.",
        why=f"Known: {', '.join(before.categories)}." if before.categories else "",
        fix=f"--state {name}={example}, state={{'{name}': ...}} in Python, or a table with the "
        "column.",
    )


def _attribute(name: str, values: list[Any], records: Records) -> StateAttribute:
    """What the attribute is, from the values of all samples."""
    present = [value for value in values if not is_missing(value)]
    if all(is_number(value) for value in present):
        return StateAttribute(name, records.units.get(name, ""))
    words = {class_name(value) for value in present}
    numbers = sum(is_number(value) for value in present)
    if numbers * 2 > len(present):
        word = next(value for value in present if not is_number(value))
        raise GnnmatError(
            f"The state '{name}' holds the text {word!r} among numbers.",
            fix="Write the number alone, or name categories with words throughout.",
        )
    if len(words) > MOST_CATEGORIES:
        raise GnnmatError(
            f"The state '{name}' has {len(words)} different words: too many categories.",
            fix="A state is a number, such as a temperature, or one of a few categories.",
        )
    return StateAttribute(name, categories=tuple(sorted(words, key=class_order)))


def _check_unit(name: str, records: Records, given: Given, attribute: StateAttribute) -> None:
    unit = records.units.get(name, "")
    if name not in given and unit and attribute.unit and unit != attribute.unit:
        raise GnnmatError(
            f"The state '{name}' is in {unit}, but the model learned it in {attribute.unit}.",
            fix=f"Convert the column to {attribute.unit}, or mend the unit.",
        )


def _column(
    attribute: StateAttribute, values: list[Any], ids: Sequence[str]
) -> NDArray[np.float64]:
    """(samples,) numbers, or places of categories."""
    column = np.empty(len(values))
    for place, (value, name) in enumerate(zip(values, ids, strict=True)):
        if is_missing(value):
            raise GnnmatError(
                f"The state '{attribute.name}' has no value for '{name}'.",
                fix="Fill the cell, or leave the crystal out.",
            )
        column[place] = _number(attribute, value, name)
    return column


def _number(attribute: StateAttribute, value: Any, name: str) -> float:
    if attribute.categories:
        label = class_name(value)
        if label not in attribute.categories:
            raise GnnmatError(
                f"The state '{attribute.name}' is '{label}' for '{name}', which is unknown.",
                why=f"Known: {', '.join(attribute.categories)}.",
                fix=closest(label, attribute.categories),
            )
        return float(attribute.categories.index(label))
    if not is_number(value) or not np.isfinite(float(value)):
        raise GnnmatError(
            f"The state '{attribute.name}' is {value!r} for '{name}', expected a number."
        )
    if abs(float(value)) > LARGEST:
        raise GnnmatError(
            f"The state '{attribute.name}' is {float(value):g} for '{name}', which is too large."
        )
    return float(value)
