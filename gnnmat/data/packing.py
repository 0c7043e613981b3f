"""Rows -> batches below a budget of edges: as many in every epoch, mixed anew in each."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

JITTERS = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.0)
"""How far sizes are blurred before rows are sorted by them, as natural logarithms."""


class EdgeBudget:
    """How the rows of a data set are shared out so that no batch has more edges than allowed.

    A row with more edges than that is alone in its batch. The number of batches is the same in
    every epoch, because a schedule of learning rates and the trainer count on it. Rows go in
    groups of one for each process, so that none of them is left without.

    Rows are placed from large to small, each where there is least: batches cost about alike, and
    those with large crystals hold fewer of them.

    Args:
        edges: (n,) edges of each row.
        size: rows a batch at most.
        budget: edges a batch at most.
        ranks: number of processes.
    """

    def __init__(self, edges: NDArray[np.int64], size: int, budget: int, *, ranks: int = 1) -> None:
        self.edges = np.asarray(edges, dtype=np.int64)
        self.budget = budget
        self.ranks = ranks
        self.groups = max(size // ranks, 1)
        self._count: int | None = None

    def in_order(self) -> list[NDArray[np.int64]]:
        """Places of the rows of each batch, in their order."""
        every = np.arange(len(self.edges))
        load = held = 0
        cuts: list[int] = []
        for start, edges in zip(self._starts(), self._sums(every), strict=True):
            if not held or load + edges > self.budget or held == self.groups:
                cuts.append(int(start))
                load = held = 0
            load, held = load + int(edges), held + 1
        return np.split(every, cuts[1:]) if cuts else []

    def mixed(self, generator: np.random.Generator) -> list[NDArray[np.int64]]:
        """Places of the rows of each batch, all as the generator has it."""
        count = self.count
        shuffled = generator.permutation(len(self.edges))
        for jitter in JITTERS:
            order = self._large_first(shuffled, jitter, generator)
            held = self._placed(order, count)
            if held is not None:  # at the latest of the order by which batches were counted
                break
        assert held is not None
        starts = self._starts()
        ends = [*starts[1:].tolist(), len(order)]
        batches = [np.concatenate([order[starts[k] : ends[k]] for k in one]) for one in held]
        return [batches[place] for place in generator.permutation(count)]

    @property
    def count(self) -> int:
        """Number of batches in every epoch of mixed rows."""
        if self._count is None:
            self._count = self._needed()
        return self._count

    def _needed(self) -> int:
        """The first number of batches that sorted rows fit in, and blurred ones once."""
        groups = len(self._starts())
        if not groups:
            return 0
        every = np.arange(len(self.edges))
        blurred, exact = (
            self._large_first(every, jitter, np.random.default_rng(0)) for jitter in (0.25, 0.0)
        )
        fullest = int(np.minimum(self._sums(exact), self.budget).sum())
        count = max(-(-fullest // self.budget), -(-groups // self.groups), 1)
        while count < groups and not (self._placed(exact, count) and self._placed(blurred, count)):
            count += max(count // 50, 1)
        return min(count, groups)

    def _large_first(
        self, places: NDArray[np.int64], jitter: float, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        edges = self.edges[places].astype(np.float64)
        blur = np.exp(jitter * generator.uniform(-0.5, 0.5, len(edges))) if jitter else 1.0
        return places[np.argsort(-edges * blur, kind="stable")]

    def _starts(self) -> NDArray[np.int64]:
        """Where groups begin; rows that are left over belong to the last."""
        whole = len(self.edges) // self.ranks
        return np.arange(whole, dtype=np.int64) * self.ranks

    def _sums(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Edges of each group."""
        starts = self._starts()
        if not len(starts):
            return starts
        return np.add.reduceat(self.edges[order], starts)

    def _placed(self, order: NDArray[np.int64], count: int) -> list[list[int]] | None:
        """Groups of each of ``count`` batches; None where they do not fit."""
        held: list[list[int]] = [[] for _ in range(count)]
        lightest = [(0, 0, batch) for batch in range(count)]  # edges, groups, batch
        for group, edges in enumerate(self._sums(order).tolist()):
            if not lightest:
                return None
            load, groups, batch = lightest[0]
            if groups and load + edges > self.budget:
                return None
            held[batch].append(group)
            if groups + 1 == self.groups:
                heapq.heappop(lightest)
            else:
                heapq.heapreplace(lightest, (load + edges, groups + 1, batch))
        return held
