"""Batches of an epoch: every row once, the same cuts for any number of processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gnnmat.data.loading import EpochBatches
from gnnmat.errors import GnnmatError

rows_strategy = st.integers(0, 70)
sizes = st.integers(1, 20)
rank_counts = st.integers(1, 5)
seeds = st.integers(0, 2**31)
epochs = st.integers(0, 1000)


def batches_of(
    n: int,
    size: int,
    *,
    ranks: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    epoch: int = 0,
) -> list[list[list[int]]]:
    """The batches of every rank; rows are not 0 to n - 1, so that rows and places differ."""
    found = []
    for rank in range(ranks):
        batches = EpochBatches(rows_of(n), size, seed=seed, shuffle=shuffle, rank=rank, ranks=ranks)
        batches.set_epoch(epoch)
        found.append(list(batches))
        assert len(found[-1]) == len(batches)
    return found


def rows_of(n: int) -> np.ndarray:
    return 1000 + 3 * np.arange(n)


@given(rows_strategy, sizes, rank_counts, st.booleans(), seeds, epochs)
def test_every_row_comes_once_an_epoch(
    n: int, size: int, ranks: int, shuffle: bool, seed: int, epoch: int
) -> None:
    assume(size >= ranks and (n == 0 or n >= ranks))
    found = batches_of(n, size, ranks=ranks, shuffle=shuffle, seed=seed, epoch=epoch)
    seen = [row for share in found for batch in share for row in batch]
    assert sorted(seen) == rows_of(n).tolist()


@given(rows_strategy, sizes, rank_counts, st.booleans(), seeds, epochs)
def test_processes_see_together_what_one_would_see(
    n: int, size: int, ranks: int, shuffle: bool, seed: int, epoch: int
) -> None:
    assume(size >= ranks and (n == 0 or n >= ranks))
    options = {"shuffle": shuffle, "seed": seed, "epoch": epoch}
    shares = batches_of(n, size, ranks=ranks, **options)
    (alone,) = batches_of(n, size, **options)
    lengths = {len(share) for share in shares}
    assert len(lengths) == 1
    # A tail too small for several processes joins the batch before it; the rest is the same.
    steps = lengths.pop()
    assert len(alone) - steps in {0, 1}
    if steps < len(alone):
        assert len(alone[-1]) < min(size, ranks * (2 if shuffle else 1))
        alone = [*alone[:-2], alone[-2] + alone[-1]]
    for step, expected in enumerate(alone):
        joined = [row for share in shares for row in share[step]]
        assert sorted(joined) == sorted(expected)
        assert all(share[step] for share in shares)
        counts = [len(share[step]) for share in shares]
        assert max(counts) - min(counts) <= 1


@given(rows_strategy, sizes, st.booleans())
def test_batches_have_the_size_asked_for_but_the_last(n: int, size: int, shuffle: bool) -> None:
    (found,) = batches_of(n, size, shuffle=shuffle)
    assert all(len(batch) == size for batch in found[:-1])
    if n:
        assert 1 <= len(found[-1]) <= size + (1 if shuffle else 0)


def test_row_left_alone_joins_the_batch_before_it_in_training_only() -> None:
    assert [len(batch) for batch in batches_of(9, 4)[0]] == [4, 5]
    assert [len(batch) for batch in batches_of(10, 4)[0]] == [4, 4, 2]
    assert [len(batch) for batch in batches_of(9, 4, shuffle=False)[0]] == [4, 4, 1]
    assert [len(batch) for batch in batches_of(1, 4)[0]] == [1]


def test_tail_smaller_than_the_processes_joins_the_batch_before_it() -> None:
    shares = batches_of(10, 4, ranks=3, shuffle=False)
    assert [[len(batch) for batch in share] for share in shares] == [[2, 2], [1, 2], [1, 2]]


def test_every_process_trains_on_two_rows_of_a_tail_or_the_tail_joins() -> None:
    shares = batches_of(11, 8, ranks=2)
    assert [[len(batch) for batch in share] for share in shares] == [[6], [5]]
    shares = batches_of(12, 8, ranks=2)
    assert [[len(batch) for batch in share] for share in shares] == [[4, 2], [4, 2]]


def test_full_last_batch_is_no_tail() -> None:
    shares = batches_of(4, 2, ranks=2)
    assert [[len(batch) for batch in share] for share in shares] == [[1, 1], [1, 1]]
    assert [len(batch) for batch in batches_of(3, 1)[0]] == [1, 1, 1]


def test_order_is_that_of_the_rows_without_shuffling() -> None:
    found = batches_of(7, 3, shuffle=False, seed=3, epoch=5)[0]
    assert [row for batch in found for row in batch] == rows_of(7).tolist()


@given(seeds, epochs)
def test_order_depends_on_seed_and_epoch_alone(seed: int, epoch: int) -> None:
    np.random.seed(seed % 7)  # noqa: NPY002 (the global generator must not matter)
    first = batches_of(40, 8, seed=seed, epoch=epoch)
    np.random.seed(11)  # noqa: NPY002
    assert batches_of(40, 8, seed=seed, epoch=epoch) == first
    assert batches_of(40, 8, seed=seed, epoch=epoch + 1) != first
    assert batches_of(40, 8, seed=seed + 1, epoch=epoch) != first


def test_epoch_reached_directly_has_the_order_of_one_reached_in_turn() -> None:
    batches = EpochBatches(rows_of(20), 4, seed=1)
    for epoch in range(4):
        batches.set_epoch(epoch)
        in_turn = list(batches)
    assert batches_of(20, 4, seed=1, epoch=3)[0] == in_turn


def test_rows_given_are_left_as_they_were() -> None:
    rows = rows_of(20)
    list(EpochBatches(rows, 4))
    assert rows.tolist() == rows_of(20).tolist()


@pytest.mark.parametrize(("n", "size", "what"), [(8, 2, "2 rows a batch"), (2, 8, "2 rows")])
def test_fewer_rows_than_processes_are_refused(n: int, size: int, what: str) -> None:
    with pytest.raises(GnnmatError) as caught:
        EpochBatches(rows_of(n), size, rank=0, ranks=3)
    assert caught.value.what == f"{what} cannot be shared by 3 processes."
    assert "trainer.batch_size" in caught.value.fix
