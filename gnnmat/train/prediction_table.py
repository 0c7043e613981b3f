"""What a task predicts as a table: one row a sample, or an atom, and target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.data.dataset import SampleDataset
from gnnmat.sources.prototype_label import SYMBOLS
from gnnmat.tasks.task import Task


def prediction_table(
    task: Task,
    dataset: SampleDataset,
    rows: NDArray[np.int64],
    decoded: Tensor,
    formula: Sequence[str],
) -> pd.DataFrame:
    """One row a sample (or an atom) and target: ``id``, ``formula``, ``target``, ``prediction``."""
    index = rows
    frame: dict[str, Any] = {}
    if task.level == "atom":
        counts = dataset.store.atoms[rows]
        index = np.repeat(rows, counts)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        frame["atom"] = np.arange(len(index)) - starts
        numbers = [dataset.numbers[row] for row in rows]
        frame["element"] = [SYMBOLS[z - 1] for one in numbers for z in one.tolist()]
    ids = [dataset.ids[row] for row in index]
    names = [formula[row] for row in index]
    parts = []
    for target in task.targets:
        columns = task.table(decoded)[target.name]
        parts.append(
            pd.DataFrame(
                {"id": ids, "formula": names, **frame, "target": target.name, **columns}
                | {"unit": target.unit, "row": index}
            )
        )
    return pd.concat(parts, ignore_index=True)
