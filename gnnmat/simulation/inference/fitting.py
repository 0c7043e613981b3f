"""A spectrum and several hypotheses: search, refine, judge, compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gnnmat.simulation.inference.conclusion import conclude
from gnnmat.simulation.inference.contender import Contender, Effort, Fitted
from gnnmat.simulation.inference.identifiability import candidate_exchanges, exchanged
from gnnmat.simulation.inference.misfit import Imperfect
from gnnmat.simulation.inference.noise_estimate import estimate_noise
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.refine import CLOSE, Refined, Refinement
from gnnmat.simulation.inference.search import find_starts
from gnnmat.simulation.inference.space import Floats, is_stable

Tell = Callable[[str], None]
MOST_EXCHANGES = 12  # that are tried after a search, one image each
FAR = 0.02  # of the log-likelihood: an exchange that loses more is no start
STEPS, LAST_STEPS = 10, 3  # at most; the last begin where others ended, with exact images
ROUGH = 0.5  # standard errors: near enough while the noise is not known well


def fit_all(
    observed: Observation,
    contenders: Sequence[Contender],
    effort: Effort | None = None,
    *,
    noise: CountingNoise | None = None,
    imperfect: Imperfect | None = None,
    tell: Tell | None = None,
) -> Fitted:
    """Every hypothesis fitted to the spectrum, all with the same noise.

    Args:
        observed: the spectrum.
        contenders: the hypotheses.
        effort: how thoroughly.
        noise: of the spectrum, if it is known; else it is estimated.
        imperfect: what an instrument does to an image, for spectra drawn from the fits.
        tell: called with words on progress.
    """
    effort, tell = effort or Effort(), tell or (lambda _: None)
    current = noise or estimate_noise(observed)
    refined = []
    for contender in contenders:
        tell(f"{contender.name}: searching")
        starts = _starts(observed, contender, current, effort)
        refined.append(_first(observed, contender, current, starts, tell))
    exact = [replace(one, simulator=one.fine or one.simulator) for one in contenders]
    rounds = effort.rounds if noise is None else 1
    for number in range(rounds):
        if noise is None:
            best = max(refined, key=lambda one: one.point.log_posterior).point
            current = estimate_noise(
                observed, best.response.expected(observed, best.model), current
            )
        is_last = number == rounds - 1
        for place, contender in enumerate(exact if is_last else contenders):
            tell(f"{contender.name}: refining, round {number + 1}")
            close, steps = (CLOSE, LAST_STEPS) if is_last else (ROUGH, STEPS)
            refined[place] = _again(
                observed, contender, current, refined[place], tell, steps=steps, close=close
            )
    return conclude(observed, exact, refined, current, effort, imperfect, tell)


def _again(
    observed: Observation,
    contender: Contender,
    noise: CountingNoise,
    before: Refined,
    tell: Tell,
    *,
    steps: int,
    close: float,
) -> Refined:
    """A refinement from where one ended, with the couplings that are shown."""
    work = _work(observed, contender, noise, tell)
    values = before.point.values
    if contender.canonical is not None:
        values = contender.space.inside(contender.canonical(values))
    found = work.run(work.point(values, before.point), steps=steps, close=close)
    return replace(found, images=before.images + found.images)


def _work(
    observed: Observation, contender: Contender, noise: CountingNoise, tell: Tell
) -> Refinement:
    def named(words: str) -> None:
        tell(f"{contender.name}: {words}")

    return Refinement(contender.simulator, contender.space, observed, noise, named)


def _starts(
    observed: Observation, contender: Contender, noise: CountingNoise, effort: Effort
) -> Floats:
    if contender.starts is not None:
        return np.atleast_2d(contender.starts)
    simulator = contender.coarse or contender.simulator
    search = replace(effort.search, seed=effort.seed)
    starts, _ = find_starts(simulator, contender.space, observed, noise, search, keep=effort.keep)
    return starts


def _first(
    observed: Observation,
    contender: Contender,
    noise: CountingNoise,
    starts: Floats,
    tell: Tell,
) -> Refined:
    """The best of several short refinements."""
    found: Refined | None = None
    images = 0
    for number, values in enumerate(starts):
        tell(f"{contender.name}: start {number + 1} of {len(starts)}")
        work = _work(observed, contender, noise, tell)
        one = work.run(work.point(values), steps=STEPS, close=ROUGH)
        images += one.images
        if found is None or one.point.log_posterior > found.point.log_posterior:
            found = one
    assert found is not None
    tell(f"{contender.name}: trying exchanged couplings")
    other = _exchanged(observed, contender, noise, found, tell)
    images += other.images
    if other.point.log_posterior > found.point.log_posterior:
        found = other
    return replace(found, images=images)


def _exchanged(
    observed: Observation, contender: Contender, noise: CountingNoise, found: Refined, tell: Tell
) -> Refined:
    """The refinement once more from the best exchange of couplings.

    Images are often nearly the same after an exchange, and then the search ends on either side.
    """
    space, point = contender.space, found.point
    work = _work(observed, contender, noise, tell)
    every = candidate_exchanges(space, MOST_EXCHANGES)
    values = np.array([exchanged(point.values, space, one) for one in every]).reshape(
        -1, len(space.names)
    )
    values = values[is_stable(contender.simulator, values)] if len(values) else values
    trials = [work.point(one) for one in values]
    if not trials:
        return replace(found, images=0)
    best = max(trials, key=lambda one: one.log_posterior)
    if best.log_posterior < point.log_posterior - FAR * abs(point.log_posterior):
        return replace(found, images=work.images)
    return work.run(best, steps=STEPS, close=ROUGH)
