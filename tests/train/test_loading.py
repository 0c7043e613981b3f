"""Batches whose order depends on seed and epoch alone, on any number of processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnnmat.data.dataset import open_dataset
from gnnmat.data.loading import DataModule, EpochBatches, loader
from gnnmat.data.packing import EdgeBudget
from gnnmat.errors import GnnmatError
from gnnmat.inputs import CrystalGraph
from gnnmat.workflows import assembly

from .tiny import config, graph_cache, records  # noqa: F401

ROWS = np.arange(100, 123)


def batches(epoch: int = 0, **options: Any) -> list[list[int]]:
    made = EpochBatches(ROWS, 5, **options)
    made.set_epoch(epoch)
    return list(made)


def test_order_follows_from_seed_and_epoch() -> None:
    assert batches(epoch=3, seed=1) == batches(epoch=3, seed=1)
    assert batches(epoch=3, seed=1) != batches(epoch=4, seed=1)
    assert batches(epoch=3, seed=1) != batches(epoch=3, seed=2)


def test_order_does_not_depend_on_what_was_drawn_before() -> None:
    torch.manual_seed(1)
    before = batches(epoch=2)
    torch.manual_seed(2)
    np.random.seed(5)  # noqa: NPY002 the legacy generator is what must not matter
    assert batches(epoch=2) == before


def test_unshuffled_rows_keep_their_order() -> None:
    assert sum(batches(shuffle=False), []) == ROWS.tolist()


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 60),
    size=st.integers(1, 17),
    ranks=st.integers(1, 4),
    epoch=st.integers(0, 9),
    shuffle=st.booleans(),
)
def test_processes_share_the_batches_of_one_process(
    rows: int, size: int, ranks: int, epoch: int, shuffle: bool
) -> None:
    rows, size = max(rows, ranks), max(size, ranks)

    def cut(rank: int, ranks: int) -> EpochBatches:
        made = EpochBatches(np.arange(rows), size, shuffle=shuffle, rank=rank, ranks=ranks)
        made.set_epoch(epoch)
        return made

    shares = [list(cut(rank, ranks)) for rank in range(ranks)]
    seen = sorted(row for share in shares for batch in share for row in batch)
    assert seen == list(range(rows))  # every row once
    assert {len(share) for share in shares} == {len(cut(0, ranks))}  # none waits for another
    for step in zip(*shares, strict=True):  # rows of every batch are spread evenly
        sizes = [len(batch) for batch in step]
        assert max(sizes) - min(sizes) <= 1


def test_last_row_alone_joins_the_batch_before() -> None:
    """Batch normalisation cannot train on one row."""
    assert [len(batch) for batch in EpochBatches(np.arange(11), 5)] == [5, 6]
    assert len(EpochBatches(np.arange(11), 5)) == 2


def test_batch_of_the_loader_holds_the_rows_asked_for() -> None:
    dataset = open_dataset(records(12), CrystalGraph.example(), ["volume"], quiet=True)
    for rows, batch in zip(
        EpochBatches(np.arange(12), 5),
        loader(dataset, EpochBatches(np.arange(12), 5)),
        strict=True,
    ):
        assert batch.row.tolist() == rows
        assert batch.y_sample[:, 0].tolist() == dataset.labels.sample[rows, 0].tolist()


def test_loader_draws_nothing_from_the_generator_of_dropout() -> None:
    dataset = open_dataset(records(6), CrystalGraph.example(), ["volume"], quiet=True)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(loader(dataset, EpochBatches(np.arange(6), 3)))
    assert torch.equal(torch.get_rng_state(), before)


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(GnnmatError, match="3 rows a batch cannot be shared by 4 processes"):
        EpochBatches(np.arange(9), 3, ranks=4)


@pytest.mark.parametrize("epoch", [0, 4])
@pytest.mark.parametrize("limit", [None, 60])
def test_loader_of_a_resumed_run_begins_with_the_epoch_reached(
    epoch: int, limit: int | None
) -> None:
    """Loader processes read ahead before Lightning says which epoch it is."""
    data = DataModule(
        open_dataset(records(12), CrystalGraph.example(), ["volume"], quiet=True),
        np.arange(12),
        np.arange(0),
        batch_size=5,
        seed=7,
        batch_edges=limit,
    )
    progress = SimpleNamespace(current=SimpleNamespace(processed=epoch))
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=0, world_size=1, fit_loop=SimpleNamespace(epoch_progress=progress)
    )
    budget = EdgeBudget(data.dataset.store.edges, 5, limit) if limit else None
    expected = EpochBatches(np.arange(12), 5, seed=7, budget=budget)
    expected.set_epoch(epoch)
    assert [batch.row.tolist() for batch in data.train_dataloader()] == list(expected)


def test_loader_keeps_the_budget_with_the_edges_of_its_graphs() -> None:
    dataset = open_dataset(records(12), CrystalGraph.example(), ["volume"], quiet=True)
    budget = int(2.5 * dataset.store.edges.max())
    data = DataModule(dataset, np.arange(12), np.arange(5), batch_size=12, batch_edges=budget)
    batches = list(data.train_dataloader())
    assert len(batches) > 1
    assert all(batch.edge_index.shape[1] <= budget for batch in batches)
    assert sorted(row for batch in batches for row in batch.row.tolist()) == list(range(12))
    val = [row for batch in data.val_dataloader() for row in batch.row.tolist()]
    assert val == list(range(5))


def test_budget_of_edges_is_an_option_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(assembly, "DataModule", lambda *_, **options: found.append(options))
    assembly.make_data(config(trainer__batch_edges=100), MagicMock())
    assert found[0]["batch_edges"] == 100
    assembly.make_data(config(), MagicMock())
    assert found[1]["batch_edges"] is None


def test_budget_of_edges_for_images_is_refused() -> None:
    class Images:
        is_crystal = False

    with pytest.raises(GnnmatError, match=r"trainer\.batch_edges is for crystals"):
        DataModule(Images(), np.arange(3), np.arange(0), batch_size=2, batch_edges=5)  # type: ignore[arg-type]
