"""Draws of whole groups and of held-out elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.split_table import Parts
from gnnmat.errors import GnnmatError


def draw_groups(groups: NDArray[np.str_], val: float, test: float, seed: int, by: str) -> Parts:
    """(n,) parts with whole groups in each, as `GroupSplit` tells.

    Raises:
        GnnmatError: fewer groups than parts.
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    wanted = {"test": test * len(groups), "val": val * len(groups)}
    asked = [part for part, count in wanted.items() if count > 0]
    if len(names) < len(asked) + 1:
        only = f" ('{names[0]}')" if len(names) == 1 else ""
        raise GnnmatError(
            f"Splitting by {by} into {', '.join(['train', *asked[::-1]])} needs at least "
            f"{len(asked) + 1} groups, and there {'is' if len(names) == 1 else 'are'} only "
            f"{len(names)}{only}.",
            fix="Split by another column, or at random.",
        )
    filled = dict.fromkeys(wanted, 0)
    part_of = np.full(len(names), "train", dtype="<U5")
    for group in np.random.RandomState(seed).permutation(len(names)):
        for part in asked:
            if filled[part] + sizes[group] <= wanted[part]:
                part_of[group] = part
                filled[part] += int(sizes[group])
                break
    for part in asked:
        if not (part_of == part).any():
            part_of[_smallest_spare(part_of, sizes)] = part
    return part_of[member]


def _smallest_spare(part_of: Parts, sizes: NDArray[np.int64]) -> int:
    """The smallest group that its part can spare; train's if it has two."""
    for part in ("train", "test", "val"):
        free = np.flatnonzero(part_of == part)
        if len(free) > 1:
            return int(free[np.argmin(sizes[free])])
    raise AssertionError("fewer groups than parts")


def draw_elements(
    has: dict[str, NDArray[np.bool_]], wanted: int, random: np.random.RandomState
) -> NDArray[np.bool_]:
    """(n,) whether a row contains one of the elements drawn."""
    held = np.zeros(len(next(iter(has.values()))), dtype=bool)
    symbols = sorted(has)
    for place in random.permutation(len(symbols)):
        grown = held | has[symbols[place]]
        if grown.sum() <= wanted:
            held = grown
    if not held.any():
        rarest = min(symbols, key=lambda symbol: (has[symbol].sum(), symbol))
        held = has[rarest]
    return held
