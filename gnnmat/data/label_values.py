"""Values of one column of a table -> numbers, places of classes and curves, float32."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError

LARGEST = float(np.finfo(np.float32).max)
MOST_CLASSES = 1000


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: NaN, None, or blanks."""
    if isinstance(value, str):
        return not value.strip()
    return np.ndim(value) == 0 and bool(pd.isna(value))


def is_list(value: Any) -> bool:
    """Whether a cell holds several values."""
    return isinstance(value, (list, tuple, np.ndarray))


def numbers(name: str, values: Sequence[Any], ids: Sequence[str] | None) -> NDArray[np.float32]:
    """(n,) the values as numbers, NaN where there is none.

    Args:
        name: of the column.
        values: as the table holds them.
        ids: one a value, for the words; None where they do not fit, as for values an atom.

    Raises:
        GnnmatError: a text, an infinite or too large number, or no number at all.
    """
    column = np.full(len(values), np.nan, dtype=np.float64)
    for place, value in enumerate(values):
        if is_missing(value):
            continue
        where = f" ('{ids[place]}')" if ids is not None else ""
        try:
            column[place] = float(value)
        except (TypeError, ValueError):
            raise _no_number(name, value, where, values) from None
        _check_size(name, column[place], where)
    if np.isnan(column).all():
        raise GnnmatError(f"Column '{name}' holds no number at all.")
    return column.astype(np.float32)


def _check_size(name: str, value: float, where: str) -> None:
    if math.isinf(value):
        raise GnnmatError(
            f"Column '{name}' holds an infinite value{where}.",
            fix="Mend the value, or leave the cell empty.",
        )
    if abs(value) > LARGEST:
        raise GnnmatError(
            f"Column '{name}' holds {value:.3g}{where}: too large to learn.",
            fix="Use another unit, or learn the logarithm.",
        )


def _no_number(name: str, value: Any, where: str, values: Sequence[Any]) -> GnnmatError:
    """What to say of a value that is no number, and how many of its column are."""
    kind = "the text" if isinstance(value, str) else f"the {type(value).__name__}"
    present = [one for one in values if not is_missing(one)]
    good = sum(is_number(one) for one in present)
    why, fix = "", "Mend the table, leave the cell empty, or learn classes: --task classification."
    if good:
        why = f"{good:,} of the {len(present):,} values in this column are numbers."
        fix = (
            "Write the number alone (its unit belongs in --unit or the configuration), or leave "
            "the cell empty. To learn classes: --task classification."
        )
    return GnnmatError(
        f"Column '{name}' holds {kind} {value!r}{where}, expected a number.", why=why, fix=fix
    )


def is_number(value: Any) -> bool:
    """Whether a cell can be read as one number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def curve_values(
    name: str, values: Sequence[Any], size: int, ids: Sequence[str]
) -> NDArray[np.float32]:
    """(n, size) the points of a curve a row, NaN where there is none.

    Raises:
        GnnmatError: a curve of another length, a single number, a text, an infinite value.
    """
    rows = np.full((len(values), size), np.nan, dtype=np.float32)
    for place, value in enumerate(values):
        if not is_list(value):
            if not is_missing(value):
                raise GnnmatError(
                    f"Column '{name}' holds one number for '{ids[place]}' and a list elsewhere."
                )
        elif len(value) != size:
            raise GnnmatError(
                f"Column '{name}' holds {len(value)} points for '{ids[place]}', expected {size}.",
                why="All curves of a column have their points at the same places.",
                fix="Interpolate them to one axis, or leave the cell empty.",
            )
        elif not all(is_missing(point) for point in value):
            rows[place] = numbers(name, list(value), [ids[place]] * size)
    if np.isnan(rows).all():
        raise GnnmatError(f"Column '{name}' holds no number at all.")
    return rows


def class_name(value: Any) -> str:
    """The name of a class as users write it: ``1.0`` and ``True`` are ``1`` and ``True``."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def classes_of(name: str, values: Sequence[Any]) -> tuple[str, ...]:
    """The classes in a column, numbers by size, then names.

    Raises:
        GnnmatError: fewer than two, or too many.
    """
    found = {class_name(value) for value in values if not is_missing(value)}
    if len(found) < 2:
        only = f"only the class '{found.pop()}'" if found else "no class at all"
        raise GnnmatError(
            f"Column '{name}' holds {only}, at least two are needed.",
            fix="There is nothing to tell apart: use more data or another column.",
        )
    if len(found) > MOST_CLASSES:
        raise GnnmatError(
            f"Column '{name}' holds {len(found)} different values: too many classes.",
            fix="Use task.kind=regression for numbers.",
        )
    return tuple(sorted(found, key=class_order))


def class_order(label: str) -> tuple[bool, float, str]:
    """Numbers by size, then names; never by chance, so that every process counts alike."""
    try:
        number = float(label)
    except ValueError:
        return True, 0.0, label
    return (False, number, label) if math.isfinite(number) else (True, 0.0, label)


def class_places(name: str, values: Sequence[Any], classes: tuple[str, ...]) -> NDArray[np.float32]:
    """(n,) the place of each value among the classes, NaN where there is none.

    Raises:
        GnnmatError: a class that is not among them.
    """
    index: Mapping[str, int] = {label: place for place, label in enumerate(classes)}
    column = np.full(len(values), np.nan, dtype=np.float32)
    for place, value in enumerate(values):
        if is_missing(value):
            continue
        label = class_name(value)
        if label not in index:
            raise GnnmatError(
                f"Column '{name}' holds the class '{label}', which the model does not know.",
                why=f"Known: {', '.join(classes)}.",
            )
        column[place] = index[label]
    return column
