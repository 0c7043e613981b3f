"""Whether an order is at rest, for many sets of couplings at once; and directions cleaned up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gnnmat.simulation.spin_waves.collinear import BOHR_MAGNETON
from gnnmat.simulation.spin_waves.ground_state import BALANCED
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem

ROUNDED = 2e-3  # components of directions, such as .866 for sqrt(3) / 2
_EXACT = 1e-10  # share of the largest field that a torque may keep after that


def at_rest(system: SpinSystem, values: Tensor) -> Tensor:
    """(B,) whether no spin feels a torque for couplings (B, p) in meV.

    As `GroundState.is_stationary` has it: up to the rounding of the given directions.
    """
    parts = torch.from_numpy(local_fields(system, system.directions)).to(values)
    weights = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
    field = torch.einsum("bp,pnc->bnc", weights, parts)
    directions = torch.from_numpy(system.directions).to(values)
    torque = torch.linalg.cross(directions.expand_as(field), field).norm(dim=-1).amax(dim=1)
    return torque <= BALANCED * field.norm(dim=-1).amax(dim=1).clamp(min=1e-12)


def without_rounding(system: SpinSystem) -> SpinSystem:
    """The magnet with directions that are at rest for any couplings, where they nearly are.

    A symmetry that keeps an order at rest whatever the couplings, as that of 120 degrees, holds
    exactly only for directions without rounding. Where no directions nearby are at rest for
    every coupling by itself, as with canting, the magnet is returned as it is.
    """
    from scipy.optimize import least_squares

    scale = np.linalg.norm(local_fields(system, system.directions), axis=-1).max(axis=1)
    scale = np.maximum(scale, 1e-12)[:, None, None]

    def torques(flat: Floats) -> Floats:
        n = _unit(flat.reshape(-1, 3))
        torque: Floats = (np.cross(n, local_fields(system, n)) / scale).ravel()
        return torque

    start = system.directions.ravel()
    largest = np.abs(torques(start)).max()
    if not _EXACT < largest < ROUNDED * 10:
        return system
    found = least_squares(torques, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    directions = _unit(found.x.reshape(-1, 3))
    near = np.abs(directions - system.directions).max() < ROUNDED
    exact = np.abs(torques(found.x)).max() < _EXACT
    return replace(system, directions=directions) if near and exact else system


def local_fields(system: SpinSystem, directions: Floats) -> Floats:
    """(p + 1, n, 3) slope of the energy in every direction, meV: of each coupling, of the field.

    Args:
        system: the magnet.
        directions: (n, 3) of its spins.
    """
    spins, n = system.spins, directions
    parts = np.zeros((len(system.couplings) + 1, len(system), 3))
    for (i, j), coupling, pattern in zip(
        system.bond_sites, system.bond_coupling, system.bond_pattern, strict=True
    ):
        parts[coupling, i] += spins[i] * spins[j] * pattern @ n[j]
        parts[coupling, j] += spins[i] * spins[j] * n[i] @ pattern
    for i, coupling, pattern in zip(
        system.onsite_site, system.onsite_coupling, system.onsite_pattern, strict=True
    ):
        parts[coupling, i] += 2 * spins[i] ** 2 * pattern @ n[i]
    parts[-1] = system.g * BOHR_MAGNETON * spins[:, None] * system.field
    return parts


def _unit(vectors: Floats) -> Floats:
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
