"""Plausible crystals of a prototype, drawn at random: elements, lengths and internal parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import sqrt

import numpy as np

from gnnmat.errors import GnnmatError

CLASSES = (
    "fcc", "bcc", "hcp", "sc", "diamond", "bct", "rocksalt", "cscl", "zincblende", "wurtzite",
    "perovskite", "fluorite", "rutile",
)  # fmt: skip
"""The prototypes that are told apart, written down before anything was trained on them."""

# Ranges of c/a, wide enough for the substances known: Be 1.568 to Cd 1.886 (hcp), Pa 0.82 and
# In 1.52 (bct), AlN 1.600 to AgI 1.635 (wurtzite), VO2 0.626 to FeF2 0.704 (rutile).
RATIOS = {
    "hcp": (1.55, 1.90),
    "bct": (0.75, 1.75),
    "wurtzite": (1.59, 1.66),
    "rutile": (0.60, 0.73),
}
# Half-widths around u of `PROTOTYPES`: 0.305 in rutile (TiO2 0.3048, SnO2 0.3056), 3/8 in wurtzite
# (CdSe 0.3767, AlN 0.3821).
INNER = {"wurtzite": 0.008, "rutile": 0.01}
BAIN = (1.0, sqrt(2.0))
"""c/a at which a body-centred tetragonal crystal is bcc, and fcc."""

# Atomic numbers. Noble gases and hydrogen make none of these structures.
ANIONS = (7, 8, 9, 15, 16, 17, 33, 34, 35, 52, 53)
METALLOIDS = (5, 6, 14, 32, 51)
GASES = (1, 2, 7, 8, 9, 10, 17, 18, 36, 54)
HALIDES = (35, 53)
HEAVIEST = 96  # covalent radii end there
# Ratio of (A-X) to sqrt(2) (B-X) in perovskites; 1 where both bonds have their lengths.
# Source: V. M. Goldschmidt, Naturwissenschaften 14, 477 (1926), who finds 0.8 to 1.
TOLERANCE = (0.8, 1.05)


@dataclass(frozen=True)
class Drawn:
    """A crystal that was drawn.

    Args:
        prototype: one of `CLASSES`.
        numbers: atomic number of each species, in the order of the prototype's sites.
        a: lattice parameter, Å.
        c: Å; None in a cubic crystal.
        u: internal parameter; None where there is none.
    """

    prototype: str
    numbers: tuple[int, ...]
    a: float
    c: float | None = None
    u: float | None = None


def shortest_bond(prototype: str, ratio: float = 1.0, u: float = 0.0) -> float:
    """Distance of bonded neighbours in units of a: of the two species, of B and X in perovskite.

    Args:
        prototype: one of `CLASSES`.
        ratio: c/a.
        u: internal parameter.
    """
    if prototype == "hcp":
        return min(1.0, sqrt(1 / 3 + ratio**2 / 4))
    if prototype == "bct":
        return min(1.0, ratio, sqrt(1 / 2 + ratio**2 / 4))
    if prototype == "wurtzite":
        return min(u * ratio, sqrt(1 / 3 + (0.5 - u) ** 2 * ratio**2))
    if prototype == "rutile":
        return min(sqrt(2) * u, sqrt(2 * (0.5 - u) ** 2 + ratio**2 / 4))
    cubic = {"fcc": sqrt(1 / 2), "sc": 1.0, "rocksalt": 0.5, "perovskite": 0.5}
    return cubic.get(prototype, sqrt(3) / (2 if prototype in ("bcc", "cscl") else 4))


def draw(
    prototype: str,
    species: Sequence[tuple[int, ...]],
    random: Callable[[], float],
    *,
    scatter: float,
    margin: float,
) -> Drawn:
    """One crystal.

    Args:
        prototype: one of `CLASSES`.
        species: choices of atomic numbers, from `species_of`.
        random: numbers in [0, 1).
        scatter: half-width of the lengths around the sum of covalent radii, relative.
        margin: distance of c/a from `BAIN` in body-centred tetragonal crystals.
    """
    from gnnmat.sources.prototypes import PROTOTYPES

    numbers = species[int(random() * len(species))]
    ratio, u = _ratio(prototype, margin, random), PROTOTYPES[prototype].u
    if u is not None:
        u += INNER[prototype] * (2 * random() - 1)
    radii = covalent_radii()
    first, second = numbers[-2:] if len(numbers) > 1 else numbers * 2
    bond = (radii[first] + radii[second]) * (1 + scatter * (2 * random() - 1))
    a = bond / shortest_bond(prototype, ratio or 1.0, u or 0.0)
    # Six decimals: what is written down is what is built.
    return Drawn(
        prototype,
        numbers,
        round(a, 6),
        None if ratio is None else round(a * ratio, 6),
        None if u is None else round(u, 6),
    )


def _ratio(prototype: str, margin: float, random: Callable[[], float]) -> float | None:
    """c/a, uniform over the range without what lies too near to `BAIN`; None if cubic."""
    if prototype not in RATIOS:
        return None
    low, high = RATIOS[prototype]
    edges = [low, high]
    if prototype == "bct":
        edges = sorted([low, high, *(one + sign * margin for one in BAIN for sign in (-1, 1))])
    parts = list(zip(edges[::2], edges[1::2], strict=True))
    along = random() * sum(end - start for start, end in parts)
    for start, end in parts:
        if along < end - start:
            return start + along
        along -= end - start
    return high


def species_of(
    prototype: str, lightest: int, heaviest: int, contrast: float
) -> list[tuple[int, ...]]:
    """Every choice of elements for a prototype.

    All prototypes with the same formula choose from the same elements, so that elements do not
    give a class away, and whether nature makes the crystal does not enter.

    Args:
        prototype: one of `CLASSES`.
        lightest: lowest atomic number.
        heaviest: highest atomic number.
        contrast: least difference of the atomic numbers of two species, as a share of the higher.

    Raises:
        GnnmatError: there is none.
    """
    from gnnmat.sources.prototypes import PROTOTYPES

    allowed = range(lightest, min(heaviest, HEAVIEST) + 1)
    anions = [z for z in allowed if z in ANIONS]
    metals = [z for z in allowed if z not in (*ANIONS, *METALLOIDS, *GASES)]
    kinds = len(PROTOTYPES[prototype].counts)
    found: list[tuple[int, ...]]
    if kinds == 1:
        found = [(z,) for z in allowed if z not in (*GASES, *HALIDES)]
    else:
        found = list(product(*[metals] * (kinds - 1), anions))
    chosen = [one for one in found if _differ(one, contrast) and (kinds < 3 or _fits(one))]
    if not chosen:
        raise GnnmatError(
            f"No elements from {lightest} to {heaviest} make a crystal of type {prototype}.",
            why=f"It takes {'a solid element' if kinds == 1 else 'metals and an anion'}, with "
            f"atomic numbers that differ by {contrast:.0%} or more.",
            fix="Widen lightest and heaviest, or leave the class out.",
        )
    return chosen


def _differ(numbers: tuple[int, ...], contrast: float) -> bool:
    return all(
        one != other and abs(one - other) >= contrast * max(one, other)
        for place, one in enumerate(numbers)
        for other in numbers[:place]
    )


def _fits(numbers: tuple[int, ...]) -> bool:
    """Whether A is as much larger than B as a perovskite needs."""
    a, b, x = (covalent_radii()[number] for number in numbers)
    return TOLERANCE[0] <= (a + x) / (sqrt(2) * (b + x)) <= TOLERANCE[1]


@cache
def covalent_radii() -> tuple[float, ...]:
    """Covalent radius by atomic number, Å.

    Source: B. Cordero et al., Dalton Trans. 2832 (2008), as in ``ase.data``.
    """
    from ase.data import covalent_radii as table

    return tuple(float(one) for one in np.asarray(table)[: HEAVIEST + 1])
