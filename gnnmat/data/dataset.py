"""A data set in memory's eyes: a store on disk, labels, names; served sample or batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from gnnmat.data.cache import open_store
from gnnmat.data.state import read_state
from gnnmat.data.store import Store
from gnnmat.data.targets import Labels, read_labels
from gnnmat.inputs import Input, Powder
from gnnmat.inputs.powder import suited
from gnnmat.sample import Batch, DataSpec, Sample, TargetSpec
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records, Refusal
from gnnmat.state import StateSpec


@dataclass
class SampleDataset(Dataset[Sample]):
    """Samples with their labels and names.

    Args:
        store: the samples on disk.
        labels: targets, one tensor a level.
        ids: names, one a sample.
        table: the source's columns, one row a sample.
        refused: what was left out, and why.
        fingerprint: digest of the structures.
        layout: axes of stacks of slices.
        grid: angles of powder patterns; empty for others.
        state: (samples, s) beside the structures; None without.
        state_spec: what it is.
    """

    store: Store
    labels: Labels
    ids: list[str]
    table: pd.DataFrame
    refused: list[Refusal] = field(default_factory=list)
    fingerprint: str = ""
    layout: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, Any] = field(default_factory=dict)
    state: Tensor | None = None
    state_spec: StateSpec = field(default_factory=StateSpec)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, row: int) -> Sample:
        row = range(len(self))[row]  # counts from the end if negative, IndexError beyond
        sample = self.store.sample(row)
        if self.state is not None:
            sample.state = self.state[row : row + 1]
        if self.labels.sample is not None:
            sample.y_sample = self.labels.sample[row : row + 1]
        if self.labels.atom is not None:
            start = self.store.atom_start
            sample.y_atom = self.labels.atom[int(start[row]) : int(start[row + 1])]
        return sample

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """One batch; PyTorch's loader calls this with the rows of a batch."""
        batch = self.store.batch(rows)
        if self.state is not None:
            batch.state = self.state[batch.row]
        if self.labels.sample is not None:
            batch.y_sample = self.labels.sample[batch.row]
        if self.labels.atom is not None:
            places = self.store.rows_of(np.asarray(rows, dtype=np.int64), "atom")
            batch.y_atom = self.labels.atom[torch.from_numpy(places)]
        return batch

    def without_names(self) -> SampleDataset:
        """Samples and labels alone: all that a loader process needs, and little to send it."""
        return SampleDataset(
            self.store, self.labels, [], pd.DataFrame(), layout=self.layout, state=self.state
        )

    @property
    def is_crystal(self) -> bool:
        """Whether the samples are crystals, with atoms and a cell."""
        return {"z", "lattice"} <= set(self.store.fields)

    @property
    def _fields(self) -> tuple[str, ...]:
        return self.store.fields if self.state is None else (*self.store.fields, "state")

    def crystal(self, row: int) -> Crystal:
        """The crystal of one sample, to float32 precision."""
        return self.store.crystal(row)

    @cached_property
    def numbers(self) -> list[NDArray[np.int64]]:
        """Atomic numbers of each sample, (atoms,) each; empty arrays for images."""
        if not self.is_crystal:
            return [np.empty(0, dtype=np.int64)] * len(self)
        z = np.asarray(self.store.array("z"), dtype=np.int64)
        return np.split(z, self.store.atom_start[1:-1])

    def spec(self, rows: NDArray[np.int64] | None = None) -> DataSpec:
        """What models and tasks must know of the data.

        Args:
            rows: the training rows, from which elements are taken; default all.
        """
        rows = np.arange(len(self)) if rows is None else rows
        if "image" in self.store.fields:
            channels, *shape = self.store.array("image").shape[1:]
            return DataSpec(
                self._fields,
                self.labels.spec,
                channels=channels,
                image_shape=tuple(shape),
                layout=self.layout,
                grid=self.grid,
                state=self._state_of(rows),
            )
        chosen = np.zeros(len(self), dtype=bool)
        chosen[rows] = True
        z = self.store.array("z")[np.repeat(chosen, self.store.atoms)]
        return DataSpec(
            fields=self._fields,
            targets=self.labels.spec,
            elements=tuple(int(number) for number in np.unique(z)),
            neighbours=self.store.bonds_an_atom(rows),
            moments=self.store.moments,
            grid=self.grid,
            state=self._state_of(rows),
        )

    def _state_of(self, rows: NDArray[np.int64]) -> StateSpec:
        """What the state is, with the means of these rows."""
        if self.state is None:
            return self.state_spec
        return self.state_spec.learned_from(self.state[torch.from_numpy(rows)])


def open_dataset(
    records: Records,
    input: Input,
    targets: Sequence[str] = (),
    *,
    classes: bool | Literal["text"] = False,
    known: TargetSpec | None = None,
    axes: Mapping[str, str] | None = None,
    state: Sequence[str] = (),
    known_state: StateSpec | None = None,
    given_state: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> SampleDataset:
    """The samples of these records with their labels; graphs come from the cache.

    Args:
        records: what to read.
        input: how a sample is made of it; measured patterns take that of patterns.
        targets: target columns; none for prediction.
        classes: whether the targets are class names.
        known: targets of an earlier run, for its classes.
        axes: by target, the column with the axis of its curves.
        state: columns of the state beside the structures, such as a temperature.
        known_state: of an earlier run.
        given_state: by name one value for all, or one a record, instead of a column.
        folder: parent of all stores, default the user's cache.
        workers: processes for reading.
        quiet: no progress bar.
    """
    for name in targets:
        records.column(name)
    for name in () if known_state else state:  # before graphs are built, not after
        records.column(name)
    input = suited(input, records)
    store, refused = open_store(records, input, folder=folder, workers=workers, quiet=quiet)
    labels = read_labels(
        records, targets, store.kept, store.atoms, classes=classes, known=known, axes=axes
    )
    found, state_spec = read_state(records, state, store.kept, known=known_state, given=given_state)
    return SampleDataset(
        store=store,
        labels=labels,
        ids=[str(records.ids[item]) for item in store.kept],
        table=records.table.iloc[store.kept].reset_index(drop=True),
        refused=[*records.refused, *refused],
        fingerprint=records.fingerprint,
        layout=dict(records.layout),
        grid=input.grid if isinstance(input, Powder) else {},
        state=found if state else None,
        state_spec=state_spec,
    )
