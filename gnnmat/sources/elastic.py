"""Moduli and anisotropy of crystals from a column of elastic tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.properties.elastic import UNITS, elastic_invariants
from gnnmat.sources.records import Records, Refusal


def with_elastic(records: Records, column: str) -> Records:
    """The records with a column for each of `UNITS`; crystals with an impossible tensor refused.

    Columns of these names that were there before are replaced. A row without a tensor stays,
    with NaN.

    Args:
        records: with the column of tensors.
        column: its name.

    Raises:
        GnnmatError: no such column, or not one tensor that can be used.
    """
    kept: list[int] = []
    refused: list[Refusal] = []
    found: list[dict[str, float]] = []
    for row, tensor in enumerate(records.column(column)):
        try:
            found.append({} if _is_absent(tensor) else elastic_invariants(tensor))
            kept.append(row)
        except GnnmatError as error:
            refused.append(Refusal(records.ids[row], records.origin(row), error.sentence))
            found.append({})
    if not any(found):
        why = f"The first of {len(refused)}: {refused[0].reason}" if refused else ""
        raise GnnmatError(f"Column '{column}' holds no elastic tensor that can be used.", why=why)
    table = records.table
    invariants = pd.DataFrame(found, columns=list(UNITS), index=table.index, dtype=float)
    own = [name for name in table.columns if name not in UNITS]
    changed = replace(
        records,
        table=pd.concat([table[own], invariants], axis=1),
        units={**records.units, **UNITS},
        refused=[*records.refused, *refused],
    )
    return changed if len(kept) == len(records) else changed.take(kept)


def _is_absent(tensor: Any) -> bool:
    return tensor is None or (np.ndim(tensor) == 0 and bool(pd.isna(tensor)))
