"""S(|Q|, E) of a powder: the average over all directions of Q."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.correlations import correlations
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem
from gnnmat.simulation.spin_waves.waves import Values, coupling_values, spin_waves


def powder_average(
    system: SpinSystem,
    values: Values,
    lengths: Sequence[float] | Floats,
    energies: Sequence[float] | Floats,
    *,
    width: float,
    directions: int = 512,
    temperature: float | None = None,
    form_factors: bool = True,
    seed: int = 0,
) -> Tensor:
    """(B, Q, E) intensity per meV and magnetic cell, with the polarisation factor.

    Args:
        system: the magnet.
        values: (B, p) or (p,) couplings in meV, or a number for every name.
        lengths: (Q,) |Q| in 1/Å.
        energies: (E,) in meV; negative where the neutron gains energy.
        width: of the Gaussian in energy, meV full width at half maximum.
        directions: points on the sphere, quasi-random (Sobol, scrambled by the seed).
        temperature: in kelvin; None is zero.
        form_factors: multiply each site by the form factor of its ion.
        seed: of the points.

    Raises:
        GnnmatError: a width or a length that is not positive, a wrong coupling, no minimum.
    """
    if not width > 0 or min(lengths) <= 0 or directions < 1:
        raise GnnmatError("A powder average needs a positive width, lengths and directions.")
    couplings, solver = coupling_values(system, values), spin_waves(system)
    grid = torch.as_tensor(np.asarray(energies, dtype=float)).to(couplings)
    sigma = width / (2 * math.sqrt(2 * math.log(2)))
    sphere = sphere_points(directions, seed)
    rows = []
    for length in lengths:
        q = length * sphere @ np.linalg.inv(system.reciprocal)
        found = correlations(
            system, couplings, q, temperature=temperature, form_factors=form_factors, solver=solver
        )
        if found.energies.isnan().any():
            raise GnnmatError(
                "The order of this magnet is not a minimum of its energy for these couplings.",
                fix="See check_ground_state and find_ground_state.",
            )
        off = (grid - found.energies.flatten(1)[..., None]) / sigma  # (B, K m, E)
        peak = torch.exp(-(off**2) / 2) / (sigma * math.sqrt(2 * math.pi))
        rows.append(torch.einsum("bi,bie->be", found.intensity.flatten(1), peak) / directions)
    return torch.stack(rows, dim=1)


def sphere_points(count: int, seed: int = 0) -> Floats:
    """(count, 3) quasi-random points on the unit sphere, evenly spread."""
    engine = torch.quasirandom.SobolEngine(2, scramble=True, seed=seed)
    height, turn = engine.draw(count, dtype=torch.float64).numpy().T
    z, angle = 2 * height - 1, 2 * np.pi * turn
    ring = np.sqrt(1 - z**2)
    points: Floats = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    return points
