"""Energies and intensities against values of an independent spin-wave code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.hypotheses import load_simulation
from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.correlations import correlations
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem

Array = NDArray[np.float64]
SAME = 1e-6  # meV: modes closer than this share intensity arbitrarily


def pcsmo(hypothesis: str) -> SpinSystem:
    return load_simulation("pcsmo").model(hypothesis).build()


def computed(solver: Collinear | General, values: Array, q: Array) -> tuple[Array, Array]:
    """(B, K, m) energies in meV and intensities with the polarisation factor."""
    found = correlations(solver.system, values, q, solver=solver)
    return found.energies.numpy(), found.intensity.numpy()


def deviations(energies: Array, intensities: Array, other: Array, others: Array) -> Array:
    """Largest deviation in energy (meV), and of intensities of one energy (relative).

    Intensities below a millionth of the strongest at the same Q are compared with that.
    """
    worst = np.zeros(2)
    for w, s, v, t in zip(*(_flat(x) for x in (energies, intensities, other, others)), strict=True):
        w, s, v, t = *_sorted(w, s), *_sorted(v, t)
        worst[0] = max(worst[0], np.abs(w - v).max())
        first = np.flatnonzero(np.diff(v, prepend=-np.inf) > SAME)
        mine, theirs = np.add.reduceat(s, first), np.add.reduceat(t, first)
        against = np.maximum(theirs, 1e-6 * theirs.max())
        worst[1] = max(worst[1], (np.abs(mine - theirs) / against).max())
    return worst


def _flat(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def _sorted(w: Array, s: Array) -> tuple[Array, Array]:
    order = np.argsort(w)
    return w[order], s[order]
