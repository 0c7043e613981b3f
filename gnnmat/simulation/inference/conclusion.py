"""Refined hypotheses judged by their misfit and compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gnnmat.simulation.inference.contender import Contender, Effort, Fitted
from gnnmat.simulation.inference.errors import covariance, patches
from gnnmat.simulation.inference.evidence import compare, left_out, log_evidence
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.inference.identifiability import directions
from gnnmat.simulation.inference.misfit import Imperfect, Misfit, chance, misfit, replicas
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.observation import Observation
from gnnmat.simulation.inference.refine import Refined
from gnnmat.simulation.inference.response import over_slices
from gnnmat.simulation.inference.space import Floats, render, stable_draws

Tell = Callable[[str], None]


def conclude(
    observed: Observation,
    contenders: Sequence[Contender],
    refined: Sequence[Refined],
    noise: CountingNoise,
    effort: Effort,
    imperfect: Imperfect | None,
    tell: Tell,
) -> Fitted:
    """The refined hypotheses judged and compared, all with the same noise."""
    misfits = [_misfit(observed, noise, one) for one in refined]
    inflation = max(1.0, min(one.per_dof for one in misfits))
    evidences, chances, left, images, others = [], [], [], [], []
    patch = patches(observed, folded=False)
    for contender, one, found in zip(contenders, refined, misfits, strict=True):
        tell(f"{contender.name}: drawing spectra from the fit")
        rng = np.random.default_rng(effort.seed)
        _, share = stable_draws(contender.simulator, contender.space, 200, rng)
        evidences.append(
            log_evidence(
                one,
                contender.space,
                stable_share=share,
                twins=contender.twins,
                inflation=inflation,
            )
        )
        left.append(np.bincount(patch, left_out(observed, noise, one)).astype(np.float64))
        images.append(render(contender.simulator, one.point.values))
        others.append(render(contender.other or contender.simulator, one.point.values))
        chances.append(_chance(observed, others[-1], one, noise, found, effort, imperfect))
    fits = [
        _fit(observed, noise, *parts)
        for parts in zip(
            contenders, refined, misfits, images, others, evidences, chances, strict=True
        )
    ]
    names = [contender.name for contender in contenders]
    odds = compare(names, evidences, left)
    return Fitted(tuple(fits), tuple(odds), noise, tuple(refined))


def _misfit(observed: Observation, noise: CountingNoise, refined: Refined) -> Misfit:
    point = refined.point
    expected = point.response.expected(observed, point.model)
    return misfit(observed, noise, expected, parameters=len(refined.normal.gradient))


def _chance(
    observed: Observation,
    image: Floats,
    refined: Refined,
    noise: CountingNoise,
    found: Misfit,
    effort: Effort,
    imperfect: Imperfect | None,
) -> float:
    if not effort.replicas:
        return float("nan")
    point = refined.point
    drawn = replicas(
        observed,
        noise,
        point.response,
        image,
        point.model,
        imperfect=imperfect,
        count=effort.replicas,
        seed=effort.seed,
    )
    return chance(found, list(drawn))


def _fit(
    observed: Observation,
    noise: CountingNoise,
    contender: Contender,
    refined: Refined,
    found: Misfit,
    image: Floats,
    other: Floats,
    evidence: float,
    p_value: float,
) -> Fit:
    point, space = refined.point, contender.space
    relative, widened = covariance(observed, refined, noise, observed.take(other))
    matrix = relative * space.width[:, None] * space.width
    tiles = observed.blocks, observed.layout.slices
    tilted = np.exp(point.response.tilt * over_slices(observed.layout.slices))
    scale = (point.response.scale[:, None] * tilted)[:, :, None, None]
    offset = point.response.offset.reshape(tiles)
    whole = observed.layout.to_tiles(image) * scale + offset[:, :, None, None]
    known = directions(refined.normal.reduced(), space)
    return Fit(
        hypothesis=contender.name,
        couplings=space.names,
        values=point.values,
        errors=np.sqrt(np.diag(matrix)),
        covariance=matrix,
        chi2=found.chi2,
        dof=found.dof,
        p_value=p_value,
        image=np.maximum(observed.layout.to_image(whole), 0),
        residual=observed.put(found.residual),
        log_evidence=evidence,
        ranges=space.ranges,
        log_likelihood=float(point.likelihood.log.sum()),
        structure=found.structure,
        by_slice=found.by_slice,
        scale=point.response.scale,
        tilt=point.response.tilt,
        offset=offset,
        at_bound=tuple(bool(flag) for flag in refined.at_bound),
        widened=widened,
        blind=tuple(one.words for one in known if one.is_blind),
        converged=refined.converged,
        images=refined.images,
    )
