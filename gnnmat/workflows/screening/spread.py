"""How sure a predicted number is, as one standard deviation a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from gnnmat.errors import GnnmatError, did_you_mean

Floats = NDArray[np.float64]
SpreadSource = Literal["", "interval", "members"]

# Half-width of a 90% interval of a normal distribution with standard deviation 1.
HALF_WIDTH_90 = float(norm.ppf(0.95))


def predicted(table: pd.DataFrame, name: str) -> Floats:
    """(rows,) the predicted number; NaN where there is none.

    Raises:
        GnnmatError: no such column, or one of words.
    """
    if name not in table.columns:
        numbers = [str(one) for one in table.columns if f"{one}_low" in table.columns]
        options = numbers or [str(one) for one in table.select_dtypes("number").columns]
        raise GnnmatError(
            f"The candidates have no column '{name}'.", fix=did_you_mean(name, options)
        )
    try:
        values = pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise GnnmatError(f"The column '{name}' holds something that is no number.") from error
    return np.where(np.isfinite(values), values, np.nan)


def predicted_spread(table: pd.DataFrame, name: str, source: SpreadSource = "") -> Floats:
    """(rows,) standard deviation of the predicted number, in its unit; NaN where it is not told.

    Of the 90% interval half the width over 1.645, as if errors were normal; of the members of an
    ensemble their standard deviation, which is usually smaller than the errors are.

    Args:
        table: with ``name_low`` and ``name_high``, or ``name_members``.
        name: of the number.
        source: which of the two; default: the interval where there is one, for it is calibrated.

    Raises:
        GnnmatError: neither is there.
    """
    has_interval = {f"{name}_low", f"{name}_high"} <= set(table.columns)
    has_members = f"{name}_members" in table.columns
    if source != "members" and has_interval:
        low, high = predicted(table, f"{name}_low"), predicted(table, f"{name}_high")
        return np.abs(high - low) / 2 / HALF_WIDTH_90
    if source != "interval" and has_members:
        return np.array([_deviation(one) for one in table[f"{name}_members"]], dtype=np.float64)
    wanted = {"interval": f"{name}_low and {name}_high", "members": f"{name}_members"}
    raise GnnmatError(
        f"Nothing says how sure '{name}' is.",
        why=f"It takes {wanted.get(source, ' or '.join(wanted.values()))}.",
        fix="Predict with several members or after `gnnmat trust`, or choose 'greedy' or 'random'.",
    )


def weighed(table: pd.DataFrame, weights: Mapping[str, float], name: str = "score") -> pd.DataFrame:
    """A table with several objectives in one column: their weighted sum, in standard deviations.

    Each objective is divided by its standard deviation over the candidates. Where all have as many
    members the sum is made member by member, which keeps their correlation; otherwise the
    spreads add up as if independent. One sum finds one point of the Pareto front: for several, ask
    again with other weights. Expected hypervolume improvement is not there.

    Args:
        table: candidates.
        weights: by column; negative where smaller is better.
        name: of the new column; its spread is beside it, as members or as a 90% interval.

    Raises:
        GnnmatError: a column is not there, is constant, or nothing says how sure it is.
    """
    if not weights:
        raise GnnmatError("No objective was given to weigh.")
    scales = {one: weight / _scale(table, one) for one, weight in weights.items()}
    shares = [scale * predicted(table, one) for one, scale in scales.items()]
    total = np.sum(np.stack(shares), axis=0)
    found = [(scale, _members(table, one)) for one, scale in scales.items()]
    parts = [scale * members for scale, members in found if members is not None]
    columns: dict[str, Any] = {name: total}
    if len(parts) == len(found) and len({one.shape for one in parts}) == 1:
        columns[f"{name}_members"] = list(np.sum(np.stack(parts), axis=0))
    else:
        spreads = [scale * predicted_spread(table, one) for one, scale in scales.items()]
        half = HALF_WIDTH_90 * np.sqrt(np.square(np.stack(spreads)).sum(axis=0))
        columns |= {f"{name}_low": total - half, f"{name}_high": total + half}
    kept = [one for one in columns if one not in table.columns]
    if len(kept) < len(columns):
        raise GnnmatError(f"The candidates have a column '{name}' already.", fix="Choose a name.")
    return table.assign(**columns)


def _scale(table: pd.DataFrame, name: str) -> float:
    values = predicted(table, name)
    spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
    if not spread:
        raise GnnmatError(f"'{name}' is the same for all candidates, so it weighs nothing.")
    return spread


def _members(table: pd.DataFrame, name: str) -> Floats | None:
    """(rows, members), None where there are none or not as many everywhere."""
    if f"{name}_members" not in table.columns or not len(table):
        return None
    rows = [np.atleast_1d(np.asarray(one, np.float64)) for one in table[f"{name}_members"]]
    return np.stack(rows) if len({len(one) for one in rows}) == 1 and len(rows[0]) > 1 else None


def _deviation(members: Any) -> float:
    """NaN for less than two members."""
    values = np.atleast_1d(np.asarray(members, dtype=np.float64))
    return float(values.std()) if len(values) > 1 and np.isfinite(values).all() else float("nan")
