"""Columns of a table -> label tensors and a `TargetSpec`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.sample import Level, Target, TargetSpec
from gnnmat.sources.records import Records

LARGEST = float(np.finfo(np.float32).max)


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
) -> Labels:
    """The labels of the records that were kept.

    Args:
        records: the source.
        names: target columns.
        kept: (samples,) positions in ``records``.
        atoms: (samples,) number of atoms of each kept record.
        classes: whether the values are class names rather than numbers; 'text' where a column
            holds text.
        known: classes of an earlier run, so that indices stay the same.

    Raises:
        GnnmatError: unknown column, text in a numeric column, a value of infinite size, a list
            of values whose length is not the number of atoms, only one class.
    """
    by_level: dict[Level, list[NDArray[np.float32]]] = {"sample": [], "atom": []}
    targets: list[Target] = []
    for name in names:
        values = records.column(name).iloc[kept]
        level: Level = "atom" if _is_per_atom(values) else "sample"
        given = known[name].classes if known else ()
        found: tuple[str, ...] = ()
        if level == "atom":
            flat = _flatten(name, values, atoms, [records.ids[item] for item in kept])
        else:
            flat = values.to_list()
        if classes is True or (classes == "text" and _is_text(flat)):
            found = given or _classes(name, flat)
            column = _class_indices(name, flat, found)
        else:
            column = _numbers(name, flat, records, kept if level == "sample" else None)
        by_level[level].append(column)
        targets.append(Target(name, records.units.get(name, ""), level, found))
    tensors = {
        level: torch.from_numpy(np.stack(columns, axis=1)) if columns else None
        for level, columns in by_level.items()
    }
    return Labels(TargetSpec(tuple(targets)), tensors["sample"], tensors["atom"])


def _is_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) and value for value in values)


def _is_per_atom(values: pd.Series) -> bool:
    return any(isinstance(value, (list, tuple, np.ndarray)) for value in values)


def _flatten(
    name: str, values: pd.Series, atoms: NDArray[np.int64], ids: Sequence[str]
) -> list[Any]:
    flat: list[Any] = []
    for value, count, id in zip(values, atoms, ids, strict=True):
        if not isinstance(value, (list, tuple, np.ndarray)):
            if not _is_missing(value):
                raise GnnmatError(
                    f"Column '{name}' holds one number for '{id}' and a list elsewhere."
                )
            flat.extend([None] * int(count))
        elif len(value) != count:
            raise GnnmatError(
                f"Column '{name}' holds {len(value)} values for '{id}', which has {count} atoms."
            )
        else:
            flat.extend(value)
    return flat


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return np.ndim(value) == 0 and bool(pd.isna(value))


def _numbers(
    name: str, values: Sequence[Any], records: Records, kept: NDArray[np.int64] | None
) -> NDArray[np.float32]:
    column = np.full(len(values), np.nan, dtype=np.float64)
    for place, value in enumerate(values):
        if _is_missing(value):
            continue
        where = f" ('{records.ids[int(kept[place])]}')" if kept is not None else ""
        try:
            column[place] = float(value)
        except (TypeError, ValueError):
            raise GnnmatError(
                f"Column '{name}' holds {_kind(value)} {value!r}{where}, expected a number.",
                fix="Mend the table, leave the cell empty, or learn classes: --task "
                "classification (task.kind).",
            ) from None
        if math.isinf(column[place]):
            raise GnnmatError(f"Column '{name}' holds an infinite value{where}.")
        if abs(column[place]) > LARGEST:
            raise GnnmatError(
                f"Column '{name}' holds {column[place]:.3g}{where}: too large to learn.",
                fix="Use another unit, or learn the logarithm.",
            )
    if np.isnan(column).all():
        raise GnnmatError(f"Column '{name}' holds no number at all.")
    return column.astype(np.float32)


def _kind(value: Any) -> str:
    return "the text" if isinstance(value, str) else f"the {type(value).__name__}"


def class_name(value: Any) -> str:
    """The name of a class as users write it: ``1.0`` and ``True`` are ``1`` and ``True``."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _classes(name: str, values: Sequence[Any]) -> tuple[str, ...]:
    found = {class_name(value) for value in values if not _is_missing(value)}
    if len(found) < 2:
        raise GnnmatError(
            f"Column '{name}' holds {len(found)} class, at least two are needed.",
            why=f"Found: {', '.join(sorted(found)) or 'nothing'}.",
        )
    if len(found) > 1000:
        raise GnnmatError(
            f"Column '{name}' holds {len(found)} different values: too many classes.",
            fix="Use task.kind=regression for numbers.",
        )
    return tuple(sorted(found, key=_class_order))


def _class_order(label: str) -> tuple[bool, float, str]:
    """Numbers by size, then names; never by chance, so that every process counts alike."""
    try:
        number = float(label)
    except ValueError:
        return True, 0.0, label
    return (False, number, label) if math.isfinite(number) else (True, 0.0, label)


def _class_indices(
    name: str, values: Sequence[Any], classes: tuple[str, ...]
) -> NDArray[np.float32]:
    index: Mapping[str, int] = {label: place for place, label in enumerate(classes)}
    column = np.full(len(values), np.nan, dtype=np.float32)
    for place, value in enumerate(values):
        if _is_missing(value):
            continue
        label = class_name(value)
        if label not in index:
            raise GnnmatError(
                f"Column '{name}' holds the class '{label}', which the model does not know.",
                why=f"Known: {', '.join(classes)}.",
            )
        column[place] = index[label]
    return column
