"""Batches in an order that depends on seed and epoch alone, cut the same on any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from gnnmat.data.dataset import SampleDataset
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
    ) -> None:
        self.rows = np.asarray(rows, dtype=np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.ranks = ranks
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
        smallest = max(self.ranks, 2 if self.shuffle else 1)
        if len(cuts) > 2 and cuts[-1] - cuts[-2] < smallest:
            del cuts[-2]
        return cuts

    def __iter__(self) -> Iterator[list[int]]:
        rows = self.rows
        if self.shuffle:
            rows = np.random.default_rng([self.seed, self.epoch]).permutation(rows)
        cuts = self._cuts()
        for start, end in zip(cuts, cuts[1:], strict=False):
            share = rows[start:end][self.rank :: self.ranks]
            if len(share):
                yield share.tolist()

    def __len__(self) -> int:
        return len(self._cuts()) - 1


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
    ) -> None:
        super().__init__()
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
            rows, self.batch_size, seed=self.seed, shuffle=shuffle, rank=rank, ranks=ranks
        )
        return loader(self.dataset, batches, workers=self.workers)


def loader(dataset: SampleDataset, batches: EpochBatches, *, workers: int = 0) -> DataLoader[Batch]:
    """A loader whose batches are joined by the data set itself, without a Python loop."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_whole_batch,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="forkserver" if workers else None,
    )
