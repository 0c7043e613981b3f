"""Non-dominated sorting: which candidates nothing beats in every objective, and which come next."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def pareto_fronts(values: Floats) -> Ints:
    """(rows,) number of the front of each row, from 1.

    A row dominates another if it is at least as large in every objective and larger in one. The
    first front is what nothing dominates, the second what nothing but the first does, and so on;
    equal rows share a front. One and two objectives take O(n log n); more take
    O(n log(fronts) times a front), compared by numpy.

    Args:
        values: (rows, objectives), finite, the larger the better.

    Source: Zhang et al., IEEE Trans. Evol. Comput. 19, 201 (2015), efficient non-dominated sort
        with binary search; for two objectives Jensen, IEEE Trans. Evol. Comput. 7, 503 (2003).
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    # Equal rows are one: they never dominate each other. Rows come out in rising order, so that
    # walked backwards no row is dominated by one that comes after it.
    distinct, place = np.unique(values, axis=0, return_inverse=True)
    falling = distinct[::-1]
    if values.shape[1] == 1:
        ranks = np.arange(1, len(falling) + 1, dtype=np.int64)
    elif values.shape[1] == 2:
        ranks = _two(falling[:, 1])
    else:
        ranks = _several(falling[:, 1:])
    found: Ints = ranks[::-1][place.reshape(-1)]
    return found


def _two(second: Floats) -> Ints:
    """Fronts of rows that fall in the first objective, from their second objective (rows,)."""
    # Of each front the largest second objective so far, with the sign turned: these rise with
    # the front, and a row is dominated by a front exactly if that value is not above its own.
    tops: list[float] = []
    ranks = np.empty(len(second), dtype=np.int64)
    for row, value in enumerate((-second).tolist()):
        low, high = 0, len(tops)
        while low < high:
            middle = (low + high) // 2
            if tops[middle] <= value:
                low = middle + 1
            else:
                high = middle
        if low == len(tops):
            tops.append(value)
        else:
            tops[low] = value
        ranks[row] = low + 1
    return ranks


def _several(rest: Floats) -> Ints:
    """Fronts of rows that fall in the first objective, from the others (rows, objectives - 1)."""
    members: list[_Growing] = []
    ranks = np.empty(len(rest), dtype=np.int64)
    for row, point in enumerate(rest):
        # If a front dominates a row so do all before it.
        front = bisect_left(members, True, key=lambda one: not one.dominates(point))
        if front == len(members):
            members.append(_Growing(rest.shape[1]))
        members[front].add(point)
        ranks[row] = front + 1
    return ranks


class _Growing:
    """The rows of a front, in an array that doubles when it is full."""

    def __init__(self, width: int) -> None:
        self.rows = np.empty((8, width))
        self.count = 0

    def dominates(self, point: Floats) -> bool:
        return bool((self.rows[: self.count] >= point).all(axis=1).any())

    def add(self, point: Floats) -> None:
        if self.count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[self.count] = point
        self.count += 1


def crowding(values: Floats) -> Floats:
    """(rows,) how much room a row has in its front; infinite at the ends of an objective.

    Half the sum over objectives of the distance between its two neighbours, in units of the span.

    Args:
        values: (rows, objectives) of one front.

    Source: Deb et al., IEEE Trans. Evol. Comput. 6, 182 (2002), section III B; differs in: half.
    """
    room = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        room[order[[0, -1]]] = np.inf
        if span > 0 and len(order) > 2:
            room[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / (2 * span)
    return room
