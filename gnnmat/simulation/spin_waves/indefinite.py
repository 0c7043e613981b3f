r"""Waves about an order that is no minimum of the energy: those that are left of them.

In the notation of `collinear`, with xi = X / sqrt(S) and zeta = s Z / sqrt(S), a wave of energy w
obeys A xi = -i w zeta and B zeta = i w xi: the eigenvalue problem of g H with H = diag(A, B) and
g = [[0, -i], [i, 0]]. Its para-norm (xi, zeta)^+ g (xi, zeta) = 2 xi^+ A xi / w is conserved and
is 1 for an annihilation operator. Eliminating zeta leaves B A xi = w^2 xi. Where neither A nor B
is positive definite this problem is not similar to a Hermitian one, and there are four cases:

- w real, para-norm positive: a wave, with the amplitude that the para-norm fixes.
- w real, para-norm negative: the wave has the energy -w, which a neutron can only gain.
- w complex: the deviation grows exponentially and the para-norm is zero. No commutator can be
  kept, so there is no quantum of it to create, and no line in a spectrum.
- An exceptional point, where a pair of real energies turns complex: the para-norm tends to zero
  and the intensity diverges. |xi|^2 <= |B| / 2w and |zeta|^2 <= |A| / 2w hold for every wave about
  a minimum of the energy; what exceeds `EXCESS` times these bounds is counted as complex.

Source: Rossignoli & Kowalski, Phys. Rev. A 72, 032101 (2005), on bilinear Hamiltonians of bosons
that are not positive definite.
"""

from __future__ import annotations

import torch
from torch import Tensor

REAL = 1e-7  # |Im w^2| / |A| |B| below which an energy counts as real: rounding leaves 1e-8
EXCESS = 4.0  # a small part in an unstable motion is harmless, half a part is not
SAME = 1e-9  # difference of w^2 / |A| |B| below which modes count as degenerate


def real_waves(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Energies (F, n) ascending, with xi and zeta (F, n, n), a mode a column; no wave is all zero.

    On the processor and in double precision, so that every machine finds the same waves; without
    slopes, since a wave may end where a coupling moves.

    Args:
        a: (F, n, n) Hermitian.
        b: (F, n, n) Hermitian.
    """
    with torch.no_grad():
        a, b = (_hermitian(m) for m in (a, b))
        size = a.shape[-1]
        # The largest row sum, which no eigenvalue exceeds.
        norm_a, norm_b = (m.abs().sum(-1).amax(-1).clamp(min=1e-12)[:, None] for m in (a, b))
        scale = norm_a * norm_b
        squares, v = torch.linalg.eig(b @ a)
        order = squares.real.argsort(dim=-1)
        squares = squares.gather(-1, order)
        v = v.gather(-1, order[:, None].expand_as(v))
        real = (squares.imag.abs() <= REAL * scale) & (squares.real > 0)
        w = torch.where(real, squares.real, 1.0).sqrt()
        # Degenerate modes must be made orthogonal in the para-norm; others are. Modes of one
        # level are kept apart from the next by an offset beyond all eigenvalues.
        step = (squares.real.diff(dim=-1) > SAME * scale).double()
        level = 4.0 * size * torch.cat([torch.zeros_like(step[:, :1]), step], dim=1).cumsum(-1)
        together = (level[:, :, None] == level[:, None]) & real[:, :, None] & real[:, None]
        gram = torch.where(together, v.mH @ a @ v / norm_a[..., None], 0.0)
        found, turn = torch.linalg.eigh(gram + torch.diag_embed(level).to(gram))
        norm, v = found - level, v @ turn
        av = a @ v / norm_a[..., None]
        kept = real & (norm > 0)
        kept &= v.abs().square().sum(-2) * w.square() <= EXCESS * norm * scale
        kept &= av.abs().square().sum(-2) <= EXCESS * norm
        length = torch.where(kept, w / (2 * norm * norm_a), 0.0).sqrt()
        xi = v * length[:, None]
        zeta = 1j * (a @ xi) / w[:, None]
        w = torch.where(kept, w, 0.0)
        order = w.argsort(dim=-1)
        columns = order[:, None].expand_as(xi)
        return w.gather(-1, order), xi.gather(-1, columns), zeta.gather(-1, columns)


def _hermitian(matrix: Tensor) -> Tensor:
    """The matrix in double precision on the processor, with rounding made Hermitian."""
    own = matrix.detach().cpu().to(torch.complex128)
    return (own + own.mH) / 2
