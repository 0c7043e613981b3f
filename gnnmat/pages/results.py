"""What a report shows of one target: clean rows, worst ten, error by element and crystal system."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.pages.periodic_table import elements_of
from gnnmat.target import Axis, Curve

SPLITS = ("test", "val", "train")
COLUMNS = ("id", "formula", "split", "target", "unit", "truth", "prediction")
CRYSTAL_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "trigonal",
    "hexagonal",
    "cubic",
)


@dataclass(frozen=True, eq=False)
class TargetResults:
    """Predictions of one target.

    Args:
        name: the target.
        unit: its unit, may be empty.
        is_classes: class names instead of numbers.
        rows: rows with truth and prediction, in the order given; ``error`` is prediction minus
            truth, or 1 for a wrong class and 0 for a right one.
        incomplete: rows left out because truth or prediction is missing.
        is_curves: curves instead of numbers; their ``error`` is the mean absolute one.
        axis: of the curves, if it is known.
    """

    name: str
    unit: str
    is_classes: bool
    rows: pd.DataFrame
    incomplete: int
    is_curves: bool = False
    axis: Axis = Axis()

    @property
    def shown_split(self) -> str:
        """The split the report judges by: test, or the next best that has rows."""
        present = set(self.rows["split"])
        return next((split for split in SPLITS if split in present), "test")

    @property
    def shown(self) -> pd.DataFrame:
        """The rows of ``shown_split``."""
        return self.rows[self.rows["split"] == self.shown_split]

    @property
    def kind(self) -> str:
        """``classes``, ``curves`` or ``numbers``."""
        return "classes" if self.is_classes else "curves" if self.is_curves else "numbers"

    @property
    def is_per_atom(self) -> bool:
        return bool(self.rows["atom"].notna().any())

    @property
    def counts(self) -> dict[str, int]:
        """Rows a split, test first."""
        sizes = self.rows["split"].value_counts()
        named = [split for split in SPLITS if split in sizes]
        others = sorted(set(sizes.index) - set(SPLITS))
        return {split: int(sizes[split]) for split in [*named, *others]}

    @property
    def classes(self) -> list[str]:
        """Class names in reading order, where ``type 2`` comes before ``type 10``."""
        if not self.is_classes:
            return []
        return sorted({*self.rows["truth"], *self.rows["prediction"]}, key=_reading_order)


def results_by_target(
    predictions: pd.DataFrame, axes: Mapping[str, Axis] | None = None
) -> Iterator[TargetResults]:
    """One ``TargetResults`` a target, in order of appearance; curves with their axes.

    Raises:
        GnnmatError: a column is missing.
    """
    missing = [column for column in COLUMNS if column not in predictions.columns]
    if missing:
        raise GnnmatError(
            f"Predictions for the report lack {', '.join(missing)}.",
            why=f"Columns: {', '.join(map(str, predictions.columns))}.",
            fix=f"Give a long table with the columns {', '.join(COLUMNS)}.",
        )
    for name, rows in predictions.groupby("target", sort=False):
        axis = (axes or {}).get(str(name), Axis())
        yield _results(str(name), rows.reset_index(drop=True), axis)


def _results(name: str, given: pd.DataFrame, axis: Axis) -> TargetResults:
    rows = pd.DataFrame(
        {column: given[column].astype(str) for column in ("id", "formula", "split")}
    )
    rows["crystal_system"] = _optional(given, "crystal_system").fillna("").astype(str)
    rows["atom"] = pd.to_numeric(_optional(given, "atom"), errors="coerce")
    rows["element"] = _optional(given, "element").fillna("").astype(str)
    rows["probability"] = pd.to_numeric(_optional(given, "probability"), errors="coerce")
    labelled = given["truth"].notna() & given["prediction"].notna()
    units = given["unit"].dropna().astype(str)
    if any(isinstance(value, Curve) for value in given["prediction"]):
        rows["truth"], rows["prediction"] = given["truth"], given["prediction"]
        kept = rows[labelled].reset_index(drop=True)
        kept["error"] = _curve_errors(kept)
        unit = "" if units.empty else units.iloc[0]
        return TargetResults(name, unit, False, kept, int((~labelled).sum()), True, axis)
    truth = pd.to_numeric(given["truth"], errors="coerce")
    is_text = bool((truth.isna() & given["truth"].notna()).any())
    is_classes = is_text or bool(rows["probability"].notna().any())
    if is_classes:
        rows["truth"] = given["truth"].map(_class_name)
        rows["prediction"] = given["prediction"].map(_class_name)
        rows["error"] = (rows["truth"] != rows["prediction"]).astype(float)
        complete = labelled
    else:
        rows["truth"] = truth.astype(float)
        rows["prediction"] = pd.to_numeric(given["prediction"], errors="coerce").astype(float)
        rows["error"] = rows["prediction"] - rows["truth"]
        complete = pd.Series(np.isfinite(rows["error"].to_numpy()), index=rows.index)
    unit = "" if is_classes or units.empty else units.iloc[0]
    kept = rows[complete].reset_index(drop=True)
    return TargetResults(name, unit, is_classes, kept, int((~complete).sum()))


def _curve_errors(rows: pd.DataFrame) -> list[float]:
    """Mean absolute error of each row over the points that have a truth."""
    return [
        float(np.nanmean(np.abs(np.asarray(said, dtype=float) - np.asarray(truth, dtype=float))))
        for truth, said in zip(rows["truth"], rows["prediction"], strict=True)
    ]


def _optional(given: pd.DataFrame, column: str) -> pd.Series:
    return given[column] if column in given else pd.Series(np.nan, index=given.index, dtype=object)


def _class_name(value: object) -> str:
    # A CSV with a missing label somewhere turns classes 0 and 1 into 0.0 and 1.0.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _reading_order(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name)]


def worst(results: TargetResults, n: int = 10) -> pd.DataFrame:
    """The ``n`` shown rows with the largest error; for classes the surest mistakes."""
    shown = results.shown
    if results.is_classes:
        wrong = shown[shown["error"] > 0]
        return wrong.sort_values("probability", ascending=False, kind="stable").head(n)
    order = shown["error"].abs().sort_values(ascending=False, kind="stable").index
    return shown.loc[order[:n]]


def error_by_element(results: TargetResults) -> pd.DataFrame:
    """Mean absolute error and count of the shown crystals that contain each element.

    Errors on atoms are those of the element's own atoms, if the rows say which they are.

    Returns:
        Columns ``count`` (crystals) and ``error``, index the symbol.
    """
    shown = results.shown
    if results.is_per_atom and (shown["element"] != "").all():
        own = shown.assign(error=shown["error"].abs()).groupby("element")
        return pd.DataFrame({"count": own.size(), "error": own["error"].mean()})
    elements = {formula: elements_of(formula) for formula in shown["formula"].unique()}
    single = pd.DataFrame(
        {
            "id": shown["id"],
            "element": shown["formula"].map(elements),
            "error": shown["error"].abs(),
        }
    ).explode("element")
    groups = single.dropna(subset="element").groupby("element")
    counts = groups["id"].nunique() if results.is_per_atom else groups.size()
    return pd.DataFrame({"count": counts, "error": groups["error"].mean()})


def error_by_crystal_system(results: TargetResults) -> pd.DataFrame:
    """Mean absolute error and count of the shown crystals in each crystal system.

    Returns:
        Columns ``count`` (crystals) and ``error``, index the system from triclinic to cubic.
    """
    shown = results.shown
    shown = shown[shown["crystal_system"] != ""]
    groups = shown.assign(error=shown["error"].abs()).groupby("crystal_system")
    counts = groups["id"].nunique() if results.is_per_atom else groups.size()
    found = pd.DataFrame({"count": counts, "error": groups["error"].mean()})
    named = [system for system in CRYSTAL_SYSTEMS if system in found.index]
    return found.loc[[*named, *sorted(set(found.index) - set(named))]]
