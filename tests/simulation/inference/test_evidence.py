from __future__ import annotations

import numpy as np
import pytest

from gnnmat.simulation.inference.contender import Contender, Effort
from gnnmat.simulation.inference.evidence import compare, left_out, log_evidence
from gnnmat.simulation.inference.fitting import fit_all
from gnnmat.simulation.inference.refine import Refinement
from gnnmat.simulation.inference.response import fit_response
from gnnmat.simulation.inference.space import render

from .ring import TRUTH, Ring, space, spectrum


class Other(Ring):
    """Another dispersion: waves of half the length along k."""

    def __init__(self) -> None:
        super().__init__()
        self.wave = (
            self.wave[0],
            np.abs(np.sin(np.pi * np.array(self.layout.k)))[None, :] + 0 * (self.wave[0]),
        )


def test_evidence_is_the_integral_over_the_couplings() -> None:
    # Only A varies: the posterior, scales and offsets fitted, is summed over a grid of A.
    ring, observed, noise = spectrum()
    within = space(B=(4.0, 4.0), gap=(2.0, 2.0))
    work = Refinement(ring, within, observed, noise)
    best = work.run(work.point(TRUTH))
    laplace = log_evidence(best, within)
    p = best.normal.couplings
    inner = best.normal.matrix[p:, p:]
    volume = 0.5 * (len(inner) * np.log(2 * np.pi) - np.linalg.slogdet(inner)[1])
    error = 1 / np.sqrt(best.normal.reduced()[0, 0]) * within.width[0]
    grid = best.point.values[0] + error * np.linspace(-6, 6, 49)
    logs = []
    for value in grid:
        model = observed.take(render(ring, np.array([value, 4.0, 2.0])))
        logs.append(fit_response(observed, noise, model, best.point.response)[2])
    top = max(logs)
    step = (grid[1] - grid[0]) / within.width[0]
    integral = top + np.log(np.exp(np.array(logs) - top).sum() * step) + volume
    assert laplace == pytest.approx(integral, abs=0.1)


def test_a_smaller_stable_part_of_the_ranges_and_twins_raise_the_evidence() -> None:
    ring, observed, noise = spectrum()
    work = Refinement(ring, space(), observed, noise)
    best = work.run(work.point(TRUTH))
    plain = log_evidence(best, space())
    assert log_evidence(best, space(), stable_share=0.5) == pytest.approx(plain + np.log(2))
    assert log_evidence(best, space(), twins=2) == pytest.approx(plain + np.log(2))


def test_the_true_hypothesis_wins_by_evidence_and_by_slices_left_out() -> None:
    ring, observed, _ = spectrum(seed=3)
    contenders = [
        Contender("other", Other(), space(), starts=TRUTH[None]),
        Contender("ring", ring, space(), starts=TRUTH[None] + 0.2),
    ]
    fitted = fit_all(observed, contenders, Effort(replicas=0))
    other, right = fitted.odds
    assert fitted.fits[fitted.best].hypothesis == "ring"
    assert right.probability > 0.99
    assert right.log10_odds == pytest.approx(-other.log10_odds)
    assert right.behind == 0
    assert other.behind > 3 * other.behind_error > 0


def test_slices_left_out_are_foretold_as_by_a_new_fit() -> None:
    ring, observed, noise = spectrum()
    work = Refinement(ring, space(), observed, noise)
    best = work.run(work.point(TRUTH))
    foretold = np.bincount(observed.tile, left_out(observed, noise, best), observed.tiles)
    # A fit that has seen a slice describes it better, but hardly.
    seen = np.bincount(observed.tile, best.point.likelihood.log, observed.tiles)
    assert (foretold <= seen + 0.5).all()
    assert (foretold > seen - 6).all()


def test_odds_follow_from_evidences() -> None:
    tiles = [np.array([-10.0, -12.0, -9.0]), np.array([-11.0, -12.5, -11.0])]
    first, second = compare(["a", "b"], [np.log(3.0), np.log(1.0)], tiles)
    assert first.probability == pytest.approx(0.75)
    assert first.log10_odds == pytest.approx(np.log10(3))
    assert second.behind == pytest.approx(3.5)
    # three differences of 1, 0.5 and 2: standard deviation 0.764, times sqrt 3
    assert second.behind_error == pytest.approx(0.7638 * np.sqrt(3), rel=1e-3)
