"""The columns of a data set: what each means, its unit, and how its values are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.columns import MISSING

if TYPE_CHECKING:
    from gnnmat.sample import Target


class Column(BaseModel):
    """One column of a data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str = Field(description="unit as printed; empty for pure numbers, classes and text")
    meaning: str = Field(description="what the column holds, in one sentence", min_length=1)
    level: Literal["sample", "atom", "edge"] = Field(
        default="sample", description="what carries the value: the sample, each atom or each edge"
    )
    classes: tuple[str, ...] = Field(
        default=(),
        description="class names in order; the file holds the names, or 0, 1, ... (false, true)",
    )
    curve: bool = Field(
        default=False,
        description="equally long lists of numbers, one curve a crystal, or the axis of one "
        "(which data.axes names)",
    )
    text: bool = Field(default=False, description="words, not numbers: kept as they are")

    def target(self, name: str) -> Target:
        """The column as a target to learn."""
        from gnnmat.sample import Target

        return Target(name, self.unit, self.level, self.classes)


def card_values(frame: pd.DataFrame, columns: Mapping[str, Column], origin: str) -> pd.DataFrame:
    """The columns of a card, with numbers as float64 and classes as their names.

    Args:
        frame: table as read from the file.
        columns: what the card says about its columns.
        origin: name of the card, for messages.

    Raises:
        GnnmatError: a column that the file lacks, a word where a number belongs, an unknown class.
    """
    kept: dict[str, pd.Series] = {}
    for name, column in columns.items():
        if name not in frame.columns:
            raise GnnmatError(
                f"Card '{origin}': column '{name}' is not in the file.",
                why=f"The file has: {', '.join(map(str, frame.columns))}.",
                fix=did_you_mean(name, map(str, frame.columns)),
            )
        values = frame[name].reset_index(drop=True)
        if column.classes:
            kept[name] = _classes(values, column.classes, f"Card '{origin}': column '{name}'")
        elif column.text or column.curve or column.level != "sample":
            kept[name] = values
        else:
            kept[name] = _numbers(values, f"Card '{origin}': column '{name}'")
    return pd.DataFrame(kept, index=pd.RangeIndex(len(frame)))


def _numbers(values: pd.Series, where: str) -> pd.Series:
    absent = values.isna() | values.astype(str).str.strip().str.lower().isin(MISSING)
    numbers = pd.to_numeric(values.mask(absent), errors="coerce").astype("float64")
    wrong = numbers.isna() & ~absent
    if wrong.any():
        row = int(wrong.idxmax())
        raise GnnmatError(
            f"{where}, row {row + 1}: '{values.iloc[row]}' is not a number.",
            fix="Give the column `classes` or `text: true` in the card, or mend the value.",
        )
    return numbers


def _classes(values: pd.Series, classes: tuple[str, ...], where: str) -> pd.Series:
    known: dict[object, str] = {name: name for name in classes}
    known |= {str(index): name for index, name in enumerate(classes)}
    known |= {f"{index}.0": name for index, name in enumerate(classes)}
    if len(classes) == 2:
        known |= {"False": classes[0], "True": classes[1]}
        known |= {"false": classes[0], "true": classes[1]}
    absent = values.isna() | values.astype(str).str.strip().str.lower().isin(MISSING)
    named = values.astype(str).str.strip().map(known).mask(absent, None)
    wrong = named.isna() & ~absent
    if wrong.any():
        row = int(wrong.idxmax())
        raise GnnmatError(
            f"{where}, row {row + 1}: '{values.iloc[row]}' is not one of the classes.",
            why=f"Classes: {', '.join(classes)}.",
            fix="Name every class in the card.",
        )
    return named.astype(object)
