"""What an image can tell of its couplings, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.space import (
    CouplingSpace,
    Floats,
    ImageSimulator,
    is_stable,
    render,
    stable_draws,
)

MOST = 2000  # exchanges that are tried
Exchange = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Direction:
    """A combination of couplings.

    Args:
        weights: (p,) unit vector in units of the ranges.
        error: standard error along it, as a share of the ranges.
        words: the combination, such as ``JA1 - JA2``.
    """

    weights: Floats
    error: float
    words: str

    @property
    def is_blind(self) -> bool:
        """Whether the image says hardly more than that the couplings lie in their ranges."""
        return self.error > 0.25


def directions(information: Floats, space: CouplingSpace) -> list[Direction]:
    """Combinations of couplings, the worst known first.

    Args:
        information: (p, p) Fisher information on the couplings in units of their ranges.
        space: the couplings.
    """
    free = np.flatnonzero(space.free)
    values, vectors = np.linalg.eigh(information[np.ix_(free, free)])
    out = []
    for value, vector in zip(values, vectors.T, strict=True):
        weights = np.zeros(len(space.names))
        weights[free] = vector * np.sign(vector[np.abs(vector).argmax()])
        error = float(1 / np.sqrt(max(value, 1e-12)))
        out.append(Direction(weights, error, _words(weights, space.names)))
    return out


def _words(weights: Floats, names: tuple[str, ...]) -> str:
    order = np.argsort(-np.abs(weights))
    text = ""
    for place in order:
        size = abs(weights[place] / weights[order[0]])
        if size < 0.25:
            break
        sign = "- " if weights[place] < 0 else "+ " if text else ""
        factor = "" if size > 0.995 else f"{size:.1f} "
        text += f" {sign}{factor}{names[place]}" if text else f"{sign}{factor}{names[place]}"
    return text


def candidate_exchanges(space: CouplingSpace) -> list[Exchange]:
    """Ways to exchange couplings of equal range in pairs, one or several pairs at once.

    Raises:
        GnnmatError: too many couplings share a range.
    """
    groups: dict[tuple[float, float], list[str]] = {}
    for name, (low, high) in zip(space.names, space.ranges, strict=True):
        if high > low:
            groups.setdefault((float(low), float(high)), []).append(name)
    found: list[Exchange] = []
    for parts in product(*(list(_pairings(tuple(group))) for group in groups.values())):
        exchange = tuple(pair for part in parts for pair in part)
        if exchange:
            found.append(exchange)
        if len(found) > MOST:
            largest = max(groups.values(), key=len)
            raise GnnmatError(
                f"There are more than {MOST:,} ways to exchange couplings.",
                why=f"{len(largest)} share one range: {', '.join(largest)}.",
                fix="Give couplings that cannot be exchanged different ranges.",
            )
    return sorted(found, key=len)


def _pairings(names: tuple[str, ...]) -> Iterator[Exchange]:
    """All ways to pair some of the names, with none paired among them."""
    if len(names) < 2:
        yield ()
        return
    first, rest = names[0], names[1:]
    yield from _pairings(rest)
    for place, partner in enumerate(rest):
        for others in _pairings(rest[:place] + rest[place + 1 :]):
            yield ((first, partner), *others)


def exchanged(values: Floats, space: CouplingSpace, exchange: Exchange) -> Floats:
    """(..., p) the values with couplings exchanged."""
    order = np.arange(len(space.names))
    for a, b in exchange:
        i, j = space.names.index(a), space.names.index(b)
        order[i], order[j] = order[j], order[i]
    swapped: Floats = values[..., order]
    return swapped


def find_exchanges(
    simulator: ImageSimulator,
    space: CouplingSpace,
    *,
    draws: int = 2,
    tolerance: float = 0.02,
    seed: int = 0,
) -> list[Exchange]:
    """Exchanges of couplings that leave every image the same; none is a product of others.

    Couplings are drawn, exchanged, and both images compared. An exchange of couplings that
    happen to be alike proves nothing, so that draws have them apart by a tenth of their range.

    Args:
        simulator: couplings -> images.
        space: the couplings.
        draws: couplings to try each exchange on.
        tolerance: of the difference, as a share of the image; sampling differs a little.
        seed: of the draws.
    """
    same: list[Exchange] = []
    rng = np.random.default_rng(seed)
    for exchange in candidate_exchanges(space):
        if any(set(known) <= set(exchange) and _covers(exchange, same) for known in same):
            continue
        values = _apart(simulator, space, exchange, draws, rng)
        if values is None:
            continue
        for one in values:
            first, second = render(simulator, np.stack([one, exchanged(one, space, exchange)]))
            if np.linalg.norm(first - second) > tolerance * np.linalg.norm(first):
                break
        else:
            same.append(exchange)
    return same


def _covers(exchange: Exchange, known: list[Exchange]) -> bool:
    """Whether an exchange is made of known ones."""
    left = set(exchange)
    for one in known:
        if set(one) <= left:
            left -= set(one)
    return not left


def _apart(
    simulator: ImageSimulator,
    space: CouplingSpace,
    exchange: Exchange,
    count: int,
    rng: np.random.Generator,
) -> Floats | None:
    """(count, p) couplings, stable before and after, with every pair apart; None if hardly any."""
    places = [(space.names.index(a), space.names.index(b)) for a, b in exchange]
    kept = np.empty((0, len(space.names)))
    for _ in range(20):
        values, _ = stable_draws(simulator, space, 16, rng)
        for i, j in places:
            values = values[np.abs(values[:, i] - values[:, j]) > 0.1 * space.width[i]]
        if len(values):
            values = values[is_stable(simulator, exchanged(values, space, exchange))]
        kept = np.concatenate([kept, values])
        if len(kept) >= count:
            return kept[:count]
    return None
