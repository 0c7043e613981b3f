"""A phase refined against a measured pattern: by gradients through the simulator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.workflows.diffraction.background import TO_SIGMA, gain
from gnnmat.workflows.diffraction.beam import Beam
from gnnmat.workflows.diffraction.cell import ConventionalCell
from gnnmat.workflows.diffraction.least_squares import (
    Problem,
    bounds,
    descend,
    known,
    known_before,
)
from gnnmat.workflows.diffraction.model import PatternModel, pattern_model

Floats = NDArray[np.float64]

BLURS = (0.8, 0.25)  # full widths in degrees; peaks that miss each other still meet
LEAST_NOISE = 1e-4  # of the highest point, that a count is uncertain by at least


@dataclass(frozen=True)
class Parameter:
    """A refined number.

    Args:
        name: a, c, beta, zero, ...
        value: in its unit.
        error: standard error.
        start: before refinement.
        unit: Å, degrees, ...
        at_bound: it stands at the end of its range, and its error says nothing.
    """

    name: str
    value: float
    error: float
    start: float
    unit: str
    at_bound: bool = False


@dataclass(frozen=True)
class Refined:
    """A refined phase.

    Args:
        parameters: with errors.
        scale: of the pattern of one cell.
        scale_error: its standard error.
        calculated: (n,) counts, with background.
        background: (n,) counts.
        r_wp: weighted profile residual, 0 to 1. Source: Young, The Rietveld Method (1993), table
            1.3.
        r_expected: what counting alone would leave of it.
        converged: whether it came to rest.
        texture: plane that lies flat, if a texture was refined.
        model: to draw from.
    """

    parameters: tuple[Parameter, ...]
    scale: float
    scale_error: float
    calculated: Floats
    background: Floats
    r_wp: float
    r_expected: float
    converged: bool
    texture: tuple[int, int, int] | None
    model: PatternModel

    def __getitem__(self, name: str) -> Parameter:
        for one in self.parameters:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def values(self) -> Tensor:
        """(parameters,) in the order of the model."""
        return torch.tensor([one.value for one in self.parameters], dtype=torch.float64)

    @property
    def goodness(self) -> float:
        """R_wp over its expected value; 1 for a perfect model of counted data."""
        return self.r_wp / max(self.r_expected, 1e-12)


def refine(
    cell: ConventionalCell,
    beam: Beam,
    two_theta: Floats,
    counts: Floats,
    *,
    start: Mapping[str, float] | None = None,
    texture: tuple[int, int, int] | None = None,
    background: int = 6,
    clipped: Floats | None = None,
    spread: Floats | None = None,
    blurs: Sequence[float] = BLURS,
) -> Refined:
    """Lattice, zero, widths, displacement, scale and background of one phase.

    Least squares by Levenberg and Marquardt; derivatives go through the simulator by automatic
    differentiation, in float64. Scale and background enter linearly and are solved for. First
    both patterns are smoothed, so that peaks find each other. The list of reflections and their
    structure factors stay fixed.

    Standard errors come from the inverse of the curvature, times the square root of chi^2 per
    point where that is above 1.

    Args:
        cell: the phase.
        beam: of the measurement.
        two_theta: (n,) degrees, rising.
        counts: (n,) likewise; anything proportional to counts.
        start: parameters by name to begin with.
        texture: plane that lies flat, to refine March and Dollase's r.
        background: terms of a polynomial of Chebyshev.
        clipped: (n,) a background, of which a multiple is refined beside the polynomial.
        spread: (n,) standard deviations of the counts; default from their noise.
        blurs: full widths of the smoothing, degrees, one stage each before the last.

    Raises:
        GnnmatError: the phase has no reflection there.
    """
    model = pattern_model(cell, beam, two_theta, texture)
    y = torch.as_tensor(counts, dtype=torch.float64)
    columns = _columns(two_theta, background, clipped)
    before, freedom_of = known_before(model)
    values = before.clone()
    for name, value in (start or {}).items():
        if name in model.names:
            values[model.names.index(name)] = value
    first = values.clone()
    grain = gain(counts)
    # Noise-free patterns have next to none of their own, and no weights could be made of it.
    least = LEAST_NOISE * float(np.max(counts))
    if spread is None:
        likely = grain * torch.as_tensor(np.maximum(_smooth(counts, 5), grain))
        sigma = likely.sqrt().clamp(min=least)
    else:
        sigma = torch.as_tensor(spread, dtype=torch.float64).clamp(min=least)
    step = float(np.median(np.diff(two_theta)))
    inflation, converged = 1.0, False
    for blur in (*blurs, 0.0, 0.0):
        data = y if not blur else torch.from_numpy(_smooth(counts, blur * TO_SIGMA / step))
        problem = Problem(
            model.blurred(blur), data, 1 / (sigma * inflation), columns, before, freedom_of
        )
        values, converged = descend(problem, values)
        _, calculated, _ = problem.solve(values)
        freedom = max(len(y) - len(values) - columns.shape[1] - 1, 1)
        chi2 = float((((data - calculated) / sigma) ** 2).sum()) / freedom
        inflation = math.sqrt(max(chi2, 1.0))
        if (
            not blur and spread is None
        ):  # as expected of the calculated counts, not of the measured ones
            sigma = (grain * calculated.clamp(min=grain)).sqrt().clamp(min=least)
    return _conclude(problem, values, first, sigma, converged)


def _conclude(
    problem: Problem, values: Tensor, first: Tensor, sigma: Tensor, converged: bool
) -> Refined:
    model, counts = problem.model, problem.counts
    matrix, _, linear = problem.normal(values)
    size = matrix.diagonal().clamp(min=1e-300).sqrt()
    covariance = torch.linalg.pinv(matrix / size[:, None] / size, hermitian=True)
    errors = covariance.diagonal().clamp(min=0).sqrt() / size
    low, high = bounds(problem)
    parameters = tuple(
        Parameter(
            name,
            float(values[place]),
            float(errors[place]),
            float(first[place]),
            known(name)[2],
            bool(values[place] <= low[place]) or bool(values[place] >= high[place]),
        )
        for place, name in enumerate(model.names)
    )
    background = problem.columns @ linear[1:]
    calculated = linear[0] * model(values) + background
    weight = 1 / sigma**2
    total = float((weight * counts**2).sum())
    left = float((weight * (counts - calculated) ** 2).sum())
    freedom = max(len(counts) - len(values) - len(linear), 1)
    return Refined(
        parameters,
        float(linear[0]),
        float(errors[len(values)]),
        calculated.numpy(),
        background.numpy(),
        math.sqrt(left / total),
        math.sqrt(freedom / total),
        converged,
        model.texture,
        model,
    )


def _columns(two_theta: Floats, terms: int, clipped: Floats | None) -> Tensor:
    if terms < 1:
        raise GnnmatError(f"A background of {terms} terms is none.")
    at = 2 * (two_theta - two_theta[0]) / (two_theta[-1] - two_theta[0]) - 1
    made = np.polynomial.chebyshev.chebvander(at, terms - 1)
    if clipped is not None:
        made = np.concatenate([made, clipped[:, None]], axis=1)
    return torch.from_numpy(made)


def _smooth(counts: Floats, points: float) -> Floats:
    """(n,) smoothed by a Gaussian of this standard deviation."""
    return np.asarray(gaussian_filter1d(counts, points, mode="nearest"), dtype=np.float64)
