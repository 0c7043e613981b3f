"""A batch that is worth computing together: the best candidates that are not alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from gnnmat.errors import GnnmatError

Floats = NDArray[np.float64]

# Share of all candidates that the spheres around a batch hold together, were they apart: near
# duplicates and no more. Wide spheres pass over good families (`active` in docs/benchmarks.md).
DIVERSITY = 0.002
# Candidates whose distances tell how far apart two of them are.
SAMPLED = 1000


def standardised(features: Floats) -> Floats:
    """(rows, f) columns with mean 0 and standard deviation 1; constant ones are left out."""
    values = np.asarray(features, dtype=np.float64)
    spread = values.std(axis=0)
    kept = spread > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0, initial=0.0))
    return (values[:, kept] - values[:, kept].mean(axis=0)) / spread[kept]


def choose_batch(
    key: Floats,
    features: Floats | None,
    n: int,
    *,
    diversity: float = DIVERSITY,
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The n best candidates, no two of them nearer than a radius: directed sphere exclusion.

    The best candidate is taken, those within the radius around it are passed over, and so on.
    Only the order of the keys counts, not their size, so it works alike for every method and unit;
    penalties that are multiplied need positive keys and a length that has to be learned. Where
    too few candidates are left outside the spheres the radius is halved.

    The radius is the distance below which a share ``diversity / n`` of all pairs lies: n spheres
    hold the share ``diversity`` of the candidates, where they do not overlap.

    Args:
        key: (rows,) the larger the better; rows with NaN are never chosen. Equal keys are drawn.
        features: (rows, f) in which candidates are alike, `standardised`; None for no spheres.
        n: how many; fewer come back where there are not as many.
        diversity: 0 or more; 0 takes the n best.
        random: for equal keys, and for the pairs that the radius is read from.

    Returns:
        Rows chosen, best first, and for each how many better ones were passed over.

    Raises:
        GnnmatError: features and keys differ in length, or are not finite.

    Source: Gobbi & Lee, J. Chem. Inf. Comput. Sci. 43, 317 (2003), DISE; differs in: the radius,
        which comes from the candidates and shrinks. Beside it stand local penalties (González et
        al., AISTATS 2016) and k-centres (Sener & Savarese, ICLR 2018), which forgets the keys.
    """
    shuffled = random.permutation(len(key))
    ranked = shuffled[np.argsort(-key[shuffled], kind="stable")]
    ranked = ranked[~np.isnan(key[ranked])]
    if features is None or diversity <= 0 or n < 2:
        return ranked[:n], np.zeros(min(n, len(ranked)), dtype=np.int64)
    _check(key, features)
    places = features[ranked]
    radius = sphere_radius(places, diversity / n, random)
    chosen, passed = _spheres(places, n, radius)
    return ranked[chosen], passed


def sphere_radius(places: Floats, share: float, random: np.random.Generator) -> float:
    """The distance below which this share of all pairs of places (rows, f) lies."""
    if len(places) < 2:
        return 0.0
    drawn = places
    if len(places) > SAMPLED:
        drawn = places[random.choice(len(places), SAMPLED, replace=False)]
    return float(np.quantile(pdist(drawn), min(share, 1.0)))


def _spheres(places: Floats, n: int, radius: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in ``places``, which are in the order of the keys."""
    nearest = np.full(len(places), np.inf)  # distance from the nearest choice
    free = np.ones(len(places), dtype=bool)
    least = 1e-3 * radius
    chosen: list[int] = []
    passed: list[int] = []
    while len(chosen) < min(n, len(places)):
        outside = np.flatnonzero(free & (nearest > radius))
        if not len(outside):
            radius = radius / 2 if radius > least else -1.0
            continue
        pick = int(outside[0])
        passed.append(int(free[:pick].sum()))
        chosen.append(pick)
        free[pick] = False
        nearest = np.minimum(nearest, np.linalg.norm(places - places[pick], axis=1))
    return np.array(chosen, dtype=np.int64), np.array(passed, dtype=np.int64)


def _check(key: Floats, features: Floats) -> None:
    if len(features) != len(key):
        raise GnnmatError(
            f"Features of {len(features):,} candidates, but there are {len(key):,}.",
            fix="Give one row of features a candidate, in the order of the table.",
        )
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise GnnmatError(
            f"The features of {len(bad):,} candidates are not finite; the first is row {bad[0]}.",
            fix="Leave these candidates out, or fill the gaps.",
        )
