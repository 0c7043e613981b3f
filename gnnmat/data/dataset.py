"""A data set in memory's eyes: a store on disk, labels, names; served sample or batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from gnnmat.data.cache import open_store
from gnnmat.data.store import Store
from gnnmat.data.targets import Labels, read_labels
from gnnmat.inputs import Input
from gnnmat.sample import Batch, DataSpec, Sample, TargetSpec
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.records import Records, Refusal


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
    """

    store: Store
    labels: Labels
    ids: list[str]
    table: pd.DataFrame
    refused: list[Refusal] = field(default_factory=list)
    fingerprint: str = ""
    layout: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, row: int) -> Sample:
        row = range(len(self))[row]  # counts from the end if negative, IndexError beyond
        sample = self.store.sample(row)
        if self.labels.sample is not None:
            sample.y_sample = self.labels.sample[row : row + 1]
        if self.labels.atom is not None:
            start = self.store.atom_start
            sample.y_atom = self.labels.atom[int(start[row]) : int(start[row + 1])]
        return sample

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """One batch; PyTorch's loader calls this with the rows of a batch."""
        batch = self.store.batch(rows)
        if self.labels.sample is not None:
            batch.y_sample = self.labels.sample[batch.row]
        if self.labels.atom is not None:
            places = self.store.rows_of(np.asarray(rows, dtype=np.int64), "atom")
            batch.y_atom = self.labels.atom[torch.from_numpy(places)]
        return batch

    def without_names(self) -> SampleDataset:
        """Samples and labels alone: all that a loader process needs, and little to send it."""
        return SampleDataset(self.store, self.labels, [], pd.DataFrame(), layout=self.layout)

    @property
    def is_crystal(self) -> bool:
        """Whether the samples are graphs of crystals."""
        return "z" in self.store.fields

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
        if not self.is_crystal:
            channels, *shape = self.store.array("image").shape[1:]
            return DataSpec(
                self.store.fields,
                self.labels.spec,
                channels=channels,
                image_shape=tuple(shape),
                layout=self.layout,
            )
        chosen = np.zeros(len(self), dtype=bool)
        chosen[rows] = True
        z = self.store.array("z")[np.repeat(chosen, self.store.atoms)]
        edges, atoms = self.store.edges[rows].sum(), self.store.atoms[rows].sum()
        return DataSpec(
            fields=self.store.fields,
            targets=self.labels.spec,
            elements=tuple(int(number) for number in np.unique(z)),
            neighbours=float(edges / max(atoms, 1)),
        )


def open_dataset(
    records: Records,
    input: Input,
    targets: Sequence[str] = (),
    *,
    classes: bool | Literal["text"] = False,
    known: TargetSpec | None = None,
    folder: Path | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> SampleDataset:
    """The samples of these records with their labels; graphs come from the cache.

    Args:
        records: what to read.
        input: how a sample is made of it.
        targets: target columns; none for prediction.
        classes: whether the targets are class names.
        known: targets of an earlier run, for its classes.
        folder: parent of all stores, default the user's cache.
        workers: processes for reading.
        quiet: no progress bar.
    """
    for name in targets:
        records.column(name)
    store, refused = open_store(records, input, folder=folder, workers=workers, quiet=quiet)
    labels = read_labels(records, targets, store.kept, store.atoms, classes=classes, known=known)
    return SampleDataset(
        store=store,
        labels=labels,
        ids=[str(records.ids[item]) for item in store.kept],
        table=records.table.iloc[store.kept].reset_index(drop=True),
        refused=[*records.refused, *refused],
        fingerprint=records.fingerprint,
        layout=dict(records.layout),
    )
