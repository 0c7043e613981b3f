"""A known crystal refined against a measured pattern, with a preferred orientation if need be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.workflows.diffraction.background import TO_SIGMA, Signal
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.cell import ConventionalCell, conventional_cell, six_of
from gnnmat.workflows.diffraction.model import pattern_model
from gnnmat.workflows.diffraction.phases import Phase
from gnnmat.workflows.diffraction.refine import Refined, refine
from gnnmat.workflows.diffraction.search_match import ABOVE, Scores, cosine

Floats = NDArray[np.float64]

ALIGNED = 0.9  # share of the crystallites with a preferred orientation, where one is tried
LESS = 0.95  # of R_wp, for a preferred orientation to be believed
# Planes that often lie flat in films of small crystals; tried one after the other.
FLAT = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1))


@dataclass(frozen=True)
class Candidate:
    """A known crystal beside the pattern.

    Args:
        phase: the crystal as it was given.
        cell: in its conventional cell.
        score: cosine of the search.
        strain: relative change of its lengths there.
        zero: zero shift there, degrees.
        refined: its refinement.
        similarity: cosine with the measured pattern after refinement.
        embedding: cosine of the features of a network, if one was asked.
    """

    phase: Phase
    cell: ConventionalCell
    score: float
    strain: float
    zero: float
    refined: Refined
    similarity: float
    embedding: float | None = None

    @property
    def merit(self) -> float:
        """What candidates are ranked by: the mean of both cosines.

        A cell of low symmetry has so many lengths and angles to refine that it meets many patterns;
        the search allows it none.
        """
        return (self.score + self.similarity) / 2

    @property
    def lattice(self) -> Floats:
        """(6,) refined a, b, c in Å and angles in degrees."""
        values = self.refined.values[: len(self.cell.names)]
        return six_of(self.cell.lattice(values).numpy())


def candidate(
    phase: Phase,
    scores: Scores,
    place: int,
    signal: Signal,
    pattern: PowderPattern,
    beam: Beam,
    texture: bool,
) -> Candidate:
    """A crystal of the search, refined."""
    cell = conventional_cell(phase.crystal)
    strain, zero = float(scores.strain[place]), float(scores.zero[place])
    refined = _refined(cell, beam, pattern, signal, strain, zero, texture)
    background = np.interp(signal.two_theta, pattern.two_theta, refined.background)
    calculated = np.interp(signal.two_theta, pattern.two_theta, refined.calculated) - background
    above = signal.counts - background
    similarity = cosine(_above(above, signal), _blurred(calculated, signal))
    return Candidate(phase, cell, float(scores.score[place]), strain, zero, refined, similarity)


def _above(net: Floats, signal: Signal) -> Floats:
    """(n,) smoothed counts that stand above the noise."""
    return np.maximum(_blurred(net, signal) - ABOVE * signal.noise, 0)


def _blurred(values: Floats, signal: Signal) -> Floats:
    sigma = signal.blur * TO_SIGMA / signal.step
    return np.asarray(gaussian_filter1d(values, sigma, mode="nearest"), dtype=np.float64)


def _refined(
    cell: ConventionalCell,
    beam: Beam,
    pattern: PowderPattern,
    signal: Signal,
    strain: float,
    zero: float,
    texture: bool,
) -> Refined:
    """The refinement, with a preferred orientation where that explains much more."""
    start = {
        name: value * (1 + strain)
        for name, value in zip(cell.names, cell.values(), strict=True)
        if name in "abc"
    }
    start |= {"zero": zero}
    if np.isfinite(signal.width):
        start |= {"gaussian": float(np.clip(0.6 * signal.width, 0.02, 1.0))}
    clipped = np.interp(pattern.two_theta, signal.two_theta, signal.background)
    asked = partial(
        refine,
        cell,
        beam,
        pattern.two_theta,
        pattern.counts,
        clipped=clipped,
        spread=pattern.sigma,
        background=5,
    )
    best = asked(start=start)
    axis = _flat(best, pattern) if texture else None
    if axis is None:
        return best
    again = {name: best[name].value for name in best.model.names}
    other = asked(start=again, texture=axis, blurs=())
    if other.r_wp >= LESS * best.r_wp:
        return best
    begun = {one.name: one.start for one in best.parameters}
    parameters = tuple(
        replace(one, start=begun.get(one.name, one.start)) for one in other.parameters
    )
    return replace(other, parameters=parameters)


def _flat(found: Refined, pattern: PowderPattern) -> tuple[int, int, int] | None:
    """The plane whose texture would lower the misfit most, at the positions found."""
    net = torch.from_numpy(pattern.counts - found.background)
    weight = 1 / torch.from_numpy(np.maximum(found.calculated, 1.0)).sqrt()
    choice: tuple[int, int, int] | None = None
    left = torch.from_numpy(pattern.counts - found.calculated) * weight
    wanted = 0.9 * float(left @ left)
    for axis in FLAT:
        model = pattern_model(found.model.cell, found.model.beam, pattern.two_theta, axis)
        for march in (0.3, 0.6, 1.6):
            values = torch.cat([found.values, torch.tensor([march, ALIGNED], dtype=torch.float64)])
            one = model(values)
            scale = ((net * one * weight**2).sum() / (one * weight).square().sum()).clamp(min=0)
            misfit = float(((net - scale * one) * weight).square().sum())
            if misfit < wanted:
                wanted, choice = misfit, axis
    return choice
