"""How unlike the training data a sample is, in numbers; the higher the stranger. Plain numpy.

Thresholds come from validation rows alone: nothing foreign is needed, and none is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

# Validation rows beyond this quantile tell how fast the tail falls off.
TAIL = 0.9
NEIGHBOURS = 10  # k of the k-th nearest reference
REFERENCES = 512  # training rows that are kept to be compared with


@dataclass(frozen=True)
class Density:
    """Where the features of the training rows lie: a Gaussian a class, and some of the rows.

    Args:
        shift: (width,) means of the features.
        spread: (width,) their standard deviations, never zero.
        means: (classes, width) means of the classes, in standardised features.
        whitening: (classes, width, width) rows that make the covariance of a class one.
        references: (r, width) standardised features of some training rows.
    """

    shift: Floats
    spread: Floats
    means: Floats
    whitening: Floats
    references: Floats

    def distance(self, features: ArrayLike) -> Floats:
        """(rows,) Mahalanobis distance from the nearest class, for features (rows, width).

        Source: Lee et al., "A simple unified framework for detecting out-of-distribution
        samples", NeurIPS 2018; differs in: a covariance of its own for each class.
        """
        away = self._standard(features)[:, None] - self.means  # (rows, classes, width)
        white = np.einsum("rcw,cvw->rcv", away, self.whitening)
        nearest: Floats = np.sqrt((white**2).sum(axis=-1).min(axis=1))
        return nearest

    def neighbours(self, features: ArrayLike) -> Floats:
        """(rows,) distance from the k-th nearest reference.

        Source: Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML
        2022; differs in: standardised instead of normalised features.
        """
        from sklearn.neighbors import NearestNeighbors

        k = min(NEIGHBOURS, len(self.references))
        search = NearestNeighbors(n_neighbors=k).fit(self.references)
        found, _ = search.kneighbors(self._standard(features))
        last: Floats = found[:, -1]
        return last

    def _standard(self, features: ArrayLike) -> Floats:
        return (np.asarray(features, dtype=float) - self.shift) / self.spread


def fit_density(features: ArrayLike, labels: ArrayLike | None = None, *, seed: int = 0) -> Density:
    """The density of training features, with covariances shrunk so that few rows suffice.

    Args:
        features: (rows, width).
        labels: (rows,) class indices; None is one class. Negative ones belong to no class.
        seed: of the rows that are kept as references.

    Source: Ledoit & Wolf, J. Multivariate Anal. 88, 365 (2004).
    """
    from sklearn.covariance import LedoitWolf

    rows = np.asarray(features, dtype=float)
    classes = np.zeros(len(rows), int) if labels is None else np.asarray(labels, dtype=int)
    shift, spread = rows.mean(axis=0), rows.std(axis=0)
    # A feature that never moved in training must still be comparable when it moves.
    spread = np.maximum(spread, max(1e-2 * float(np.median(spread)), 1e-9))
    standard = (rows - shift) / spread
    means, whitening = [], []
    for name in np.unique(classes[classes >= 0]):
        own = standard[classes == name]
        if len(own) < 2:
            continue
        found = LedoitWolf().fit(own)
        values, vectors = np.linalg.eigh(found.covariance_)
        means.append(found.location_)
        whitening.append((vectors / np.sqrt(np.maximum(values, 1e-9))).T)
    if not means:
        raise GnnmatError("There are too few training rows to know where their features lie.")
    chosen = np.random.default_rng(seed).permutation(len(rows))[:REFERENCES]
    return Density(shift, spread, np.array(means), np.array(whitening), standard[np.sort(chosen)])


@dataclass(frozen=True)
class Usual:
    """What is usual for a score: its values on validation rows, with an exponential tail.

    Args:
        values: (n,) scores of the validation rows, ascending.
    """

    values: Floats

    @classmethod
    def of(cls, scores: ArrayLike) -> Usual:
        """What is usual, from scores in any order."""
        return cls(np.sort(np.asarray(scores, dtype=float)))

    @property
    def edge(self) -> float:
        """The score where the tail begins."""
        return float(np.quantile(self.values, TAIL))

    @property
    def excess(self) -> float:
        """Mean excess over the edge: the length at which the tail falls by e."""
        beyond = self.values[self.values > self.edge] - self.edge
        width = float(np.ptp(self.values)) or 1.0
        return max(float(beyond.mean()) if len(beyond) else 0.0, 1e-6 * width)

    def surprise(self, scores: ArrayLike) -> Floats:
        """(rows,) minus the logarithm of the share of usual rows that are at least as strange.

        Among the usual rows it is counted; in the tail it is extrapolated, so that of two very
        strange rows the stranger one is known.
        """
        s = np.asarray(scores, dtype=float)
        n = len(self.values)
        below = np.searchsorted(self.values, s, side="left")
        counted = np.log((n + 1) / (n - below + 1))
        beyond = -np.log(1 - TAIL) + (s - self.edge) / self.excess
        found: Floats = np.where(s > self.edge, beyond, np.minimum(counted, -np.log(1 - TAIL)))
        return found

    def threshold(self, surprise: float) -> float:
        """The score that is just as surprising."""
        if surprise >= -np.log(1 - TAIL):
            return float(self.edge + self.excess * (surprise + np.log(1 - TAIL)))
        return float(np.quantile(self.values, 1 - np.exp(-surprise)))


def limit(surprises: ArrayLike, false_refusal: float) -> float:
    """The surprise that new rows like the validation rows exceed at most this often.

    Source: split conformal prediction, Vovk, Gammerman & Shafer, "Algorithmic learning in a
    random world" (2005).

    Args:
        surprises: (rows,) largest surprise of every validation row.
        false_refusal: expected share of new rows like them that may be refused.

    Raises:
        GnnmatError: too few rows to know such a share.
    """
    found = np.sort(np.asarray(surprises, dtype=float))
    # With r of n rows above the limit, a new row is above it with probability (r + 1) / (n + 1).
    above = int(np.floor((len(found) + 1) * false_refusal)) - 1
    if above < 0:
        raise GnnmatError(
            f"{len(found)} validation rows are too few for a false-refusal rate of "
            f"{false_refusal:.2g}.",
            why=f"At least {int(np.ceil(1 / false_refusal)) - 1} are needed.",
            fix="Use a larger split.val, several draws of each row, or a higher rate.",
        )
    return float(found[len(found) - above - 1])
