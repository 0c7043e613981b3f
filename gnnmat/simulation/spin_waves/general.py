r"""Spin waves of any ordered magnet: Colpa's problem of twice the number of sites.

Every spin has its own axes e1, e2, n with n along the order and u = e1 + i e2. To first order

    S_i = n_i (S_i - a_i^+ a_i) + sqrt(S_i / 2) (u_i^* a_i + u_i a_i^+)

and H = E + 1/2 sum_k x_k^+ h(k) x_k with x_k = (a_k, a_-k^+), where, J_ij(k) being the sum over
bonds of J exp(2 pi i k . (r_j - r_i)) with 2 D_i on the diagonal,

    h = [[A(k) - C, B(k)], [B(k)^+, A(-k)^* - C]]
    A_ij = sqrt(S_i S_j) / 2 u_i . J_ij . u_j^*,  B_ij = sqrt(S_i S_j) / 2 u_i . J_ij . u_j
    C_i = sum_j S_j n_i . J_ij(0) . n_j + g mu_B B . n_i

With h = L L^+ and g = diag(1, -1): L^+ g L = U diag(w, -w) U^+, x = L^{-+} U sqrt(w) y.

Source: Colpa, Physica A 93, 327 (1978); axes as in Toth & Lake, J. Phys.: Condens. Matter 27,
166002 (2015), equations 10 to 46.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gnnmat.simulation.spin_waves.collinear import (
    BOHR_MAGNETON,
    SOFTEST,
    STABLE,
    Modes,
    combine,
    magnitude,
)
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem


class General:
    """The spin waves of any magnet for any values of its couplings.

    Wave vectors are in units of the reciprocal magnetic cell; amplitudes are those of
    exp(2 pi i k . r) with the true positions r, so they depend on k, not on the zone.
    """

    def __init__(self, system: SpinSystem) -> None:
        self.system = system
        self.frames = frames(system.directions)

    def matrices(self, k: Tensor) -> tuple[Tensor, ...]:
        """((p + 1, K, 2n, 2n),) complex parts of h: one a coupling, the last is fixed.

        Args:
            k: (K, 3) wave vectors, units of the reciprocal magnetic cell.
        """
        system, n = self.system, len(self.system)
        u = self.frames[0] + 1j * self.frames[1]
        axis, spins = system.directions, system.spins
        part = np.zeros((len(system.couplings) + 1, len(k), 2 * n, 2 * n), complex)
        phase = np.exp(2j * np.pi * (k.detach().cpu().double().numpy() @ system.bond_vector.T))
        for bond, (i, j) in enumerate(system.bond_sites):
            pattern, forth = system.bond_pattern[bond], phase[:, bond]
            back = forth.conj()
            h = part[system.bond_coupling[bond]]
            root = np.sqrt(spins[i] * spins[j]) / 2
            normal = root * (u[i] @ pattern @ u[j].conj())
            pair = root * (u[i] @ pattern @ u[j])
            h[:, i, j] += normal * forth
            h[:, j, i] += normal.conj() * back
            h[:, n + i, n + j] += normal.conj() * forth
            h[:, n + j, n + i] += normal * back
            h[:, i, n + j] += pair * forth
            h[:, j, n + i] += pair * back
            h[:, n + j, i] += pair.conj() * back
            h[:, n + i, j] += pair.conj() * forth
            along = axis[i] @ pattern @ axis[j]
            for site, other in ((i, j), (j, i)):
                h[:, site, site] -= spins[other] * along
                h[:, n + site, n + site] -= spins[other] * along
        for term, i in enumerate(system.onsite_site):
            pattern = system.onsite_pattern[term]
            h = part[system.onsite_coupling[term]]
            normal = spins[i] * (u[i] @ pattern @ u[i].conj() - 2 * axis[i] @ pattern @ axis[i])
            pair = spins[i] * (u[i] @ pattern @ u[i])
            h[:, i, i] += normal
            h[:, n + i, n + i] += normal
            h[:, i, n + i] += pair
            h[:, n + i, i] += pair.conj()
        diagonal = np.arange(2 * n)
        field = system.g * BOHR_MAGNETON * (axis @ system.field)
        part[-1][:, diagonal, diagonal] -= np.tile(field, 2)
        return (torch.from_numpy(part),)

    def modes(self, values: Tensor, parts: tuple[Tensor, ...]) -> Modes:
        """Energies (B, K, n) and Cartesian amplitudes (B, K, n, 3, n) on all sites.

        NaN where the order is no minimum of the energy. Amplitudes of modes softer than
        `SOFTEST` are cut off. Energies can be differentiated in the values; amplitudes only
        where no two modes have the same energy.

        Args:
            values: (B, p) couplings in meV.
            parts: from `matrices`, on the device and in the precision to compute in.
        """
        lower, stable = self._factor(values, parts)
        size = len(self.system)
        signed, unitary = torch.linalg.eigh(lower.mH @ (self._metric(lower) * lower))
        w, chosen = signed[..., size:].clamp(min=0), unitary[..., size:]
        soft = w.clamp(min=torch.finfo(w.dtype).tiny)
        root = soft / soft.clamp(min=SOFTEST).sqrt()  # sqrt(w), cut off for Goldstone modes
        x = torch.linalg.solve_triangular(lower.mH, chosen * root[..., None, :], upper=True)
        u = torch.as_tensor(self.frames[0] + 1j * self.frames[1]).to(x)  # (n, 3)
        scale = torch.as_tensor(np.sqrt(self.system.spins / 2)).to(x)
        annihilate = torch.einsum("nc,n,bknm->bkmcn", u.conj(), scale, x[..., :size, :])
        create = torch.einsum("nc,n,bknm->bkmcn", u, scale, x[..., size:, :])
        amplitude = torch.where(stable[..., None, None, None], annihilate + create, torch.nan)
        return Modes(torch.where(stable[..., None], w, torch.nan), amplitude)

    def energies(self, values: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """(B, K, n) in meV, ascending; NaN where the order is no minimum of the energy."""
        lower, stable = self._factor(values, parts)
        signed = torch.linalg.eigvalsh(lower.mH @ (self._metric(lower) * lower))
        w = signed[..., len(self.system) :].clamp(min=0)
        return torch.where(stable[..., None], w, torch.nan)

    def softest(self, values: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """(B,) the lowest w^2 in meV^2, negative where the order is no minimum of the energy.

        Exact where one mode is soft, an estimate where several mix.
        """
        return self._squares(combine(values, parts[0])).amin(dim=1)

    def is_stable(self, values: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """(B,) whether the order is a minimum of the energy at every wave vector given."""
        return self.softest(values, parts) >= STABLE

    def _metric(self, like: Tensor) -> Tensor:
        """(2n, 1) of 1 and -1."""
        ones = torch.ones(len(self.system), 1, dtype=like.dtype, device=like.device)
        return torch.cat([ones, -ones])

    def _squares(self, h: Tensor) -> Tensor:
        """(B, K) the softest w^2 of each matrix.

        The steepest descent x of the energy and the motion g x conjugate to it make one
        oscillator, whose w^2 is the product of both curvatures; exact for a single mode.
        """
        curvature, vectors = torch.linalg.eigh(h)
        x = self._metric(h) * vectors[..., :1]
        conjugate = (x.mH @ h @ x).real[..., 0, 0]
        return curvature[..., 0] * conjugate.abs()

    def _factor(self, values: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """(B, K, 2n, 2n) lower triangular L with L L^+ = h, and (B, K) where there is one."""
        h = combine(values, parts[0])
        eye = torch.eye(h.shape[-1], dtype=h.dtype, device=h.device)
        # A Goldstone mode makes h singular at one point.
        shift = 4 * h.shape[-1] * torch.finfo(h.dtype).eps * magnitude(h)[..., 0, 0]
        lower, info = torch.linalg.cholesky_ex(h + shift[..., None, None] * eye)
        if not info.any():
            return lower, info == 0
        with torch.no_grad():  # rounded below zero, or truly unstable
            lowest = torch.linalg.eigvalsh(h)[..., 0]
            stable = (info == 0) | (self._squares(h) >= STABLE)
            shift = shift - torch.where(info != 0, 1.01 * lowest.clamp(max=0), 0)
        safe = torch.where(stable[..., None, None], h + shift[..., None, None] * eye, eye)
        lower, _ = torch.linalg.cholesky_ex(safe)
        return lower, stable


def frames(directions: Floats) -> Floats:
    """(2, n, 3) unit vectors e1, e2 that make a right-handed frame with every direction."""
    # The Cartesian axis farthest from the direction is never parallel to it.
    start = np.eye(3)[np.abs(directions).argmin(axis=1)]
    first = np.cross(start, directions)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    both: Floats = np.stack([first, np.cross(directions, first)])
    return both
