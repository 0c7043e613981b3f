"""Columns of a table -> label tensors and a `TargetSpec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.data.label_spread import check_spread
from gnnmat.data.label_values import (
    class_places,
    classes_of,
    curve_values,
    is_list,
    is_missing,
    is_number,
    numbers,
)
from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sample import Axis, Level, Target, TargetSpec
from gnnmat.sources.records import Records


@dataclass(frozen=True)
class Labels:
    """Labels of a data set, one tensor a level.

    Args:
        spec: the targets, in column order.
        sample: (samples, d) float32, NaN where there is no label; None without such targets.
        atom: (all atoms, d) float32, in the order of the store; None without such targets.
    """

    spec: TargetSpec
    sample: Tensor | None = None
    atom: Tensor | None = None


def ideal_labels(targets: tuple[Target, ...], samples: int) -> Labels:
    """Zero for targets that no column holds because zero is their ideal, such as an error."""
    return Labels(TargetSpec(targets), torch.zeros(samples, len(targets)))


def read_labels(
    records: Records,
    names: Sequence[str],
    kept: NDArray[np.int64],
    atoms: NDArray[np.int64],
    *,
    classes: bool | Literal["text"],
    known: TargetSpec | None = None,
    axes: Mapping[str, str] | None = None,
) -> Labels:
    """The labels of the records that were kept.

    Lists with one value an atom are learned atom by atom; lists that are equally long for all
    crystals, whatever their number of atoms, are curves.

    Args:
        records: the source.
        names: target columns.
        kept: (samples,) positions in ``records``.
        atoms: (samples,) number of atoms of each kept record.
        classes: whether the values are class names rather than numbers; 'text' where a column
            holds text.
        known: targets of an earlier run, whose classes, levels and sizes are taken over.
        axes: by target, the column with the axis of its curves.

    Raises:
        GnnmatError: unknown column, text in a numeric column, a value of infinite size, a list
            that is neither one value an atom nor as long as the others, only one class, another
            unit than that of the earlier run.
    """
    axes = axes or {}
    _check_axes(axes, names)
    ids = [records.ids[item] for item in kept]
    by_level: dict[Level, list[NDArray[np.float32]]] = {"sample": [], "atom": []}
    targets: list[Target] = []
    for name in names:
        values = records.column(name).iloc[kept]
        given = known[name] if known else None
        target = _target(name, values, atoms, records, given, has_axis=name in axes)
        flat = values.to_list() if target.level == "sample" else _flatten(name, values, atoms, ids)
        where = ids if target.level == "sample" else None
        if target.is_curve:
            axis = _axis(records, axes.get(name), kept, target)
            axis = axis if given is None else _same_axis(name, axis, given.axis)
            target = Target(name, target.unit, size=target.size, axis=axis)
            column = curve_values(name, flat, target.size, ids)
        elif classes is True or (classes == "text" and _is_text(flat)):
            found = (given.classes if given else ()) or classes_of(name, flat)
            target = Target(name, target.unit, target.level, found)
            column = class_places(name, flat, found)[:, None]
        else:
            column = numbers(name, flat, where)[:, None]
            if given is None:  # a model that has learned knows its scale
                check_spread(name, flat, column[:, 0])
        by_level[target.level].append(column)
        targets.append(target)
    tensors = {
        level: torch.from_numpy(np.concatenate(columns, axis=1)) if columns else None
        for level, columns in by_level.items()
    }
    return Labels(TargetSpec(tuple(targets)), tensors["sample"], tensors["atom"])


def _check_axes(axes: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse an axis of something that is not learned."""
    for name in axes:
        if name not in names:
            raise GnnmatError(
                f"data.axes names '{name}', which is no target.", fix=did_you_mean(name, names)
            )


def _target(
    name: str,
    values: pd.Series,
    atoms: NDArray[np.int64],
    records: Records,
    known: Target | None,
    *,
    has_axis: bool,
) -> Target:
    """Name, unit, level and size of a column; its classes and axis are found later."""
    unit = records.units.get(name, "")
    if known is not None and known.unit and unit and known.unit != unit:
        raise GnnmatError(
            f"Column '{name}' is in {unit}, but the model learned it in {known.unit}.",
            fix=f"Convert the column to {known.unit}, or mend the unit.",
        )
    unit = unit or (known.unit if known is not None else "")
    lengths = [len(one) if is_list(one) else -1 for one in values]
    lists = [length for length in lengths if length >= 0]
    if not lists or (known is not None and known.level == "atom"):
        return Target(name, unit, "atom" if lists else "sample")
    if known is not None and known.is_curve:
        return Target(name, unit, size=known.size)
    fit = all(length in (-1, int(count)) for length, count in zip(lengths, atoms, strict=True))
    same = len(set(lists)) == 1 and lists[0] > 1
    if has_axis or (same and not fit):
        return Target(name, unit, size=max(set(lists), key=lists.count))
    return Target(name, unit, "atom")


def _axis(records: Records, column: str | None, kept: NDArray[np.int64], target: Target) -> Axis:
    """Where the points of a curve lie; all rows must agree.

    Raises:
        GnnmatError: no such column, or two rows with different axes.
    """
    if column is None:
        return Axis()
    points = curve_values(
        column,
        records.column(column).iloc[kept].to_list(),
        target.size,
        [records.ids[item] for item in kept],
    )
    rows = np.flatnonzero(~np.isnan(points).any(axis=1))
    if not len(rows):
        raise GnnmatError(f"Column '{column}' holds no whole axis.")
    first = points[rows[0]]
    apart = np.abs(points[rows] - first).max(axis=1) > 1e-5 * np.abs(first).max()
    if apart.any():
        other = rows[int(np.flatnonzero(apart)[0])]
        one, two = (records.ids[kept[row]] for row in (rows[0], other))
        raise GnnmatError(
            f"The axis '{column}' of '{target.name}' differs between '{one}' and '{two}'.",
            why="All curves of a column have their points at the same places, in one unit.",
            fix="Interpolate the curves to one axis.",
        )
    shown = tuple(float(f"{value:.6g}") for value in first)
    return Axis(column, records.units.get(column, ""), shown)


def _same_axis(name: str, found: Axis, learned: Axis) -> Axis:
    """The axis of the model; new data may leave it unsaid, but not say another one."""
    if found.points and learned.points and not np.allclose(found.points, learned.points, 1e-4):
        raise GnnmatError(
            f"The axis of '{name}' is not the one the model has learned.",
            why=f"It goes from {found.points[0]:g} to {found.points[-1]:g}, that of the model "
            f"from {learned.points[0]:g} to {learned.points[-1]:g} {learned.unit}".rstrip()
            + ".",
            fix="Interpolate the curves to the axis of the model.",
        )
    return learned if learned.points else found


def _is_text(values: Sequence[Any]) -> bool:
    """Whether a column holds names; a few words among numbers are mistakes, not names."""
    present = [value for value in values if not is_missing(value)]
    words = [value for value in present if isinstance(value, str) and not is_number(value)]
    return len(words) * 2 > len(present)


def _flatten(
    name: str, values: pd.Series, atoms: NDArray[np.int64], ids: Sequence[str]
) -> list[Any]:
    flat: list[Any] = []
    for value, count, id in zip(values, atoms, ids, strict=True):
        if not is_list(value):
            if not is_missing(value):
                raise GnnmatError(
                    f"Column '{name}' holds one number for '{id}' and a list elsewhere."
                )
            flat.extend([None] * int(count))
        elif len(value) != count:
            raise GnnmatError(
                f"Column '{name}' holds {len(value)} values for '{id}', which has {count} atoms.",
                why="Lists hold one value an atom, or, for a curve, equally many everywhere.",
            )
        else:
            flat.extend(value)
    return flat
