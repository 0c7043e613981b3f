"""The couplings that explain a spectrum best: Levenberg-Marquardt through the simulator.

Scales and offsets are fitted anew at every step; the couplings move by Fisher scoring with
derivatives by finite differences, one image a coupling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.noise_model import CountingNoise, Likelihood
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.response import (
    Normal,
    Response,
    fit_response,
    normal_equations,
)
from gnnmat.simulation.inference.space import (
    CouplingSpace,
    Floats,
    ImageSimulator,
    is_stable,
    render,
)

STEP, FINEST = 0.005, 0.0004  # of finite differences, as shares of the ranges
CLOSE = 0.1  # a step of so many standard errors, or that promises as little, is the last
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """One choice of couplings, compared with the spectrum.

    Args:
        values: (p,) couplings, meV.
        model: (n,) calculated pixels, before scale and offset.
        response: the scales and offsets that fit best.
        likelihood: of every pixel.
        log_posterior: logarithm of likelihood times prior of scales and offsets.
    """

    values: Floats
    model: Floats
    response: Response
    likelihood: Likelihood
    log_posterior: float


@dataclass(frozen=True)
class Refined:
    """Where a refinement ended.

    Args:
        point: the best couplings.
        jacobian: (p, n) derivatives of the calculated pixels by the couplings in units of their
            ranges; zero where a coupling is held fixed.
        normal: normal equations there, couplings in units of their ranges.
        at_bound: (p,) whether a coupling stopped at the end of its range.
        images: how many were calculated.
        converged: whether the last step was small against the errors.
    """

    point: Point
    jacobian: Floats
    normal: Normal
    at_bound: NDArray[np.bool_]
    images: int
    converged: bool


class Refinement:
    """One hypothesis compared with one spectrum.

    Args:
        simulator: couplings -> images.
        space: the couplings.
        observed: the spectrum.
        noise: of it.
        tell: called with a word on progress after every step.
    """

    def __init__(
        self,
        simulator: ImageSimulator,
        space: CouplingSpace,
        observed: Observation,
        noise: CountingNoise,
        tell: Tell | None = None,
    ) -> None:
        self.simulator = simulator
        self.space = space
        self.observed = observed
        self.noise = noise
        self.tell = tell or (lambda _: None)
        self.images = 0

    def point(self, values: Floats, near: Point | None = None) -> Point:
        """The couplings ``values`` (p,) compared with the spectrum."""
        model = self._render(values[None])[0]
        return self.compared(values, model, near)

    def compared(self, values: Floats, model: Floats, near: Point | None = None) -> Point:
        """The same with the calculated pixels (n,) at hand."""
        if not model.any():
            raise GnnmatError(
                "The calculated image is empty: no excitation lies in the measured slices.",
                why=", ".join(
                    f"{name} = {value:g} meV"
                    for name, value in zip(self.space.names, values, strict=True)
                ),
                fix="Start from other couplings, or check the incident energies.",
            )
        start = near.response if near is not None else None
        response, likelihood, value = fit_response(self.observed, self.noise, model, start)
        return Point(values, model, response, likelihood, value)

    def derivatives(self, point: Point, step: float = STEP) -> Floats:
        """(p, n) derivatives of the calculated pixels, a unit being the range."""
        space = self.space
        places = np.flatnonzero(space.free)
        shifted = np.repeat(point.values[None], len(places), axis=0)
        rows = np.arange(len(places))
        forward = point.values[places] + step * space.width[places]
        outside = forward > space.high[places]
        signs = np.where(outside, -1.0, 1.0)
        shifted[rows, places] += signs * step * space.width[places]
        wrong = ~is_stable(self.simulator, shifted)
        other = point.values[places] - signs * step * space.width[places]
        inside = (other >= space.low[places]) & (other <= space.high[places])
        turn = wrong & inside
        signs = np.where(turn, -signs, signs)
        shifted[rows[turn], places[turn]] = other[turn]
        jacobian = np.zeros((len(space.names), len(point.model)))
        images = self._render(shifted)
        jacobian[places] = (images - point.model) / (signs * step)[:, None]
        return jacobian

    def normal(self, point: Point, jacobian: Floats) -> Normal:
        """Normal equations; couplings that are held fixed get a row of their own weight."""
        normal = normal_equations(
            self.observed, self.noise, point.response, point.model, jacobian, point.likelihood
        )
        fixed = np.flatnonzero(~jacobian.any(axis=1))
        normal.matrix[fixed, fixed] += 1.0  # no information: the prior is the range
        return normal

    def run(self, start: Point, *, steps: int = 15, close: float = CLOSE) -> Refined:
        """The best couplings near a start.

        Args:
            start: from `point`; its order should be stable.
            steps: at most so many.
            close: a step of so many standard errors, or that promises as little, is the last.
        """
        point, damping, converged = start, 1e-4, False
        jacobian, size = self.derivatives(point, STEP), STEP
        for number in range(steps):
            normal = self.normal(point, jacobian)
            full = self._step(point, normal, 0.0)
            errors = self._errors(normal)
            promised = full @ (normal.reduced_gradient() - 0.5 * normal.reduced() @ full)
            converged = bool(np.abs(full / errors).max() < close or promised < close)
            trial = None if converged else self._better(point, normal, damping)
            if trial is None:
                if converged or size <= FINEST:
                    break
                # Perhaps the derivatives were too coarse for the errors that they are to find.
                size = max(size / 5, FINEST)
                jacobian, damping = self.derivatives(point, size), 1e-3
                continue
            gain = trial.log_posterior - point.log_posterior
            moved = np.abs(trial.values - point.values) / np.maximum(self.space.width, 1e-12)
            point, damping = trial, max(damping / 10, 1e-6)
            self.tell(f"step {number + 1}, log-likelihood +{gain:.1f}")
            size = float(np.clip(moved.max(), FINEST, STEP))
            jacobian = self.derivatives(point, size)
        normal = self.normal(point, jacobian)
        return Refined(point, jacobian, normal, self._at_bound(point), self.images, converged)

    def _better(self, point: Point, normal: Normal, damping: float) -> Point | None:
        """A point with a higher posterior, after the longest step that leads to one."""
        for _ in range(5):
            trial = self._try(point, self._step(point, normal, damping))
            if trial is not None and trial.log_posterior > point.log_posterior:
                return trial
            damping = max(damping, 1e-3) * 8
        return None

    def _render(self, values: Floats) -> Floats:
        self.images += len(values)
        return self.observed.take(render(self.simulator, values))

    def _errors(self, normal: Normal) -> Floats:
        """(p,) standard errors in units of the ranges."""
        covariance = np.linalg.pinv(normal.reduced(), hermitian=True)
        errors: Floats = np.sqrt(np.maximum(np.diag(covariance), 1e-16))
        return errors

    def _at_bound(self, point: Point) -> NDArray[np.bool_]:
        slack = 1e-6 * self.space.width
        low = point.values <= self.space.low + slack
        return self.space.free & (low | (point.values >= self.space.high - slack))

    def _step(self, point: Point, normal: Normal, damping: float) -> Floats:
        """(p,) step in units of the ranges that stays inside them."""
        p = normal.couplings
        width = np.maximum(self.space.width, 1e-12)
        low = (self.space.low - point.values) / width
        high = (self.space.high - point.values) / width
        gradient = normal.reduced_gradient()
        matrix = normal.reduced()
        matrix = matrix + damping * np.diag(np.diag(matrix)) + 1e-9 * np.eye(p)
        moving = self.space.free.copy()
        step = np.zeros(p)
        for _ in range(p):
            step = np.where(moving, 0.0, step)
            right = gradient - matrix @ np.where(moving, 0.0, step)
            step[moving] = np.linalg.solve(matrix[np.ix_(moving, moving)], right[moving])
            outside = moving & ((step < low) | (step > high))
            if not outside.any():
                break
            step = np.where(outside, np.clip(step, low, high), step)
            moving &= ~outside
            if not moving.any():
                break
        longest = np.abs(step).max()
        return step * min(1.0, 0.25 / longest) if longest > 0 else step

    def _try(self, point: Point, change: Floats) -> Point | None:
        """The point after a step, shortened until its order is stable; None if none is."""
        shares = 0.5 ** np.arange(5)
        values = self.space.inside(point.values + shares[:, None] * change * self.space.width)
        stable = np.flatnonzero(is_stable(self.simulator, values))
        if not len(stable):
            return None
        model = self._render(values[stable[:1]])[0]
        return self.compared(values[stable[0]], model, point) if model.any() else None
