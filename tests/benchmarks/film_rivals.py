"""Rivals of the network on measured films: neighbours, a forest, the most frequent class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from film_records import Films
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.workflows.diffraction.background import Signal, take_apart
from gnnmat.workflows.diffraction.search_match import ABOVE, STEP, Scan

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
Answer = Callable[[Films, Films], Names]

ANGLES = np.arange(10.04, 59.9, 0.04)  # degrees that all films were measured at
WAVELENGTH = 1.5418  # Å, mean of Cu K-alpha


def counts(pattern: PowderPattern) -> Floats:
    """(n,) counts at `ANGLES`, as measured."""
    return np.interp(ANGLES, pattern.two_theta, pattern.counts)


def above(signal: Signal, at: Floats) -> Floats:
    """(n,) square root of what stands above background and noise, at these angles."""
    net = np.sqrt(np.maximum(signal.net - ABOVE * signal.noise, 0))
    return np.interp(at, signal.two_theta, net, left=0.0, right=0.0)


def signals(films: Films) -> list[Signal]:
    """The patterns taken apart."""
    return [take_apart(one.two_theta, one.counts) for one in films.patterns]


def unit(rows: Floats) -> Floats:
    """Rows of length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True).clip(min=1e-12)


def majority(known: Films, asked: Films) -> Names:
    """The class with most films."""
    names, number = np.unique(known.groups, return_counts=True)
    return np.full(len(asked), names[number.argmax()])


def nearest_counts(known: Films, asked: Films) -> Names:
    """The class of the film with the highest cosine of the counts as measured."""
    one, other = (unit(np.stack([counts(p) for p in f.patterns])) for f in (asked, known))
    return known.groups[(one @ other.T).argmax(axis=1)]


def nearest_peaks(known: Films, asked: Films) -> Names:
    """The same of the square roots without background."""
    one, other = (unit(np.stack([above(s, ANGLES) for s in signals(f)])) for f in (asked, known))
    return known.groups[(one @ other.T).argmax(axis=1)]


def nearest_strained(known: Films, asked: Films, scan: Scan | None = None) -> Names:
    """The same on an axis of ln(1/d), best over the strains and zero shifts of search-match."""
    scan = scan or Scan()
    start, stop = np.log(2 * np.sin(np.radians(ANGLES[[0, -1]] / 2)) / WAVELENGTH)
    axis = np.arange(start, stop, STEP)
    at = np.degrees(2 * np.arcsin(np.exp(axis) * WAVELENGTH / 2))
    taken = signals(known)
    best = np.zeros((len(asked), len(known)))
    other = np.stack([above(one, at) for one in taken])
    for zero in scan.zeros:
        one = np.stack([above(s, at + zero) for s in signals(asked)])
        for lag in scan.lags:
            # Both are cut to what they share, as peaks that left the range say nothing.
            here = slice(max(lag, 0), len(axis) + min(lag, 0))
            there = slice(max(-lag, 0), len(axis) + min(-lag, 0))
            best = np.maximum(best, unit(one[:, here]) @ unit(other[:, there]).T)
    return known.groups[best.argmax(axis=1)]


def forest(known: Films, asked: Films) -> Names:
    """A random forest on the square roots without background."""
    one, other = (np.stack([above(s, ANGLES) for s in signals(f)]) / 1.0 for f in (known, asked))
    one, other = (rows / rows.max(axis=1, keepdims=True).clip(min=1e-12) for rows in (one, other))
    trees = RandomForestClassifier(300, random_state=0, n_jobs=1, class_weight="balanced")
    return np.asarray(trees.fit(one, known.groups).predict(other))


RIVALS: dict[str, Answer] = {
    "majority class": majority,
    "nearest neighbour, counts": nearest_counts,
    "nearest neighbour, peaks": nearest_peaks,
    "nearest neighbour, peaks over ln(1/d)": nearest_strained,
    "random forest on peaks": forest,
}
