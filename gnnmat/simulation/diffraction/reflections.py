"""Reflections of a batch of crystals: which lattice planes reflect, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.simulation.diffraction.cells import Cells, ragged
from gnnmat.simulation.diffraction.factors import Radiation, scattering_factors

# Pairs of a reflection and an atom that are held at once: some 10 MB, about a processor's cache.
PAIRS = 200_000
SLACK = 1e-6  # of an index, that rounding may be off by


@dataclass(frozen=True)
class Reflections:
    """One of each Friedel pair: hkl stands for -h -k -l as well.

    Args:
        owner: (n,) the cell.
        hkl: (n, 3) int64 Miller indices.
        length: (n,) 1/d in 1/Å.
    """

    owner: Tensor
    hkl: Tensor
    length: Tensor

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, rows: Tensor) -> Reflections:
        """Some of them."""
        return Reflections(self.owner[rows], self.hkl[rows], self.length[rows])


def reflections(cells: Cells, longest: float, shortest: float = 0.0) -> Reflections:
    """All reflections with ``shortest`` <= 1/d <= ``longest`` (1/Å), cell after cell.

    Of +hkl and -hkl the one is kept whose first index that is not zero is positive.
    """
    # |h| = |g . a| <= |g| |a|: the box of indices that holds the sphere. In it every h and k have
    # a column of l, of which only what lies in the sphere is listed.
    reach = (cells.lattice.norm(dim=2) * longest + 1e-9).floor().to(torch.int64)
    deep = 2 * reach[:, 1] + 1
    cell, place = ragged((reach[:, 0] + 1) * deep)
    h, k = place // deep[cell], place % deep[cell] - reach[cell, 1]
    first, last = _columns(cells, cell, torch.stack([h, k], dim=1), longest)
    # Of +hkl and -hkl one: with h = 0 from k = 0 on, and there from l = 1 on.
    first = torch.where((h == 0) & (k == 0), first.clamp(min=1), first)
    column, step = ragged(torch.where((h == 0) & (k < 0), 0, (last - first + 1).clamp(min=0)))
    hkl = torch.stack([h[column], k[column], first[column] + step], dim=1)
    owner = cell[column]
    vectors = torch.einsum("ni,nij->nj", hkl.to(torch.float64), cells.reciprocal[owner])
    length = vectors.norm(dim=1)
    kept = (length <= longest) & (length >= shortest)
    return Reflections(owner[kept], hkl[kept], length[kept])


def _columns(cells: Cells, cell: Tensor, hk: Tensor, longest: float) -> tuple[Tensor, Tensor]:
    """(n,) first and last l of each column, none where the last is smaller.

    |h a* + k b* + l c*| <= ``longest`` is a quadratic inequality in l; what rounding may leave out
    is let in.
    """
    axes = cells.reciprocal
    across = torch.einsum("ni,nij->nj", hk.to(torch.float64), axes[cell, :2])
    up = axes[cell, 2]
    square = (up * up).sum(dim=1)
    middle = -(across * up).sum(dim=1) / square
    # The part of the vector that l cannot change.
    nearest = (across + middle[:, None] * up).square().sum(dim=1)
    half = ((longest**2 - nearest) / square).clamp(min=-1.0)
    width = torch.where(half >= -SLACK, half.clamp(min=0).sqrt() + SLACK, -1.0)
    return (
        torch.ceil(middle - width).to(torch.int64),
        torch.floor(middle + width).to(torch.int64),
    )


def structure_factors(
    cells: Cells, found: Reflections, radiation: Radiation, displacement: Tensor | None = None
) -> Tensor:
    """(n,) complex128, F = sum_j o_j f_j(s) exp(-B_j s^2) exp(2 pi i hkl . x_j).

    Args:
        cells: the crystals.
        found: their reflections.
        radiation: of the scattering factors.
        displacement: (119,) B = 8 pi^2 <u^2> in Å^2 by atomic number; None leaves the
            Debye-Waller factor out.

    Source: International Tables for Crystallography B (2010), 1.2.3 and 1.2.10.
    """
    counts = torch.bincount(found.owner, minlength=len(cells))
    starts = torch.cumsum(counts, 0) - counts
    total = torch.zeros(len(found), dtype=torch.complex128, device=found.owner.device)
    for some in _buckets(counts, cells.count):
        rows, there = _padded(starts[some], counts[some])
        part = _bucket(cells, some, found.hkl[rows], found.length[rows], radiation, displacement)
        total[rows[there]] = part[there]
    return total


def _bucket(
    cells: Cells,
    some: Tensor,
    hkl: Tensor,
    length: Tensor,
    radiation: Radiation,
    displacement: Tensor | None,
) -> Tensor:
    """(b, reflections) structure factors of some cells; hkl (b, reflections, 3)."""
    first = torch.cumsum(cells.count, 0) - cells.count
    atoms, real = _padded(first[some], cells.count[some])
    numbers = torch.where(real, cells.numbers[atoms], 0)
    elements, kind = _elements(numbers)
    # Geometry and strength apart: waves of each element are summed first, then weighed.
    share = torch.zeros(*numbers.shape, elements.shape[1], dtype=torch.float64, device=hkl.device)
    weight = torch.where(real, cells.occupancy[atoms], 0.0)
    share.scatter_(2, kind[..., None], weight[..., None])
    phase = 2 * torch.pi * hkl.to(torch.float64) @ cells.frac[atoms].transpose(1, 2)
    cosines, sines = torch.cos(phase) @ share, torch.sin(phase) @ share
    known = torch.where(elements > 0, elements, elements.max())[:, None]
    s2 = ((length / 2) ** 2)[:, :, None]
    strength = scattering_factors(radiation, known, s2)
    if displacement is not None:
        strength = strength * torch.exp(-displacement[known] * s2)
    return torch.complex((cosines * strength).sum(dim=2), (sines * strength).sum(dim=2))


def _elements(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """(b, e) the distinct atomic numbers of each row, 0 behind them; (b, atoms) place of each."""
    ordered, order = numbers.sort(dim=1, descending=True)
    new = torch.ones_like(ordered)
    new[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).to(new.dtype)
    place = torch.cumsum(new, dim=1) - 1
    elements = torch.zeros(
        len(numbers), int(place.max()) + 1, dtype=numbers.dtype, device=numbers.device
    )
    elements.scatter_(1, place, ordered)
    kind = torch.zeros_like(place).scatter_(1, order, place)
    return elements, kind


def _padded(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """(b, most) indices of runs of items, and whether each is one of its run."""
    steps = torch.arange(int(counts.max()), device=counts.device)
    there = steps < counts[:, None]
    return torch.where(there, starts[:, None] + steps, 0), there


def _buckets(counts: Tensor, atoms: Tensor) -> list[Tensor]:
    """Cells of similar size together, at most `PAIRS` padded pairs a bucket, or one cell."""
    order = torch.argsort(counts)
    sizes, many = counts[order].tolist(), atoms[order].tolist()
    buckets, start, most = [], 0, 0
    for place, (size, count) in enumerate(zip(sizes, many, strict=True)):
        widest = max(most, count)
        if place > start and (place - start + 1) * size * widest > PAIRS:
            buckets.append(order[start:place])
            start, widest = place, count
        most = widest
    buckets.append(order[start:])
    return [one[counts[one] > 0] for one in buckets if bool((counts[one] > 0).any())]
