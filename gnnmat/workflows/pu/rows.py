"""The rows of a PU run: labels checked, twins left out, spies hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.sources.records import Records
from gnnmat.workflows.ensemble import same_rows
from gnnmat.workflows.preparation import Prepared, choose_columns, prepare, split_table
from gnnmat.workflows.pu.labels import (
    POSITIVE,
    UNLABELLED,
    both_kinds,
    checked_labels,
    draw_spies,
    with_labels,
)
from gnnmat.workflows.pu.options import PuConfig
from gnnmat.workflows.pu.rivals import check_column
from gnnmat.workflows.pu.twins import twins


@dataclass(frozen=True)
class PuRows:
    """What all fits share.

    Args:
        records: crystals with the labels that the fits are told.
        prepared: the same, and the part of each row for all fits together.
        label: (samples,) ``1``, ``0`` or None, as the data have it.
        spy: (samples,) whether a positive is hidden among the unlabelled rows.
        twins: unlabelled rows left out, see `gnnmat.workflows.pu.twins.twins`.
        column: of the labels.
    """

    records: Records
    prepared: Prepared
    label: NDArray[np.object_]
    spy: NDArray[np.bool_]
    twins: pd.DataFrame
    column: str

    @property
    def told(self) -> NDArray[np.bool_]:
        """(samples,) whether the fits are told that a row is positive."""
        return np.asarray((self.label == POSITIVE) & ~self.spy)


def open_records(config: PuConfig, records: Records | None = None) -> tuple[Records, str]:
    """Crystals with labels ``1``, ``0`` or nothing, and the column these are in.

    Raises:
        GnnmatError: several columns, labels other than 1, 0 and nothing, or only one of both; a
            column to compare that cannot be.
    """
    together = config.together()
    if records is None:
        records = together.data.source.open()
    records = same_rows(together, records) or records
    names = choose_columns(together, records)
    if len(names) != 1:
        raise GnnmatError(
            f"PU learning has one column of labels, not {len(names)}.", fix="--target NAME"
        )
    records = checked_labels(records, names[0])
    for name in config.options.compare:
        check_column(records, name, names[0])
    return records, names[0]


def find_rows(config: PuConfig, records: Records, column: str, *, quiet: bool = False) -> PuRows:
    """The rows of these records; spies and twins are found, and hidden from the fits.

    Args:
        config: the recipe.
        records: from `open_records`.
        column: of the labels.
        quiet: no progress bar.
    """
    together, options = config.together(), config.options
    prepared = prepare(together, records, quiet=quiet)
    kept = prepared.dataset.store.kept
    label = records.column(column).to_numpy(dtype=object)[kept]
    positive, used = label == POSITIVE, prepared.parts != ""
    found = twins(prepared, positive, used, quiet=quiet)
    label[found["row"].to_numpy(dtype=np.int64)] = None
    rows = np.flatnonzero(used)
    groups = np.full(len(label), "", dtype=object)
    groups[rows] = split_table(prepared.dataset, rows, quiet=quiet).groups(options.by)
    spy = draw_spies(positive & used, groups.astype(str), options.spies, options.seed)
    told = records.column(column).to_numpy(dtype=object).copy()
    told[kept] = np.where(spy, UNLABELLED, label)
    both_kinds((told == POSITIVE)[pd.notna(told)], "the whole set")
    hidden = with_labels(records, column, told.tolist())
    return PuRows(hidden, prepare(together, hidden, quiet=quiet), label, spy, found, column)
