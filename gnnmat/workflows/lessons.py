"""What a run has learned from and what it was only checked on, written beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase.data import atomic_masses
from numpy.typing import NDArray

from gnnmat.data.dataset import SampleDataset
from gnnmat.data.likeness import likeness
from gnnmat.data.symmetry import formulas
from gnnmat.train.learned import LIKENESS, save_learned
from gnnmat.workflows.looks import Looking
from gnnmat.workflows.screening.held_out import save_held_out


def write_lessons(folder: Path, looking: Looking) -> None:
    """Write ``learned.parquet`` and, for numbers, ``held_out.parquet`` of a run of crystals.

    Validation rows count as learned as well: they chose the epoch.

    Args:
        folder: of the run or ensemble.
        looking: the committee and its rows.
    """
    dataset, prepared = looking.prepared.dataset, looking.prepared
    if not dataset.is_crystal:
        return
    used = np.sort(np.concatenate([prepared.rows("train"), prepared.rows("val")]))
    facts = crystal_facts(dataset, used)
    save_learned(folder, facts[["formula", "volume", *LIKENESS]])
    known = held_out_table(looking)
    if known is not None:
        save_held_out(folder, known)


def crystal_facts(dataset: SampleDataset, rows: NDArray[np.int64]) -> pd.DataFrame:
    """``formula``, ``volume`` (of an atom, Å^3), ``mass`` (of an atom, u), ``atoms``, likeness."""
    names = formulas(dataset)
    like = np.array([likeness(dataset.crystal(int(row))) for row in rows]).reshape(-1, 2)
    numbers = [dataset.numbers[row] for row in rows]
    return pd.DataFrame(
        {
            "formula": [names[row] for row in rows],
            "volume": [
                dataset.crystal(int(row)).volume / len(one)
                for row, one in zip(rows, numbers, strict=True)
            ],
            "mass": [float(atomic_masses[one].mean()) for one in numbers],
            "atoms": [len(one) for one in numbers],
            **dict(zip(LIKENESS, like.T, strict=True)),
        }
    )


def held_out_table(looking: Looking) -> pd.DataFrame | None:
    """Truths and answers of the validation rows, as of `HeldOut`; None without numbers."""
    task, labels = looking.committee.trained.task, looking.prepared.dataset.labels
    numbers = [one for one in task.targets if not one.classes and not one.is_curve]
    if labels.sample is None or not numbers or len(numbers) < len(task.targets):
        return None
    rows, seen = looking.val.rows, looking.val.seen
    first = np.unique(rows, return_index=True)[1]  # each row once, however often it was looked at
    rows = rows[first]
    together = task.table(task.combine(seen.decoded))
    voices = [task.table(one) for one in seen.decoded]
    columns: dict[str, Any] = {}
    for one in numbers:
        place = labels.spec.columns(labels.spec[one.name]).start
        columns[one.name] = labels.sample[rows, place].double().numpy()
        columns[f"{one.name}_said"] = np.array(together[one.name]["prediction"], float)[first]
        if len(voices) > 1:
            said = np.array([voice[one.name]["prediction"] for voice in voices], float)[:, first]
            columns[f"{one.name}_members"] = [list(map(float, row)) for row in said.T]
    facts = crystal_facts(looking.prepared.dataset, rows).drop(columns=list(LIKENESS))
    return facts.assign(**columns)
