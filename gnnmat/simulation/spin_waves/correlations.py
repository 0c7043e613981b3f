r"""What neutrons measure of spin waves: S_ab(Q, E), with temperature, form factors, domains.

    S_ab(Q, E) = sum over modes of F_a F_b^* (n + 1) delta(E - w(Q))
               + sum over modes of G_a^* G_b n delta(E + w(-Q)),   n = 1 / (exp(w / kT) - 1)
    F(Q) = sum_i f_i(Q) amplitude_i(Q),  G = F(-Q)

per magnetic cell, in units of spin squared; E > 0 is energy the neutron loses, Q = k_i - k_f.
Without k_f / k_i, as spectra are reduced: `cross_section` puts it back.

Source: Squires, Introduction to the Theory of Thermal Neutron Scattering, chapters 7 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.form_factors import form_factor
from gnnmat.simulation.spin_waves.collinear import SOFTEST
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem
from gnnmat.simulation.spin_waves.waves import (
    Solver,
    Values,
    Vectors,
    amplitudes,
    coupling_values,
    spin_waves,
    wave_vectors,
)

BOLTZMANN = 0.08617333262  # meV/K, CODATA 2022
# (gamma r_0)^2, barn. Source: gamma = 1.91304, r_0 = 2.81794 fm, CODATA 2022.
MAGNETIC_LENGTH_SQUARED = 0.29061


@dataclass(frozen=True, eq=False)
class Domain:
    """A part of the crystal, turned.

    Args:
        weight: its share, relative to the other domains.
        rotation: (3, 3) Cartesian, from the crystal to this domain.
    """

    weight: float
    rotation: Floats

    def __post_init__(self) -> None:
        if not np.allclose(self.rotation @ self.rotation.T, np.eye(3), atol=1e-6):
            raise GnnmatError("The rotation of a domain is not orthogonal.")
        if not self.weight > 0:
            raise GnnmatError(f"The weight of a domain is {self.weight}, expected more than 0.")


@dataclass(frozen=True)
class Correlations:
    """Delta functions in energy.

    Args:
        energies: (B, K, m) in meV; negative where the neutron gains energy.
        tensor: (B, K, m, 3, 3) complex S_ab, Cartesian, per magnetic cell.
        q: (K, 3) Cartesian in 1/Å.
    """

    energies: Tensor
    tensor: Tensor
    q: Tensor

    @property
    def intensity(self) -> Tensor:
        """(B, K, m) sum_ab (delta_ab - Q_a Q_b / Q^2) S_ab; at Q = 0 the whole trace."""
        along = torch.nn.functional.normalize(self.q, dim=1).to(self.tensor)
        trace = self.tensor.diagonal(dim1=-2, dim2=-1).sum(-1)
        return (trace - torch.einsum("ka,bkmac,kc->bkm", along, self.tensor, along)).real


def correlations(
    system: SpinSystem,
    values: Values,
    q: Vectors,
    *,
    temperature: float | None = None,
    form_factors: bool = False,
    domains: Sequence[Domain] = (),
    solver: Solver | None = None,
) -> Correlations:
    """S_ab(Q, E) of all modes at every Q, per magnetic cell.

    Args:
        system: the magnet.
        values: (B, p) or (p,) couplings in meV, or a number for every name.
        q: (K, 3) in units of the reciprocal magnetic cell of the unturned crystal.
        temperature: in kelvin; None is zero, with m = n modes. Else m = 2 n, the second half
            at negative energies.
        form_factors: multiply each site by the form factor of its ion.
        domains: turned parts of the crystal, which add up; m grows by their number.
        solver: of the same system, to use again.

    Raises:
        GnnmatError: a coupling is missing or unknown, shapes do not fit, an ion is unknown.
    """
    if temperature is not None and not temperature > 0:
        raise GnnmatError(f"The temperature is {temperature} K, expected more than 0 or null.")
    solver = solver or spin_waves(system)
    couplings, k = coupling_values(system, values), wave_vectors(q)
    reciprocal = torch.as_tensor(system.reciprocal)
    cartesian = k @ reciprocal
    parts = domains or (Domain(1.0, np.eye(3)),)
    total = sum(part.weight for part in parts)
    energies, tensors = [], []
    for part in parts:
        rotation = torch.as_tensor(part.rotation)
        own = cartesian @ rotation @ torch.linalg.inv(reciprocal)
        w, s = _one_domain(solver, couplings, own, temperature, form_factors)
        turn = rotation.to(s)
        energies.append(w)
        tensors.append(part.weight / total * (turn @ s @ turn.mT))
    return Correlations(torch.cat(energies, dim=-1), torch.cat(tensors, dim=2), cartesian)


def cross_section(
    found: Correlations, *, incident_energy: float, g: float = 2.0, kinematic: bool = True
) -> Tensor:
    """(B, K, m) cross section of every mode in barn / sr per magnetic cell.

    (gamma r_0)^2 (g / 2)^2 (k_f / k_i) sum_ab (delta_ab - Q_a Q_b / Q^2) S_ab; zero where the
    neutron has not the energy.

    Args:
        found: with form factors, from `correlations`.
        incident_energy: in meV.
        g: Landé factor.
        kinematic: with k_f / k_i.

    Raises:
        GnnmatError: the incident energy is not positive.
    """
    if not incident_energy > 0:
        raise GnnmatError(f"The incident energy is {incident_energy} meV, expected more than 0.")
    left = 1 - found.energies / incident_energy
    ratio = left.clamp(min=0).sqrt() if kinematic else (left >= 0).to(left.dtype)
    return MAGNETIC_LENGTH_SQUARED * (g / 2) ** 2 * ratio * found.intensity


def rotation(axis: Sequence[float], degrees: float) -> Floats:
    """(3, 3) rotation about a Cartesian axis, right-handed."""
    from scipy.spatial.transform import Rotation

    unit = np.asarray(axis, dtype=float)
    turned: Floats = Rotation.from_rotvec(
        degrees * unit / np.linalg.norm(unit), degrees=True
    ).as_matrix()
    return turned


def bose(energies: Tensor, temperature: float) -> Tensor:
    """Mean number of quanta; energies below `SOFTEST` count as that."""
    return 1 / torch.expm1(energies.clamp(min=SOFTEST) / (BOLTZMANN * temperature))


def _one_domain(
    solver: Solver, values: Tensor, q: Tensor, temperature: float | None, form_factors: bool
) -> tuple[Tensor, Tensor]:
    system = solver.system
    lengths = (q @ torch.as_tensor(system.reciprocal)).norm(dim=1)
    kinds = {ion: form_factor(ion, lengths) for ion in set(system.ions)} if form_factors else {}
    weights = torch.stack(
        [kinds.get(ion, torch.ones_like(lengths)) for ion in system.ions], dim=1
    )  # (K, n)

    def fold(k: Tensor) -> tuple[Tensor, Tensor]:
        waves = amplitudes(system, values, k, solver=solver)
        f = torch.einsum("bkmcn,kn->bkmc", waves.amplitude, weights.to(waves.amplitude))
        return waves.energies, f

    w, f = fold(q)
    tensor = f[..., :, None] * f.conj()[..., None, :]
    if temperature is None:
        return w, tensor
    loss = tensor * (1 + bose(w, temperature))[..., None, None]
    back, g = fold(-q)
    gain = g.conj()[..., :, None] * g[..., None, :] * bose(back, temperature)[..., None, None]
    return torch.cat([w, -back], dim=-1), torch.cat([loss, gain], dim=2)
