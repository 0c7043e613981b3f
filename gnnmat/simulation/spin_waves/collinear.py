r"""Spin waves of collinear magnets: half the size of the general problem, twice Hermitian.

With the transverse spin components x (along e1) and z (along e2) of site i, s_i = +-1 along the
axis and the symmetric matrices (e a direction, J^e the exchange between those components)

    M^e_ij(k) = J^e_ij(k) + delta_ij [2 (D^e_i - D^n_i) - s_i (sum_l J^n_il s_l S_l + field) / S_i]

the equations of motion give A = sqrt(S) M^x sqrt(S), B = sqrt(S) s M^z s sqrt(S) = K K^dagger,
w^2 = eigenvalues of K^dagger A K with eigenvectors v, and the amplitudes
X = sqrt(S) K v / sqrt(2 w), Z = i sqrt(S) s K^{-dagger} v sqrt(w / 2).

Source: the classical equations of motion linearised about the order, quantised by
[S_x, S_z] ~ S; agrees with Colpa, Physica A 93, 327 (1978), for every collinear magnet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.spin_waves.blocks import Blocks, find_blocks
from gnnmat.simulation.spin_waves.indefinite import real_waves
from gnnmat.simulation.spin_waves.system import Floats, Ints, SpinSystem

BOHR_MAGNETON = 5.7883817982e-2  # meV/T, CODATA 2022
STABLE = -1e-3  # meV^2: Goldstone modes round off below zero
# Amplitudes grow as 1/sqrt(w) towards a Goldstone mode; below this energy they are cut off.
SOFTEST = 0.03  # meV
ROUNDING = 100.0  # precisions of the largest w^2 that a Goldstone mode may round off below zero


@dataclass(frozen=True)
class Modes:
    """Spin waves at a list of wave vectors.

    Args:
        energies: (B, K, m) in meV, block by block, ascending within a block.
        amplitude: (B, K, m, 2, n) complex amplitudes of the spin components along e1 and e2 on
            the n representatives of the blocks (`Collinear.sites`).
    """

    energies: Tensor
    amplitude: Tensor


class Collinear:
    """The spin waves of one collinear magnet for any values of its couplings.

    Wave vectors are in units of the reciprocal magnetic cell; amplitudes are those of
    exp(2 pi i k . r) with the true positions r, so they depend on k, not on the zone.

    Args:
        system: collinear, see `SpinSystem.is_collinear`.
        split: use translation-like symmetries to split the problem into blocks.

    Raises:
        GnnmatError: the magnet is not collinear.
    """

    def __init__(self, system: SpinSystem, *, split: bool = True) -> None:
        if not system.is_collinear:
            raise GnnmatError(
                "The moments of this magnet are not collinear.",
                fix="spin_waves(system) chooses the solver.",
            )
        self.system = system
        axis = system.directions[0]
        self.signs = np.sign(system.directions @ axis)
        self.across = across(system, axis)
        self.blocks: Blocks = find_blocks(system) if split else find_blocks(system, look=False)

    @property
    def sites(self) -> Ints:
        """(n,) sites whose amplitudes are given."""
        return self.blocks.representatives

    def matrices(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """(p + 1, blocks, K, n, n) complex parts of A and B: one a coupling, the last is fixed.

        Args:
            k: (K, 3) wave vectors, units of the reciprocal magnetic cell.
        """
        system, blocks = self.system, self.blocks
        axis = system.directions[0]
        count = len(system.couplings) + 1
        parts = [np.zeros((count, len(k), len(system), len(system)), complex) for _ in range(2)]
        vector = system.bond_vector * blocks.moving
        phase = np.exp(2j * np.pi * (k.cpu().double().numpy() @ vector.T))
        for part, e in zip(parts, self.across, strict=True):
            for bond, (i, j) in enumerate(system.bond_sites):
                coupling, pattern = system.bond_coupling[bond], system.bond_pattern[bond]
                value = e @ pattern @ e
                part[coupling, :, i, j] += value * phase[:, bond]
                part[coupling, :, j, i] += value * phase[:, bond].conj()
                along = (axis @ pattern @ axis) * self.signs[i] * self.signs[j]
                part[coupling, :, i, i] -= along * system.spins[j] / system.spins[i]
                part[coupling, :, j, j] -= along * system.spins[i] / system.spins[j]
            for term, site in enumerate(system.onsite_site):
                pattern = system.onsite_pattern[term]
                part[system.onsite_coupling[term], :, site, site] += 2 * (
                    e @ pattern @ e - axis @ pattern @ axis
                )
            field = system.g * BOHR_MAGNETON * float(system.field @ axis)
            for site in range(len(system)):
                part[-1, :, site, site] -= field * self.signs[site] / system.spins[site]
        root = np.sqrt(system.spins)
        parts[0] = parts[0] * root[:, None] * root
        turned = root * self.signs
        parts[1] = parts[1] * turned[:, None] * turned
        a, b = (torch.from_numpy(blocks.split(part)) for part in parts)
        return a, b

    def modes(self, values: Tensor, parts: tuple[Tensor, Tensor]) -> Modes:
        """Energies and amplitudes.

        Where the order is no minimum of the energy some modes have no real energy, or a negative
        one: no wave exists there that takes energy from a neutron. Their energies are `SOFTEST`,
        their amplitudes zero. Where B is not positive definite at all, see `indefinite`; no
        slopes come from there.

        Args:
            values: (B, p) couplings in meV.
            parts: from `matrices`, on the device and in the precision to compute in.
        """
        a, b = (combine(values, part) for part in parts)
        product, lower, unfinished = _factor(a, b)
        squares, v = torch.linalg.eigh(product)
        w = squares.clamp(min=SOFTEST**2).sqrt()
        n = self.blocks.representatives
        root = torch.as_tensor(np.sqrt(self.system.spins[n]), dtype=w.dtype, device=w.device)
        sign = torch.as_tensor(self.signs[n], dtype=w.dtype, device=w.device)
        x = root[:, None] * (lower @ v) / (2 * w).sqrt()[..., None, :]
        solved = torch.linalg.solve_triangular(lower.mH, v, upper=True)
        # A mode that is soft in this component has a large solution and a small true energy.
        true = squares.clamp(min=torch.finfo(w.dtype).tiny).sqrt()
        z = 1j * (root * sign)[:, None] * solved * (true / (2 * w).sqrt())[..., None, :]
        rounding = ROUNDING * torch.finfo(w.dtype).eps * squares.abs().amax(-1, keepdim=True)
        imaginary = squares < STABLE - rounding
        if imaginary.any():
            x, z = (torch.where(imaginary[..., None, :], 0.0, m) for m in (x, z))
        if unfinished.any():
            found, xi, zeta = real_waves(a[unfinished], b[unfinished])
            cut = found.clamp(min=SOFTEST)
            soft = (found / cut).sqrt()[:, None]
            w = w.index_put((unfinished,), cut.to(w))
            x = x.index_put((unfinished,), root[:, None] * (xi * soft).to(x))
            z = z.index_put((unfinished,), (root * sign)[:, None] * (zeta * soft).to(z))
        batch, blocks, points, size, _ = x.shape
        amplitude = x.new_empty(batch, points, blocks, size, 2, size)
        amplitude[..., 0, :] = x.permute(0, 2, 1, 4, 3)
        amplitude[..., 1, :] = z.permute(0, 2, 1, 4, 3)
        return Modes(w.permute(0, 2, 1, 3).flatten(2), amplitude.flatten(2, 3))

    def softest(self, values: Tensor, parts: tuple[Tensor, Tensor]) -> Tensor:
        """(B,) the lowest w^2 in meV^2; minus infinity where the other matrix is not positive."""
        a, b = (combine(values, part) for part in parts)
        eye = torch.eye(a.shape[-1], dtype=b.dtype, device=b.device)
        lower, info = torch.linalg.cholesky_ex(b + 1e-9 * magnitude(b) * eye)
        squares = torch.linalg.eigvalsh(lower.mH @ a @ lower).amin(dim=-1)
        squares = torch.where(info == 0, squares, -torch.inf)
        return squares.flatten(1).amin(dim=1)

    def is_stable(self, values: Tensor, parts: tuple[Tensor, Tensor]) -> Tensor:
        """(B,) whether the order is a minimum of the energy at every wave vector given."""
        return self.softest(values, parts) >= STABLE


def _factor(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """K^dagger A K, K with B = K K^dagger, and (B, blocks, K) where there is none.

    There both are made up, such that a decomposition has slopes.
    """
    size = b.shape[-1]
    eye = torch.eye(size, dtype=b.dtype, device=b.device)
    # A Goldstone mode in this component makes B singular at one point.
    jitter = 4 * torch.finfo(b.dtype).eps * magnitude(b)
    lower, info = torch.linalg.cholesky_ex(b + jitter * eye)
    unfinished = info != 0
    if unfinished.any():
        off = unfinished[..., None, None]
        lower, _ = torch.linalg.cholesky_ex(torch.where(off, eye, b + jitter * eye))
        ladder = torch.arange(1.0, size + 1, device=a.device).to(a.dtype).diag()
        a = torch.where(off, ladder, a)
    return lower.mH @ a @ lower, lower, unfinished


def combine(values: Tensor, part: Tensor) -> Tensor:
    """(B, blocks, K, n, n) matrices for these couplings, with the fixed part."""
    ones = torch.ones_like(values[:, :1])
    weights = torch.cat([values, ones], dim=1).to(part.dtype)
    return (weights @ part.flatten(1)).view(len(values), *part.shape[1:])


def magnitude(matrix: Tensor) -> Tensor:
    """(B, 1, ...) the largest diagonal element at any wave vector, and never zero.

    At the zone centre of a ferromagnet a block of one site is zero as a whole.
    """
    largest = matrix.detach().diagonal(dim1=-2, dim2=-1).abs().flatten(1).amax(dim=1)
    return largest.clamp(min=1e-3).view(-1, *[1] * (matrix.ndim - 1))


def across(system: SpinSystem, axis: Floats) -> Floats:
    """(2, 3) unit vectors e1, e2 across the axis, along which no term mixes the components.

    Raises:
        GnnmatError: there are none, as with several anisotropies across the axis.
    """
    start = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(axis, start)
    first /= np.linalg.norm(first)
    plane = np.stack([first, np.cross(axis, first)])
    patterns = np.concatenate([system.bond_pattern, system.onsite_pattern])
    flat = plane @ patterns @ plane.T
    weights = np.linspace(1, 2, len(flat))[:, None, None]
    _, vectors = np.linalg.eigh((weights * flat).sum(0))
    if np.allclose(flat[:, 0, 1], 0, atol=1e-12):
        vectors = np.eye(2)
    turned = vectors.T @ flat @ vectors
    if not np.allclose(turned[:, 0, 1], 0, atol=1e-9):
        raise GnnmatError("The anisotropies across the axis have no common directions.")
    e: Floats = vectors.T @ plane
    if np.dot(np.cross(e[0], e[1]), axis) < 0:
        e[1] = -e[1]
    return e
