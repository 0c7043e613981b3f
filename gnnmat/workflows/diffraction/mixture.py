"""Mixtures of powders, by mass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.workflows.diffraction.simulate import Simulated

Floats = NDArray[np.float64]


def parse_mixture(
    text: str, names: Sequence[str], refused: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Share of mass by name, from ``NaCl=0.7,Si=0.3``; the shares are scaled to 1.

    Raises:
        GnnmatError: no such line, a name that no crystal has, one that was refused (with the
            reason that ``refused`` gives), a name that comes twice, or a share that is not
            positive.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = part.strip().rpartition("=")
        try:
            weight = float(share)
        except ValueError:
            weight = math.nan
        if not equals or not (math.isfinite(weight) and weight > 0):
            raise GnnmatError(
                f"'{part.strip()}' is no share of a mixture.", fix="Write NaCl=0.7,Si=0.3."
            )
        if name in shares:
            raise GnnmatError(f"The mixture names '{name}' twice.", fix="Give it one share.")
        if name in (refused or {}):
            raise GnnmatError(f"'{name}' cannot be mixed.", why=(refused or {})[name])
        if name not in names:
            raise GnnmatError(
                f"There is no crystal '{name}' to mix.", fix=did_you_mean(name, names)
            )
        shares[name] = weight
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def mixed(found: Sequence[Simulated], shares: Mapping[str, float]) -> Floats:
    """(n,) pattern of a mixture of powders, 100 at the highest.

    A phase adds share / (mass of the cell x volume of the cell) times its pattern a cell;
    absorption is that of the mixture, the same for all phases.

    Args:
        found: phases with their patterns.
        shares: of mass, by name.

    Raises:
        GnnmatError: a phase of the mixture was refused.

    Source: Hill & Howard, J. Appl. Cryst. 20, 467 (1987), equation 3.
    """
    from ase.data import atomic_masses

    known = {one.id: one for one in found}
    missing = [name for name in shares if name not in known]
    if missing:
        raise GnnmatError(f"'{missing[0]}' cannot be mixed: it was refused.")
    total = np.zeros_like(next(iter(known.values())).pattern)
    for name, share in shares.items():
        crystal = known[name].phase.crystal
        mass = float(atomic_masses[crystal.numbers].sum())
        per_cell = known[name].pattern * known[name].strength
        total = total + share / (mass * crystal.volume) * per_cell
    return np.asarray(100 * total / max(float(total.max()), 1e-300), dtype=np.float64)
