"""Least squares of one phase: what is known beforehand, what enters linearly, the way down."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gnnmat.workflows.diffraction.model import PatternModel

# What is known beforehand: value, standard deviation, unit; it only speaks where the pattern does
# not. Lengths of cells are relative.
BEFORE: dict[str, tuple[float, float, str]] = {
    "length": (1.0, 0.02, "Å"),
    "angle": (0.0, 1.0, "degrees"),
    "zero": (0.0, 0.15, "degrees"),
    "gaussian": (0.1, 0.1, "degrees"),
    "lorentzian": (0.05, 0.1, "degrees"),
    "strain": (0.05, 0.2, "degrees"),
    "displacement": (1.0, 2.0, "Å^2"),
    "texture": (1.0, 0.5, ""),
    "aligned": (0.9, 0.3, ""),
}
LOWEST = {"gaussian": 0.01, "lorentzian": 0.0, "strain": 0.0, "texture": 0.1, "aligned": 0.0}
HIGHEST = {"gaussian": 2.0, "lorentzian": 2.0, "strain": 5.0, "texture": 5.0, "aligned": 1.0}
STEPS, ROUGH = 30, 10  # of a stage; of one that only brings peaks together
ENOUGH = 1e-5  # relative change of chi^2


@dataclass(frozen=True)
class Problem:
    """Weighted data, and the columns that enter linearly.

    Args:
        model: of the phase.
        counts: (n,) measured.
        weight: (n,) one over their standard deviation.
        columns: (n, backgrounds).
        before: (parameters,) values known beforehand.
        spread: (parameters,) their standard deviations.
    """

    model: PatternModel
    counts: Tensor
    weight: Tensor
    columns: Tensor
    before: Tensor
    spread: Tensor

    def solve(self, values: Tensor) -> tuple[Tensor, Tensor, float]:
        """(1 + backgrounds,) scale and backgrounds, (n,) calculated counts, chi^2."""
        return self._linear(self.model(values), values)

    def _linear(self, pattern: Tensor, values: Tensor) -> tuple[Tensor, Tensor, float]:
        design = torch.cat([pattern[:, None], self.columns], dim=1)
        norm = (design * self.weight[:, None]).norm(dim=0).clamp(min=1e-300)
        weighted = design / norm * self.weight[:, None]
        found = torch.linalg.lstsq(weighted, (self.counts * self.weight)[:, None]).solution[:, 0]
        linear = found / norm
        if linear[0] <= 0:  # a phase cannot be there less than not at all
            rest = torch.linalg.lstsq(weighted[:, 1:], (self.counts * self.weight)[:, None])
            linear = torch.cat(
                [torch.zeros(1, dtype=torch.float64), rest.solution[:, 0] / norm[1:]]
            )
        calculated = design @ linear
        off = (self.counts - calculated) * self.weight
        prior = (values - self.before) / self.spread
        return linear, calculated, float(off @ off + prior @ prior)

    def normal(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normal matrix and gradient of parameters, scale and backgrounds, and the linear ones."""
        pattern, slopes = self.model.slopes(values)
        linear, calculated, _ = self._linear(pattern, values)
        jacobian = torch.cat([linear[0] * slopes, pattern[:, None], self.columns], dim=1)
        jacobian = jacobian * self.weight[:, None]
        off = (self.counts - calculated) * self.weight
        matrix, gradient = jacobian.T @ jacobian, jacobian.T @ off
        own = len(values)
        matrix[range(own), range(own)] += 1 / self.spread**2
        gradient[:own] += (self.before - values) / self.spread**2
        return matrix, gradient, linear


def descend(problem: Problem, values: Tensor) -> tuple[Tensor, bool]:
    """Where chi^2 is least, and whether it came to rest. Source: Marquardt, SIAM 11, 431 (1963)."""
    low, high = bounds(problem)
    damping = 1e-3
    _, _, chi2 = problem.solve(values)
    for _ in range(ROUGH if problem.model.blur else STEPS):
        matrix, gradient, _ = problem.normal(values)
        free = ~(((values <= low) & (gradient[: len(values)] < 0))
                 | ((values >= high) & (gradient[: len(values)] > 0)))  # fmt: skip
        kept = torch.cat([free, torch.ones(len(gradient) - len(values), dtype=torch.bool)])
        rows = torch.nonzero(kept)[:, 0]
        inner, slope = matrix[rows][:, rows], gradient[rows]
        size = inner.diagonal().clamp(min=1e-300).sqrt()
        scaled = inner / size[:, None] / size
        gained = 0.0
        while damping < 1e8:
            eye = torch.eye(len(rows), dtype=torch.float64)
            move = torch.linalg.solve(scaled + damping * eye, slope / size) / size
            step = torch.zeros_like(gradient).index_copy(0, rows, move)[: len(values)]
            trial = torch.minimum(torch.maximum(values + step, low), high)
            _, _, found = problem.solve(trial)
            if found < chi2:
                gained, values, chi2 = chi2 - found, trial, found
                damping = max(damping / 5, 1e-9)
                break
            damping *= 4
        if gained <= ENOUGH * max(chi2, 1.0):
            return values, True
    return values, False


def bounds(problem: Problem) -> tuple[Tensor, Tensor]:
    """(parameters,) least and largest values; lattice and zero shift within two deviations."""
    ends = []
    for place, name in enumerate(problem.model.names):
        middle, spread = float(problem.before[place]), float(problem.spread[place])
        wide = (5 if name == "displacement" else 2) * spread
        ends.append((LOWEST.get(name, middle - wide), HIGHEST.get(name, middle + wide)))
    low, high = torch.tensor(ends, dtype=torch.float64).T
    return low, high


def known(name: str) -> tuple[float, float, str]:
    kind = "length" if name in "abc" else "angle" if name in ("alpha", "beta", "gamma") else name
    return BEFORE[kind]


def known_before(model: PatternModel) -> tuple[Tensor, Tensor]:
    """(parameters,) value and standard deviation that are known beforehand."""
    lattice = dict(zip(model.cell.names, model.cell.values(), strict=True))
    values, spreads = [], []
    for name in model.names:
        value, spread, _ = known(name)
        if name in lattice:
            values.append(lattice[name])
            spreads.append(spread * (lattice[name] if name in "abc" else 1.0))
        else:
            values.append(value)
            spreads.append(spread)
    return torch.tensor(values, dtype=torch.float64), torch.tensor(spreads, dtype=torch.float64)
