"""Predictions of hypotheses and their couplings as sentences: one short block a spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def has_hypotheses(table: pd.DataFrame) -> bool:
    """Whether the table holds classes, and numbers that belong to one of them each.

    A number belongs to a class by its name: ``dimer.JFS`` to ``dimer``.
    """
    if "probability" not in table:
        return False
    of_classes = table["probability"].notna()
    numbers = table.loc[~of_classes, "target"].unique()
    classes = {str(name) for name in table.loc[of_classes, "prediction"]}
    classes |= {name.removeprefix("probability_") for name in table if "probability_" in name}
    return len(numbers) > 0 and all(name.split(".")[0] in classes for name in numbers)


def print_hypotheses(out: Console, table: pd.DataFrame) -> None:
    """The hypothesis of every spectrum, and the numbers that belong to it."""
    from rich.text import Text

    for name in table["id"].unique():
        own = table[table["id"] == name]
        answer = own[own["probability"].notna()].iloc[0]
        kind = str(answer["prediction"])
        out.print(Text(f"{name}: {kind}, probability {_share(float(answer['probability']))}"))
        numbers = own[own["target"].str.startswith(f"{kind}.")]
        words = [
            _value(str(row["target"]).partition(".")[2], float(row["prediction"]), _error(row))
            for _, row in numbers.iterrows()
        ]
        units = {str(unit) for unit in numbers["unit"]} - {""}
        unit = f" {units.pop()}" if len(units) == 1 else ""
        out.print(Text(f"  {', '.join(words)}{unit}"), soft_wrap=True)


def _error(row: pd.Series) -> float | None:
    import math

    error = float(row["error"]) if "error" in row else math.nan
    return None if math.isnan(error) else error


def _share(probability: float) -> str:
    return "> 0.999" if probability > 0.999 else f"{probability:.3f}"


def _value(name: str, value: float, error: float | None) -> str:
    """``JF1 -11.4 +- 0.3``: as many digits as the error has two."""
    import math

    if error is None or error <= 0:
        return f"{name} {value:.4g}"
    digits = max(1 - math.floor(math.log10(error)), 0)
    return f"{name} {value:.{digits}f} +- {error:.{digits}f}"
