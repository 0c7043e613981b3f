"""Measured patterns made up from crystals whose lattice, zero shift and widths are known."""

from __future__ import annotations

import numpy as np

from gnnmat.simulation.diffraction.cells import Cells
from gnnmat.simulation.diffraction.powder import powder_peaks
from gnnmat.simulation.diffraction.profile import Grid, Profile, draw_pattern
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.powder_pattern import PowderPattern, powder_pattern
from gnnmat.workflows.diffraction.beam import Beam, make_beam


def beam() -> Beam:
    """A copper tube with both lines."""
    return make_beam("xray", "CuKa", doublet=True)


def strained(crystal: Crystal, factors: tuple[float, float, float]) -> Crystal:
    """The crystal with its x, y and z stretched."""
    return Crystal(crystal.lattice @ np.diag(factors), crystal.numbers, crystal.frac)


def measured(
    crystal: Crystal,
    *,
    seed: int | None = 0,
    zero: float = 0.05,
    highest: float = 4000.0,
    grid: Grid | None = None,
) -> PowderPattern:
    """Counts of a powder on a sloping background; without a seed there is no noise."""
    axis = grid or Grid(20.0, 80.0, 1501)
    found = powder_peaks(Cells.of([crystal]), wavelength=beam().wavelength, two_theta=(8.0, 85.0))
    profile = Profile(w=0.02, size=600.0, second=beam().second)
    drawn = draw_pattern(found, 1, axis, profile, wavelength=beam().wavelength, shift=zero)
    x, y = axis.angles.numpy(), drawn[0].numpy()
    y = highest * y / y.max() + 60 + 150 * np.exp(-(x - 10) / 20)
    if seed is not None:
        y = np.random.default_rng(seed).poisson(y).astype(np.float64)
    return powder_pattern("made", x, y, wavelength=beam().wavelength)
