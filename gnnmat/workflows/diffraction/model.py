"""A calculated pattern as a differentiable function of what is refined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import angle_factor
from gnnmat.simulation.diffraction.profile import pseudo_voigt
from gnnmat.simulation.diffraction.reflections import reflections, structure_factors
from gnnmat.workflows.diffraction.beam import SECOND_SHARE, Beam
from gnnmat.workflows.diffraction.cell import ConventionalCell

Floats = NDArray[np.float64]

SPARE = 0.03  # reflections are listed this far beyond the range, as a share of 1/d
FAINT = 1e-3  # of the strongest family; fainter ones are left out
# Full widths up to which a peak is drawn: 3% of a Lorentzian lies beyond, 1e-7 of a Gaussian.
TAIL, BELL = 10.0, 2.5
OTHERS = ("zero", "gaussian", "lorentzian", "strain", "displacement", "texture", "aligned")


@dataclass(frozen=True)
class Families:
    """Reflections of one spacing, whatever the lattice, as long as it keeps its symmetry.

    Args:
        hkl: (families, 3) float64, one of the reflections of each.
        member: (reflections,) the family of each reflection.
        strength: (reflections,) |F|^2 of each Friedel pair, twice.
        along: (reflections,) cos^2 of the angle to the axis of texture.
    """

    hkl: Tensor
    member: Tensor
    strength: Tensor
    along: Tensor

    @property
    def multiplicity(self) -> Tensor:
        """(families,) number of reflections, both of each Friedel pair."""
        return 2 * torch.bincount(self.member, minlength=len(self.hkl))


@dataclass(frozen=True)
class PatternModel:
    """The pattern of one phase without scale and background.

    Parameters are those of the lattice by name of `ConventionalCell`, and: ``zero`` (degrees),
    ``gaussian`` and ``lorentzian`` (full widths in degrees at low angle; the latter grows with
    1/cos theta), ``strain`` (full width of a Lorentzian, degrees, times tan theta),
    ``displacement`` (B of all atoms, Å^2), ``texture`` (March and Dollase's r, 1 for none) and
    ``aligned`` (share of the crystallites that has it).

    Args:
        cell: the phase.
        beam: that of the measurement.
        two_theta: (n,) degrees, rising.
        families: its reflections.
        texture: Miller indices of the plane that lies flat; None: no texture.
        blur: full width of a Gaussian that the pattern is smoothed with, degrees.
    """

    cell: ConventionalCell
    beam: Beam
    two_theta: Tensor
    families: Families
    texture: tuple[int, int, int] | None = None
    blur: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, in their order."""
        others = OTHERS if self.texture is not None else OTHERS[:-2]
        return (*self.cell.names, *others)

    def blurred(self, blur: float) -> PatternModel:
        """The same, smoothed."""
        return replace(self, blur=blur)

    def intensities(self, known: dict[str, Tensor], spacing: Tensor) -> Tensor:
        """(families,) intensity without the factor of the angle."""
        strength = self.families.strength
        if self.texture is not None:
            texture, aligned = known["texture"], known["aligned"]
            along = self.families.along
            # Source: Dollase, J. Appl. Cryst. 19, 267 (1986), equation 2.
            march = (texture**2 * along + (1 - along) / texture) ** -1.5
            strength = strength * (aligned * march + 1 - aligned)
        total = torch.zeros(len(self.families.hkl), dtype=torch.float64)
        total = total.index_add(0, self.families.member, strength)
        return total * torch.exp(-known["displacement"] / (2 * spacing**2))

    def lines(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(lines,) positions in degrees and areas, of both wavelengths."""
        known = dict(zip(self.names, values, strict=True))
        lattice = self.cell.lattice(values[: len(self.cell.names)])
        spacing = 1 / (self.families.hkl @ torch.linalg.inv(lattice).T).norm(dim=1)
        area = self.intensities(known, spacing)
        waves = [(1.0, 1.0)]
        if self.beam.second != 1:
            waves.append((self.beam.second, SECOND_SHARE))
        centres, areas = [], []
        for ratio, share in waves:
            sine = self.beam.wavelength * ratio / (2 * spacing)
            theta = torch.asin(sine.clamp(max=0.9999))
            factor = angle_factor(theta, self.beam.correction)
            centres.append(torch.rad2deg(2 * theta) + known["zero"])
            areas.append(share * area * factor)
        return torch.cat(centres), torch.cat(areas)

    def widths(self, values: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Full widths of the Gaussian and the Lorentzian part, degrees."""
        known = dict(zip(self.names, values, strict=True))
        theta = torch.deg2rad(centres / 2).clamp(min=1e-3, max=1.5)
        gaussian = (known["gaussian"] ** 2 + self.blur**2).sqrt().expand(centres.shape)
        lorentzian = known["lorentzian"] / torch.cos(theta) + known["strain"] * torch.tan(theta)
        return gaussian, lorentzian

    def windows(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs of a line and a point that it reaches."""
        with torch.no_grad():
            centres, _ = self.lines(values)
            gaussian, lorentzian = self.widths(values, centres)
            reach = BELL * gaussian + TAIL * lorentzian
            start = torch.searchsorted(self.two_theta, centres - reach)
            stop = torch.searchsorted(self.two_theta, centres + reach)
        counts = stop - start
        line = torch.repeat_interleave(torch.arange(len(counts)), counts)
        first = torch.cumsum(counts, 0) - counts
        return line, torch.arange(len(line)) - first[line] + start[line]

    def __call__(self, values: Tensor) -> Tensor:
        """(n,) intensity per degree."""
        line, point = self.windows(values)
        centres, areas = self.lines(values)
        gaussian, lorentzian = self.widths(values, centres)
        offset = self.two_theta[point] - centres[line]
        height = areas[line] * pseudo_voigt(offset, gaussian[line], lorentzian[line])
        return torch.zeros(len(self.two_theta), dtype=torch.float64).index_add(0, point, height)

    def slopes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) pattern and (n, parameters) its derivatives.

        By the chain rule: each pair of a line and a point knows its slope in position, area and
        widths of the line from one backward pass, and the lines are few.
        """
        facts, inner = _jacobian(self._line_facts, values)
        line, point = self.windows(values)
        each = [one[line].requires_grad_() for one in facts]
        centre, area, gaussian, lorentzian = each
        height = area * pseudo_voigt(self.two_theta[point] - centre, gaussian, lorentzian)
        outer = torch.stack(torch.autograd.grad(height.sum(), each))
        rows = torch.einsum("kn,pkn->np", outer, inner[:, :, line])
        empty = torch.zeros(len(self.two_theta), dtype=torch.float64)
        return (
            empty.index_add(0, point, height.detach()),
            torch.zeros(len(empty), len(values), dtype=torch.float64).index_add(0, point, rows),
        )

    def _line_facts(self, values: Tensor) -> Tensor:
        """(4, lines) position, area, full widths of the Gaussian and the Lorentzian part."""
        centres, areas = self.lines(values)
        return torch.stack([centres, areas, *self.widths(values, centres)])


def _jacobian(function: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    """A function of few values and (values, ...) its slopes.

    The vector-Jacobian product is linear in its vector, so that a second backward pass gives a
    column; `torch.func.jacfwd` is a hundred times slower on tensors as small as these.
    """
    at = values.detach().clone().requires_grad_()
    found = function(at)
    vector = torch.zeros_like(found, requires_grad=True)
    (product,) = torch.autograd.grad(found, at, vector, create_graph=True)
    rows = [torch.autograd.grad(one, vector, retain_graph=True)[0] for one in product]
    return found.detach(), torch.stack(rows)


def pattern_model(
    cell: ConventionalCell,
    beam: Beam,
    two_theta: Floats,
    texture: tuple[int, int, int] | None = None,
) -> PatternModel:
    """The model of a phase over these angles; its list of reflections stays as it is.

    Raises:
        GnnmatError: the phase has no reflection there.
    """
    ends = [2 * np.sin(np.radians(t / 2)) / beam.wavelength for t in (two_theta[0], two_theta[-1])]
    families = _families(cell, beam, ends[0] * (1 - SPARE), ends[1] * (1 + SPARE), texture)
    return PatternModel(
        cell, beam, torch.tensor(two_theta, dtype=torch.float64).contiguous(), families, texture
    )


def _families(
    cell: ConventionalCell,
    beam: Beam,
    shortest: float,
    longest: float,
    texture: tuple[int, int, int] | None,
) -> Families:
    cells = Cells.of([cell.crystal])
    found = reflections(cells, longest, shortest)
    if not len(found):
        raise GnnmatError("There is no reflection within the range of the pattern.")
    strength = 2 * structure_factors(cells, found, beam.radiation).abs() ** 2
    hkl = found.hkl.to(torch.float64)
    # Two reflections are one family if they have one length in two cells of the symmetry.
    values = torch.from_numpy(cell.values())
    other = values * (1 + 0.013 * torch.arange(1, len(values) + 1) / len(values) ** 0.5)
    lengths = [(hkl @ torch.linalg.inv(cell.lattice(one)).T).norm(dim=1) for one in (values, other)]
    keys = torch.stack([torch.round(one * 1e7) for one in lengths], dim=1).to(torch.int64)
    _, member = torch.unique(keys, dim=0, return_inverse=True)
    total = torch.zeros(int(member.max()) + 1, dtype=torch.float64).index_add(0, member, strength)
    lengths_of = torch.zeros_like(total).scatter(0, member, lengths[0])
    seen = total / lengths_of**2  # nearly the factor of the angle
    kept = torch.nonzero(seen > FAINT * seen.max())[:, 0]
    place = torch.full((len(total),), -1).scatter(0, kept, torch.arange(len(kept)))
    rows = torch.nonzero(place[member] >= 0)[:, 0]
    # The member with the largest indices gives its name, as 1 0 0.
    rank = (hkl @ torch.tensor([1e6, 1e3, 1.0], dtype=torch.float64))[rows]
    order = rows[torch.argsort(rank)]
    named = torch.zeros(len(kept), dtype=torch.int64)
    named[place[member[order]]] = order  # the last one written stays
    return Families(
        hkl[named], place[member[rows]], strength[rows], _along(cell, hkl[rows], texture)
    )


def _along(cell: ConventionalCell, hkl: Tensor, axis: tuple[int, int, int] | None) -> Tensor:
    """(reflections,) cos^2 of the angle between reflections and an axis given likewise."""
    if axis is None:
        return torch.zeros(len(hkl), dtype=torch.float64)
    reciprocal = torch.linalg.inv(torch.from_numpy(np.array(cell.crystal.lattice))).T
    one = torch.tensor(axis, dtype=torch.float64) @ reciprocal
    every = hkl @ reciprocal
    found: Tensor = (every @ one) ** 2 / (every.norm(dim=1) ** 2 * (one @ one)).clamp(min=1e-30)
    return found.clamp(max=1.0)
