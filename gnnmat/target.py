"""What is learned: names, units, levels and classes of targets, and curves with their axis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError, did_you_mean

Level = Literal["sample", "atom", "edge"]


@dataclass(frozen=True)
class Axis:
    """Where the points of a curve lie.

    Args:
        name: of the axis, such as the column it came from.
        unit: as printed.
        points: (size,) one a value.
    """

    name: str = ""
    unit: str = ""
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class Target:
    """One quantity to learn.

    Args:
        name: column name.
        unit: as printed, empty for pure numbers.
        level: what carries the value: the whole sample, each atom or each edge.
        classes: class names; empty for a real number. A class is stored as its index.
        size: numbers that make one value: 1, or the points of a curve.
        axis: of a curve, if it is known.
    """

    name: str
    unit: str = ""
    level: Level = "sample"
    classes: tuple[str, ...] = ()
    size: int = field(default=1, repr=False)
    axis: Axis = field(default=Axis(), repr=False)

    @property
    def is_curve(self) -> bool:
        """Whether a value is several numbers."""
        return self.size > 1

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Target:
        """The target that `dataclasses.asdict` wrote; axis and size are missing in old files."""
        axis = plain.get("axis") or {}
        known = {
            "classes": tuple(plain["classes"]),
            "axis": Axis(**{**axis, "points": tuple(axis.get("points", ()))}),
        }
        return cls(**{**plain, **known})


@dataclass(frozen=True)
class TargetSpec:
    """The targets of a data set, in the order of their columns in ``y_<level>``."""

    targets: tuple[Target, ...] = ()

    def at(self, level: Level) -> tuple[Target, ...]:
        """The targets of one level, in column order."""
        return tuple(target for target in self.targets if target.level == level)

    def columns(self, target: Target) -> slice:
        """The columns of ``y_<level>`` that hold this target."""
        level = self.at(target.level)
        return columns_of(level)[level.index(target)]

    def __getitem__(self, name: str) -> Target:
        for target in self.targets:
            if target.name == name:
                return target
        names = [target.name for target in self.targets]
        raise GnnmatError(f"No target called '{name}'.", fix=did_you_mean(name, names))


def columns_of(targets: Iterable[Target]) -> list[slice]:
    """Where each target stands among columns that hold all of them side by side."""
    found, start = [], 0
    for target in targets:
        found.append(slice(start, start + target.size))
        start += target.size
    return found


class Curve(tuple[float, ...]):
    """The points of one curve; as text a JSON list, so that a table of curves can be read back."""

    __slots__ = ()

    def __str__(self) -> str:
        return json.dumps([None if value != value else value for value in self])

    __repr__ = __str__


def curves(values: NDArray[np.floating[Any]] | Sequence[Sequence[float]]) -> list[Curve | None]:
    """A curve a row of (rows, size), to six digits; None for a row that holds no number."""
    rows = np.asarray(values, dtype=np.float64)
    return [
        None if np.isnan(row).all() else Curve(float(f"{value:.6g}") for value in row)
        for row in rows
    ]


def curve_array(values: Iterable[Curve | None], size: int) -> NDArray[np.float64]:
    """(rows, size) the points of these curves, NaN where there is none."""
    return np.array(
        [list(one) if isinstance(one, tuple) else [np.nan] * size for one in values],
        dtype=np.float64,
    ).reshape(-1, size)


def read_curve(text: str) -> Curve:
    """The curve that `str` wrote.

    Raises:
        ValueError: it is none.
    """
    return Curve(np.nan if value is None else float(value) for value in json.loads(text))
