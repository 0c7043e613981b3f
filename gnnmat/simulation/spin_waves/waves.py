"""One front for both solvers: energies and Cartesian amplitudes of spin waves at any Q."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.simulation.spin_waves.collinear import STABLE, Collinear, combine, magnitude
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem

Solver = Collinear | General
Values = Tensor | Floats | Sequence[float] | Mapping[str, float]
Vectors = Tensor | Floats | Sequence[Sequence[float]]
_MEMORY = 2**26  # bytes of one set of matrices: what caches and small machines take


@dataclass(frozen=True)
class Waves:
    """Spin waves at a list of wave vectors.

    Args:
        energies: (B, K, m) in meV, ascending.
        amplitude: (B, K, m, 3, n) complex: S_i = ... + amplitude exp(2 pi i q . r_i) y, with the
            annihilation operator y of the mode, Cartesian, all sites.
    """

    energies: Tensor
    amplitude: Tensor


def spin_waves(system: SpinSystem) -> Solver:
    """The fast solver where the magnet allows it, else the general one."""
    if system.is_collinear:
        try:
            return Collinear(system)
        except GnnmatError:  # anisotropies across the axis without common directions
            pass
    return General(system)


def dispersion(system: SpinSystem, values: Values, q: Vectors) -> Tensor:
    """(B, K, m) energies in meV, ascending; NaN where the order is no minimum of the energy.

    Differentiable in the values, which also choose device and precision.

    Args:
        system: the magnet.
        values: (B, p) or (p,) couplings in meV, or a number for every name.
        q: (K, 3) wave vectors in units of the reciprocal magnetic cell.

    Raises:
        GnnmatError: a coupling is missing or unknown, or shapes do not fit.
    """
    solver, couplings, k = spin_waves(system), coupling_values(system, values), wave_vectors(q)
    solve = solver.energies if isinstance(solver, General) else _collinear_energies(solver)
    parts = [
        solve(couplings, solver_parts(solver, piece, couplings))
        for piece in k.split(_batch(system, couplings))
    ]
    return torch.cat(parts, dim=1).sort(dim=-1).values


def amplitudes(
    system: SpinSystem, values: Values, q: Vectors, *, solver: Solver | None = None
) -> Waves:
    """Energies and amplitudes of all modes; NaN where the order is no minimum of the energy.

    Args:
        system: the magnet.
        values: as in `dispersion`.
        q: (K, 3) wave vectors in units of the reciprocal magnetic cell.
        solver: of the same system, to use again; default: `spin_waves`.

    Raises:
        GnnmatError: a coupling is missing or unknown, or shapes do not fit.
    """
    solver = solver or spin_waves(system)
    couplings, k = coupling_values(system, values), wave_vectors(q)
    energies, vectors = [], []
    for piece in k.split(_batch(system, couplings)):
        parts = solver_parts(solver, piece, couplings)
        modes = solver.modes(couplings, parts)  # type: ignore[arg-type]
        w, amplitude = modes.energies, modes.amplitude
        if isinstance(solver, Collinear):
            # Amplitudes are cut off for Goldstone modes, energies need not be.
            w = _collinear_energies(solver)(couplings, parts)
            amplitude = _cartesian(solver, amplitude, piece)
            amplitude = torch.where(w.isnan()[..., None, None], torch.nan, amplitude)
        order = w.argsort(dim=-1)
        energies.append(w.gather(-1, order))
        vectors.append(amplitude.gather(2, order[..., None, None].expand_as(amplitude)))
    return Waves(torch.cat(energies, dim=1), torch.cat(vectors, dim=1))


def coupling_values(system: SpinSystem, values: Values) -> Tensor:
    """(B, p) couplings in meV, checked; float64 unless a tensor says otherwise.

    Raises:
        GnnmatError: a coupling is missing or unknown, or the shape does not fit.
    """
    names = system.couplings
    if isinstance(values, Mapping):
        for name in values:
            if name not in names:
                raise GnnmatError(f"No coupling called '{name}'.", fix=did_you_mean(name, names))
        if missing := [name for name in names if name not in values]:
            raise GnnmatError(f"No value for {', '.join(missing)}.", fix="Values are in meV.")
        values = [values[name] for name in names]
    found = values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values, float))
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] != len(names):
        raise GnnmatError(
            f"Couplings: expected (B, {len(names)}), got {tuple(found.shape)}.",
            why=f"In this order: {', '.join(names)}.",
        )
    if not found.isfinite().all():
        raise GnnmatError("A coupling is not a finite number.")
    return found


def wave_vectors(q: Vectors) -> Tensor:
    """(K, 3) float64 wave vectors, checked.

    Raises:
        GnnmatError: the shape does not fit, or a number is not finite.
    """
    found = q if isinstance(q, Tensor) else torch.as_tensor(np.asarray(q, dtype=float))
    if found.ndim != 2 or found.shape[1] != 3:
        raise GnnmatError(f"Wave vectors: expected (K, 3), got {tuple(found.shape)}.")
    if not found.isfinite().all():
        raise GnnmatError("A wave vector is not finite.")
    return found.detach().cpu().double()


def solver_parts(solver: Solver, k: Tensor, couplings: Tensor) -> tuple[Tensor, ...]:
    """The matrices of a solver on the device and in the precision of the couplings."""
    kind = torch.complex64 if couplings.dtype == torch.float32 else torch.complex128
    return tuple(part.to(couplings.device, kind) for part in solver.matrices(k))


def _batch(system: SpinSystem, couplings: Tensor) -> int:
    """How many wave vectors are solved at once."""
    one = 16 * (2 * len(system)) ** 2 * (len(system.couplings) + 1 + 4 * len(couplings))
    return max(1, _MEMORY // one)


def _collinear_energies(solver: Collinear) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
    def solve(values: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        a, b = (combine(values, part) for part in parts)
        eye = torch.eye(a.shape[-1], dtype=b.dtype, device=b.device)
        jitter = 4 * a.shape[-1] * torch.finfo(b.dtype).eps * magnitude(b)
        lower, info = torch.linalg.cholesky_ex(b + jitter * eye)
        stable = (info == 0)[..., None]
        # A matrix that is not positive leaves an unfinished factor.
        lower = torch.where(stable[..., None], lower, eye)
        squares = torch.linalg.eigvalsh(lower.mH @ a @ lower)
        # The slope of a square root at zero is infinite: stay off it.
        tiny = torch.finfo(squares.dtype).tiny
        w = torch.where(squares > 0, squares.clamp(min=tiny).sqrt(), 0.0)
        w = torch.where(stable & (squares[..., :1] >= STABLE), w, torch.nan)
        return w.permute(0, 2, 1, 3).flatten(2)

    return solve


def _cartesian(solver: Collinear, amplitude: Tensor, k: Tensor) -> Tensor:
    """(B, K, m, 3, n) amplitudes on all sites from those on the representatives of blocks."""
    blocks, system = solver.blocks, solver.system
    e = torch.as_tensor(solver.across).to(amplitude)
    own = torch.einsum("bkmcr,cx->bkmxr", amplitude, e)
    out = own.new_zeros(*own.shape[:4], len(system))
    if len(blocks.parities) == 1:
        out[..., blocks.representatives] = own
    else:
        parity = torch.tensor(blocks.parities).to(own).repeat_interleave(own.shape[-1])
        out[..., blocks.representatives] = own / np.sqrt(2)
        out[..., blocks.partners] = own * parity[:, None, None] / np.sqrt(2)
    # Directions along which the magnet is finite have no wave: their phase is only position.
    still = (k.numpy() * (1 - blocks.moving)) @ system.positions.T
    return out * torch.as_tensor(np.exp(-2j * np.pi * still)).to(out)[:, None, None]
