from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.inference.contender import Contender, Effort
from gnnmat.simulation.inference.errors import covariance
from gnnmat.simulation.inference.fitting import fit_all
from gnnmat.simulation.inference.refine import Refinement
from gnnmat.simulation.inference.search import Search
from gnnmat.simulation.inference.space import CouplingSpace, render

from .ring import TRUTH, Ring, space, spectrum

QUICK = Effort(search=Search(draws=60, generations=2, around=20, best=8), replicas=0)


def test_couplings_are_found_from_a_tenth_of_the_ranges_away() -> None:
    ring, observed, noise = spectrum()
    within = space()
    work = Refinement(ring, within, observed, noise)
    found = work.run(work.point(TRUTH + 0.1 * within.width * [1, -1, 1]))
    errors = np.sqrt(np.diag(covariance(observed, found)[0])) * within.width
    assert found.converged
    assert np.all(np.abs(found.point.values - TRUTH) < 3.5 * errors)
    assert np.all(errors < 0.02 * within.width)


def test_error_bars_hold_in_nine_of_ten_cases() -> None:
    inside = total = 0
    within = space()
    for seed in range(25):
        ring, observed, noise = spectrum(seed=seed, per_intensity=25.0)
        work = Refinement(ring, within, observed, noise)
        found = work.run(work.point(TRUTH + 0.02 * within.width))
        errors = np.sqrt(np.diag(covariance(observed, found)[0])) * within.width
        inside += int((np.abs(found.point.values - TRUTH) < 2 * errors).sum())
        total += 3
    assert inside / total >= 0.9
    assert inside < total  # error bars that always hold are too wide: 4.6% should lie outside


def test_errors_are_the_scatter_of_the_estimates() -> None:
    within, estimates, errors = space(), [], []
    for seed in range(25):
        ring, observed, noise = spectrum(seed=100 + seed)
        work = Refinement(ring, within, observed, noise)
        found = work.run(work.point(TRUTH))
        estimates.append(found.point.values)
        errors.append(np.sqrt(np.diag(covariance(observed, found)[0])) * within.width)
    ratio = np.std(estimates, axis=0, ddof=1) / np.mean(errors, axis=0)
    assert np.all(ratio > 0.6)
    assert np.all(ratio < 1.4)


def test_errors_grow_by_what_other_sample_points_would_move() -> None:
    ring, observed, noise = spectrum()
    within = space()
    work = Refinement(ring, within, observed, noise)
    found = work.run(work.point(TRUTH))
    plain, _ = covariance(observed, found)
    same, _ = covariance(observed, found, noise, found.point.model)
    np.testing.assert_allclose(same, plain, rtol=1e-9)

    moved = found.point.values + 0.01 * within.width * [1, 0, 0]
    other = observed.take(render(ring, moved))
    wider, _ = covariance(observed, found, noise, other)
    extra = np.sqrt(np.diag(wider) - np.diag(plain))
    # A Gauss-Newton step from the moved image leads about as far back as it was moved.
    assert extra[0] == pytest.approx(0.01, rel=0.25)
    assert np.all(extra[1:] < 0.005)


def test_a_search_finds_the_couplings_without_a_start() -> None:
    ring, observed, _ = spectrum(scale=40.0, per_intensity=1.5)
    fitted = fit_all(observed, [Contender("ring", ring, space())], QUICK)
    fit = fitted.fits[0]
    assert np.all(np.abs(fit.values - TRUTH) < 4 * fit.errors)
    np.testing.assert_allclose(fit.scale, 40.0, rtol=0.1)


def test_couplings_stop_at_the_end_of_their_range_and_say_so() -> None:
    ring, observed, noise = spectrum()
    within = space(B=(0.0, 3.5))  # the truth is 4
    work = Refinement(ring, within, observed, noise)
    found = work.run(work.point(np.array([9.0, 2.0, 2.0])))
    assert found.point.values[1] == 3.5
    assert found.at_bound.tolist() == [False, True, False]


def test_a_coupling_without_a_range_stays_and_has_no_error() -> None:
    ring, observed, noise = spectrum()
    fitted = fit_all(
        observed,
        [Contender("ring", ring, space(gap=(2.0, 2.0)), starts=np.array([[8.5, 4.2, 2.0]]))],
        QUICK,
        noise=noise,
    )
    fit = fitted.fits[0]
    assert fit.values[2] == 2.0
    assert fit.errors[2] == 0.0
    assert abs(fit.values[0] - 9) < 4 * fit.errors[0]


def test_only_stable_couplings_are_visited() -> None:
    seen: list[float] = []

    class Watched(Ring):
        def images(self, values):  # type: ignore[no-untyped-def]
            seen.extend(values[:, 2].tolist())
            return super().images(values)

    _, observed, noise = spectrum(np.array([9.0, 4.0, 0.02]))
    ring = Watched()
    work = Refinement(ring, space(), observed, noise)
    work.run(work.point(np.array([8.0, 3.0, 1.0])))
    assert min(seen) >= 0


def test_an_empty_image_is_refused_in_words() -> None:
    ring, observed, noise = spectrum()
    work = Refinement(ring, space(gap=(0.0, 500.0)), observed, noise)
    with pytest.raises(GnnmatError, match="(?s)calculated image is empty.*gap = 400 meV") as error:
        work.point(np.array([9.0, 4.0, 400.0]))
    assert "incident energies" in error.value.fix


def test_a_step_costs_one_image_a_coupling_and_one_to_try() -> None:
    ring, observed, noise = spectrum()
    work = Refinement(ring, space(), observed, noise)
    found = work.run(work.point(TRUTH + 0.03 * space().width))
    assert found.images == ring.calls - 1  # one was the spectrum
    assert found.images <= 1 + 6 * 4


class Many(Ring):
    """A ring whose gap is the mean of nine couplings of one range."""

    def stable(self, values: Tensor) -> Tensor:
        return super().stable(self._three(values))

    def images(self, values: Tensor) -> Tensor:
        return super().images(self._three(values))

    @staticmethod
    def _three(values: Tensor) -> Tensor:
        return torch.cat([values[:, :2], values[:, 2:].mean(1, keepdim=True)], dim=1)


def test_nine_couplings_of_one_range_are_fitted() -> None:
    _, observed, noise = spectrum()
    names = ("A", "B", *(f"gap{n}" for n in range(9)))
    within = CouplingSpace(names, np.array([[2.0, 16], [0, 8], *[[-1.0, 6]] * 9]))
    start = np.array([[8.5, 4.2, *[2.2] * 9]])
    fitted = fit_all(
        observed, [Contender("many", Many(), within, starts=start)], Effort(replicas=0), noise=noise
    )
    values = fitted.fits[0].values
    np.testing.assert_allclose([*values[:2], values[2:].mean()], TRUTH, atol=0.2)
