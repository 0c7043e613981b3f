"""What an image can tell of its couplings, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice

import numpy as np

from gnnmat.simulation.inference.space import (
    CouplingSpace,
    Floats,
    ImageSimulator,
    is_stable,
    render,
    stable_draws,
)

MOST = 2000  # exchanges that are tried
TOGETHER, ROUNDS = 16, 20  # draws that are tested at a time, and how often
MOVED = 0.5  # of the change halfway: an image that depends evenly on couplings changes by 2
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


def candidate_exchanges(space: CouplingSpace, most: int = MOST) -> list[Exchange]:
    """Ways to exchange couplings of equal range in pairs: first one pair, then several at once.

    Args:
        space: the couplings.
        most: ways; of more those with the most pairs are left out.
    """
    swaps = [
        (space.names[i], space.names[j])
        for i, j in combinations(np.flatnonzero(space.free).tolist(), 2)
        if (space.ranges[i] == space.ranges[j]).all()
    ]
    # Where no way has n pairs none has more, so that the search ends; every unfinished way that
    # it meets was found before, so that it ends soon.
    sizes = range(1, len(space.names) // 2 + 1)
    return list(islice(chain.from_iterable(_disjoint(swaps, n) for n in sizes), most))


def _disjoint(swaps: Sequence[tuple[str, str]], count: int) -> Iterator[Exchange]:
    """All ways to choose so many pairs of which no two share a name."""
    if count == 0:
        yield ()
        return
    for place, (a, b) in enumerate(swaps):
        later = swaps[place + 1 :] if count > 1 else ()
        rest = [swap for swap in later if a not in swap and b not in swap]
        for others in _disjoint(rest, count - 1):
            yield ((a, b), *others)


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
    most: int = MOST,
    seed: int = 0,
) -> list[Exchange]:
    """Exchanges of couplings that leave every image the same; none is a product of others.

    Couplings are drawn, exchanged, and both images compared. An exchange of couplings that
    happen to be alike proves nothing, so that draws have them apart by a tenth of their range.
    Nor does one of couplings that hardly matter: halfway, where both are alike, the image must
    differ by more. The order is stable there, because its energy is linear in the couplings.

    Args:
        simulator: couplings -> images.
        space: the couplings.
        draws: couplings to try each exchange on.
        tolerance: of the difference, as a share of the image; sampling differs a little.
        most: exchanges that are tried, those of few pairs first.
        seed: of the draws.
    """
    same: list[Exchange] = []
    pool = _Pool(simulator, space, np.random.default_rng(seed))
    for exchange in candidate_exchanges(space, most):
        if _covers(exchange, same):
            continue
        places = pool.apart(exchange, draws)
        if len(places) == draws and all(
            pool.is_same(place, exchange, tolerance) for place in places
        ):
            same.append(exchange)
    return same


def _covers(exchange: Exchange, known: list[Exchange]) -> bool:
    """Whether an exchange is made of known ones."""
    left = set(exchange)
    for one in known:
        if set(one) <= left:
            left -= set(one)
    return not left


class _Pool:
    """Stable draws on which exchanges are tried; more are drawn when these do not serve.

    Args:
        simulator: couplings -> images.
        space: the couplings.
        rng: of the draws.
    """

    def __init__(
        self, simulator: ImageSimulator, space: CouplingSpace, rng: np.random.Generator
    ) -> None:
        self.simulator, self.space, self.rng = simulator, space, rng
        self.values = np.empty((0, len(space.names)))
        self._images: dict[int, Floats] = {}

    def apart(self, exchange: Exchange, count: int) -> list[int]:
        """Draws that are stable before and after, every pair of them apart; fewer if hardly any."""
        pairs = [(self.space.names.index(a), self.space.names.index(b)) for a, b in exchange]
        found: list[int] = []
        start = 0
        for _ in range(ROUNDS):
            if start == len(self.values):
                drawn, _ = stable_draws(self.simulator, self.space, TOGETHER, self.rng)
                self.values = np.concatenate([self.values, drawn])
            places = np.arange(start, min(start + TOGETHER, len(self.values)))
            start = int(places[-1]) + 1
            for i, j in pairs:
                gap = np.abs(self.values[places, i] - self.values[places, j])
                places = places[gap > 0.1 * self.space.width[i]]
            if len(places):
                turned = exchanged(self.values[places], self.space, exchange)
                found += places[is_stable(self.simulator, turned)].tolist()
            if len(found) >= count:
                break
        return found[:count]

    def is_same(self, place: int, exchange: Exchange, tolerance: float) -> bool:
        """Whether the image of a draw stays as it is, and would not do so for any change."""
        values = self.values[place]
        turned = exchanged(values, self.space, exchange)
        if place not in self._images:
            self._images[place] = render(self.simulator, values)
        image = self._images[place]
        difference = np.linalg.norm(image - render(self.simulator, turned))
        if difference > tolerance * np.linalg.norm(image):
            return False
        halfway = render(self.simulator, (values + turned) / 2)
        return bool(difference <= MOVED * np.linalg.norm(image - halfway))
