"""Neighbours counted the slow and simple way, to compare the fast way with."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from gnnmat.sources.crystal import Crystal

Pair = tuple[int, int, int, int, int]  # centre, neighbour, cell of the neighbour


def all_pairs(crystal: Crystal, cutoff: float) -> dict[Pair, float]:
    """Length of every pair within the cutoff, by going through all cells that may reach it."""
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    spread = np.ceil(np.ptp(crystal.frac, axis=0)).astype(int)
    reach = np.ceil(cutoff / heights).astype(int) + spread + 1
    cells = np.array(list(product(*(range(-n, n + 1) for n in reach))))
    pos = crystal.positions
    found: dict[Pair, float] = {}
    for centre, neighbour in product(range(len(pos)), repeat=2):
        vectors = pos[neighbour] + cells @ crystal.lattice - pos[centre]
        lengths = np.linalg.norm(vectors, axis=1)
        near = lengths <= cutoff
        if centre == neighbour:
            near &= (cells != 0).any(axis=1)
        for cell, length in zip(cells[near].tolist(), lengths[near].tolist(), strict=True):
            found[(centre, neighbour, *cell)] = length
    return found


def whole_shells(pairs: dict[Pair, float], atoms: int, wanted: int, gap: float) -> set[Pair]:
    """The nearest ``wanted`` pairs of every centre and all that follow without a gap."""
    kept: set[Pair] = set()
    for centre in range(atoms):
        mine = sorted((length, pair) for pair, length in pairs.items() if pair[0] == centre)
        for place, (length, pair) in enumerate(mine):
            if place >= wanted and length - mine[place - 1][0] > gap:
                break
            kept.add(pair)
    return kept


def pairs_of(sample: dict[str, NDArray[np.generic]]) -> dict[Pair, float]:
    """The edges of a sample in the same form; each must occur once."""
    source, centre = sample["edge_index"].tolist()
    cells = sample["edge_offset"].astype(int).tolist()
    lengths = sample["edge_length"].tolist()
    rows = [
        ((c, s, *cell), length)
        for c, s, cell, length in zip(centre, source, cells, lengths, strict=True)
    ]
    found = dict(rows)
    assert len(found) == len(rows), "an edge is there twice"
    return found
