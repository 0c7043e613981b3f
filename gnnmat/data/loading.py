"""Batches in an order that depends on seed and epoch alone, cut the same on any number of ranks."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import BaseContext

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from gnnmat.data.dataset import SampleDataset
from gnnmat.data.packing import EdgeBudget
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch


def _whole_batch(batch: Batch) -> Batch:
    return batch


class EpochBatches(Sampler[list[int]]):
    """Batches of rows; one rank of several takes its share of every batch.

    Every rank cuts the same global batches and takes each ``ranks``-th row of them, so that
    several processes see together what one process would see alone. A last batch too small
    to be normalised, or to give every rank a row, joins the one before it.

    Args:
        rows: (n,) rows of the data set.
        batch_size: rows in a global batch.
        seed: with the epoch, the only source of the order.
        shuffle: keep the order of ``rows`` if False.
        rank: this process.
        ranks: number of processes.
        budget: edges a batch at most, and who shares them out; None counts rows alone. Then
            cuts depend on the number of processes.

    Raises:
        GnnmatError: there are fewer rows than processes, in all or in a batch.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        ranks: int = 1,
        budget: EdgeBudget | None = None,
    ) -> None:
        for count, what in ((batch_size, "rows a batch"), (len(rows), "rows")):
            if 0 < count < ranks:
                raise GnnmatError(
                    f"{count} {what} cannot be shared by {ranks} processes.",
                    why="Every process needs a row at every step.",
                    fix="Use fewer devices (trainer.devices), or a larger trainer.batch_size.",
                )
        self.rows = np.asarray(rows, dtype=np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.ranks = ranks
        self.budget = budget
        self.epoch = 0

    @property
    def sampler(self) -> EpochBatches:
        """Itself: Lightning looks for ``set_epoch`` on the sampler inside a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; called by Lightning."""
        self.epoch = epoch

    def _cuts(self) -> list[int]:
        cuts = list(range(0, len(self.rows), self.batch_size)) + [len(self.rows)]
        # A batch as large as all others is never a tail, however small that is.
        smallest = min(self.ranks * (2 if self.shuffle else 1), self.batch_size)
        if len(cuts) > 2 and cuts[-1] - cuts[-2] < smallest:
            del cuts[-2]
        return cuts

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """Rows of every global batch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        if self.budget is not None:
            shared = self.budget.mixed(generator) if self.shuffle else self.budget.in_order()
            yield from (self.rows[places] for places in shared)
            return
        rows = generator.permutation(self.rows) if self.shuffle else self.rows
        cuts = self._cuts()
        yield from (rows[start:end] for start, end in zip(cuts, cuts[1:], strict=False))

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches():
            share = batch[self.rank :: self.ranks]
            if len(share):
                yield share.tolist()

    def __len__(self) -> int:
        if self.budget is None:
            return len(self._cuts()) - 1
        return self.budget.count if self.shuffle else len(self.budget.in_order())


class DataModule(LightningDataModule):
    """Training and validation batches for Lightning.

    Args:
        dataset: the samples.
        train: (n,) training rows.
        val: (m,) validation rows, may be empty.
        batch_size: rows in a global batch.
        seed: of the order.
        workers: loader processes; 0 loads in the training process, which is fast enough for
            graphs on a CPU.
        batch_edges: edges of a global batch at most; None counts rows alone.

    Raises:
        GnnmatError: a budget of edges for samples without.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        train: NDArray[np.int64],
        val: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int = 0,
        workers: int = 0,
        batch_edges: int | None = None,
    ) -> None:
        super().__init__()
        if batch_edges is not None and not dataset.is_crystal:
            raise GnnmatError(
                "trainer.batch_edges is for crystals; these samples have no edges.",
                fix="trainer.batch_edges=null, and a smaller trainer.batch_size to save memory.",
            )
        self.batch_edges = batch_edges
        self.dataset = dataset
        self.train_rows = train
        self.val_rows = val
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled batches."""
        return self._loader(self.train_rows, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Batches in order; an empty list without validation rows."""
        return self._loader(self.val_rows, shuffle=False) if len(self.val_rows) else []

    def _loader(self, rows: NDArray[np.int64], *, shuffle: bool) -> DataLoader[Batch]:
        rank, ranks = (
            (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        )
        batches = EpochBatches(
            rows,
            self.batch_size,
            seed=self.seed,
            shuffle=shuffle,
            rank=rank,
            ranks=ranks,
            budget=self._budget(rows, ranks),
        )
        if self.trainer:
            # Lightning names the epoch only after loader processes have begun to read ahead,
            # which after resuming is too late.
            batches.set_epoch(self.trainer.fit_loop.epoch_progress.current.processed)  # type: ignore[attr-defined]
        return loader(self.dataset, batches, workers=self.workers)

    def _budget(self, rows: NDArray[np.int64], ranks: int) -> EdgeBudget | None:
        if self.batch_edges is None:
            return None
        edges = self.dataset.store.edges[rows]
        return EdgeBudget(edges, self.batch_size, self.batch_edges, ranks=ranks)


def loader(dataset: SampleDataset, batches: EpochBatches, *, workers: int = 0) -> DataLoader[Batch]:
    """A loader whose batches are joined by the data set itself, without a Python loop."""
    return DataLoader(
        dataset.without_names() if workers else dataset,
        batch_sampler=batches,
        collate_fn=_whole_batch,
        num_workers=workers,
        # Else every pass draws a number from the generator that dropout draws from, and the first
        # pass after resuming draws it at another moment.
        generator=torch.Generator(),
        persistent_workers=workers > 0,
        multiprocessing_context=_shared_libraries() if workers else None,
    )


def _shared_libraries() -> BaseContext:
    """Where loader processes come from: a server that loads the libraries once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
