r"""Equivalent atoms and bonds of a graph, so that each is computed once.

A network that is told elements and distances alone gives two atoms the same features if, and only
if, colour refinement cannot tell them apart: they are of one element and have, shell by shell, the
same number of neighbours of the same colour. One atom of a colour stands for all of it, and of its
bonds to one colour at one distance one bond, with their number, stands for all.

Source: Weisfeiler & Lehman (1968), the refinement; Xu et al., arXiv:1810.00826, Theorem 3, that
sums over neighbours see no more. Ruff et al., arXiv:2302.14102, compute once per orbit of the space
group; colours need no symmetry search, and are never more than the orbits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.inputs.neighbours import Neighbours

SPREAD = 2.5  # of a group of equal lengths, in tolerances: a chain of small gaps is cut there

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Folded:
    """A graph in which equivalent atoms and bonds are there once.

    Args:
        orbit: (atoms,) the first atom of the same colour; itself for one that stands for others.
        source: (edges,) index of the neighbour, one that stands for others.
        centre: (edges,) likewise, ascending.
        length: (edges,) Å, the mean of the lengths that count as equal.
        count: (edges,) bonds of the centre that each edge stands for.
        kind: (bonds,) which bonds are alike: of one length, between the same colours.
        place: (edges,) the bond that each edge is taken from.
    """

    orbit: Ints
    source: Ints
    centre: Ints
    length: NDArray[np.float64]
    count: Ints
    kind: Ints
    place: Ints

    def averaged(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(bonds, n) values in whose place stands the mean over all bonds that are alike."""
        number = np.bincount(self.kind).astype(np.float64)
        columns = [np.bincount(self.kind, column)[self.kind] for column in values.T]
        return np.stack(columns, axis=1) / number[self.kind][:, None] if columns else values


def fold(numbers: Ints, pairs: Neighbours, tolerance: float) -> Folded:
    """The graph with equivalent atoms and bonds there once.

    Args:
        numbers: (atoms,) atomic numbers.
        pairs: all bonds, sorted by centre.
        tolerance: lengths between the same elements closer than this count as equal, Å.
    """
    element = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    group, length = equal_lengths(element, pairs, tolerance)
    colour = colours(element, pairs, group)
    first = np.unique(colour, return_index=True)[1]
    standing = np.zeros(len(numbers), dtype=bool)
    standing[first] = True
    # Bonds are alike if their ends and lengths are; one edge for those of one centre.
    ends = colour[pairs.centre] * len(numbers) + colour[pairs.source]
    key = ends * (int(group.max(initial=0)) + 1) + group
    kind = np.unique(key, return_inverse=True)[1].astype(np.int64)
    kept = np.flatnonzero(standing[pairs.centre])
    place, count = np.unique(kind[kept], return_index=True, return_counts=True)[1:]
    place = kept[place]
    centre, source = pairs.centre[place], first[colour[pairs.source[place]]]
    order = np.lexsort((source, length[place], centre))
    place = place[order]
    return Folded(
        first[colour], source[order], centre[order], length[place], count[order].astype(np.int64),
        kind, place,
    )  # fmt: skip


def equal_lengths(
    element: Ints, pairs: Neighbours, tolerance: float
) -> tuple[Ints, NDArray[np.float64]]:
    """(bonds,) group of equal lengths between the same elements, and the mean of the group in Å.

    Sorted lengths are cut at gaps wider than the tolerance, and what is then spread wider than
    `SPREAD` tolerances is cut at its widest gap again: the cuts lie where rounding cannot move
    a length across.
    """
    if not len(pairs.length):
        return pairs.centre, pairs.length
    one, other = element[pairs.centre], element[pairs.source]
    kinds = int(element.max(initial=0)) + 1
    pair = np.minimum(one, other) * kinds + np.maximum(one, other)
    order = np.lexsort((pairs.length, pair))
    lengths, pair = pairs.length[order], pair[order]
    gap = np.diff(lengths, prepend=-np.inf)
    cut = (np.diff(pair, prepend=-1) != 0) | (gap > tolerance)
    while True:
        label = np.cumsum(cut) - 1
        start = np.flatnonzero(cut)
        ends = np.append(start[1:], len(lengths))
        wide = np.flatnonzero(lengths[ends - 1] - lengths[start] > SPREAD * tolerance)
        if not len(wide):
            break
        for place in wide:
            inside = slice(start[place] + 1, ends[place])
            cut[start[place] + 1 + int(np.argmax(gap[inside]))] = True
    mean = np.bincount(label, weights=lengths) / np.maximum(np.bincount(label), 1)
    group = np.empty_like(label)
    group[order] = label
    return group, mean[group]


def colours(element: Ints, pairs: Neighbours, group: Ints) -> Ints:
    """(atoms,) number of each atom's class under colour refinement.

    The multiset of an atom's (length, colour of the neighbour) is summed up in 64 bits of a
    mixing function, whose sums are equal by chance once in 10^19.
    """
    colour = element
    found = int(colour.max(initial=-1)) + 1
    degree = np.bincount(pairs.centre, minlength=len(element))
    bonded = np.flatnonzero(degree)
    start = (np.cumsum(degree) - degree)[bonded]
    while True:
        key = group * (len(element) + 1) + colour[pairs.source]
        seen = np.zeros(len(element), dtype=np.uint64)
        if len(key):
            seen[bonded] = np.add.reduceat(_mixed(key), start)
        both = _mixed(seen.view(np.int64)) + _mixed(colour)
        refined = np.unique(both, return_inverse=True)[1].astype(np.int64)
        now = int(refined.max(initial=-1)) + 1
        if now == found:
            return colour
        colour, found = refined, now


def _mixed(values: Ints) -> NDArray[np.uint64]:
    """Integers scattered over 64 bits.

    Source: Steele, Lea & Flood, OOPSLA 2014, SplitMix64's finaliser.
    """
    with np.errstate(over="ignore"):
        x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
