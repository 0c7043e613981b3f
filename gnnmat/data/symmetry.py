"""Formulas and symmetries of the crystals of a data set, worked out once and kept by the store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.atomic import write_atomically
from gnnmat.data.dataset import SampleDataset
from gnnmat.data.store import Store
from gnnmat.engine import Failure, iter_items
from gnnmat.sources.prototype_label import Symmetry, describe, formula, without_symmetry

FILE = "symmetry.parquet"


def formulas(dataset: SampleDataset) -> list[str]:
    """Reduced formula of every sample; empty text for images."""
    if not dataset.is_crystal:
        return [""] * len(dataset)
    return [formula(numbers) for numbers in dataset.numbers]


def symmetries(
    dataset: SampleDataset,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    workers: int | None = None,
    quiet: bool = False,
) -> dict[int, Symmetry]:
    """Space group, crystal system and prototype by row.

    Args:
        dataset: crystals.
        rows: those wanted; default all. What was worked out before is read from the store.
        workers: processes; None chooses by the amount of work.
        quiet: no progress bar.
    """
    wanted = range(len(dataset)) if rows is None else [int(row) for row in rows]
    known = _read(dataset)
    missing = [row for row in wanted if row not in known]
    if missing:
        found = iter_items(
            partial(_describe_row, dataset.store.folder),
            missing,
            workers=workers,
            label="Finding symmetries",
            quiet=quiet,
        )
        for row, result in zip(missing, found, strict=True):
            known[row] = _without(dataset, row) if isinstance(result, Failure) else result
        _write(dataset, known)
    return {row: known[row] for row in wanted}


def _without(dataset: SampleDataset, row: int) -> Symmetry:
    """Of a crystal that could not be asked: a family of its own, by its formula."""
    numbers = dataset.numbers[row]
    return replace(without_symmetry(numbers), prototype=formula(numbers))


@lru_cache(maxsize=1)
def _store(folder: Path) -> Store:
    """One opened store a process, whichever rows it is asked for."""
    return Store(folder)


def _describe_row(folder: Path, row: int) -> Symmetry:
    return describe(_store(folder).crystal(row))


def _read(dataset: SampleDataset) -> dict[int, Symmetry]:
    path = dataset.store.folder / FILE
    try:
        table = pd.read_parquet(path, page_checksum_verification=True)
        columns = [table[name] for name in ("row", *(one.name for one in fields(Symmetry)))]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # not there, or damaged: it is worked out again
    return {
        int(row): Symmetry(int(group), str(system), str(prototype), int(sites), int(orbits))
        for row, group, system, prototype, sites, orbits in zip(*columns, strict=True)
    }


def _write(dataset: SampleDataset, known: dict[int, Symmetry]) -> None:
    table = pd.DataFrame([{"row": row, **asdict(one)} for row, one in known.items()])
    buffer = io.BytesIO()
    table.to_parquet(buffer, write_page_checksum=True)
    try:
        write_atomically(dataset.store.folder / FILE, buffer.getvalue())
    except OSError:
        # The table only saves time; a folder that cannot be written must not stop a run.
        return
