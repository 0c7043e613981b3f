"""Crystals changed a little: strained, or with their atoms displaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gnnmat.sources.crystal import Crystal


def strained(crystal: Crystal, strain: float) -> Crystal:
    """The crystal with all lattice vectors longer by this share."""
    return Crystal(crystal.lattice * (1 + strain), crystal.numbers, crystal.frac)


def rattled(crystal: Crystal, amount: float, seed: int) -> Crystal:
    """The crystal with atoms displaced at random; same seed, same directions.

    Args:
        crystal: to start from.
        amount: standard deviation of each Cartesian coordinate, Å.
        seed: of the displacements. The mean displacement is taken out: it changes nothing.
    """
    moves = np.random.default_rng(seed).normal(0.0, 1.0, (len(crystal.numbers), 3))
    if len(moves) > 1:
        moves -= moves.mean(axis=0)
    frac = crystal.frac + amount * moves @ np.linalg.inv(crystal.lattice)
    return Crystal(crystal.lattice, crystal.numbers, frac)


def changes(
    crystal: Crystal, strains: Sequence[float], rattles: Sequence[float], seeds: int, seed: int = 0
) -> Iterator[tuple[str, float, int, Crystal]]:
    """Kind, amount, seed and crystal of every change."""
    for strain in strains:
        yield "strain", strain, 0, strained(crystal, strain)
    for amount in rattles:
        for number in range(seeds):
            yield "rattle", amount, number, rattled(crystal, amount, seed + number)
