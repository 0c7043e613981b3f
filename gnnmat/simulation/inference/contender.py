"""What is to be fitted, how thoroughly, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gnnmat.simulation.inference.evidence import Odds
from gnnmat.simulation.inference.fit import Fit
from gnnmat.simulation.inference.noise_model import CountingNoise
from gnnmat.simulation.inference.refine import Refined
from gnnmat.simulation.inference.search import Search
from gnnmat.simulation.inference.space import CouplingSpace, Floats, ImageSimulator


@dataclass(frozen=True)
class Contender:
    """A hypothesis to fit.

    Args:
        name: of the hypothesis.
        simulator: couplings -> images.
        space: its couplings.
        starts: (s, p) couplings to start from; None to search the ranges.
        coarse: a faster simulator for the search; default the other.
        fine: a more exact simulator for the last round; default the same.
        other: like the last, with other sample points, for spectra drawn from the fit.
        twins: how many couplings give the same image, within the ranges.
        canonical: couplings (p,) -> those that are shown for all with the same image.
    """

    name: str
    simulator: ImageSimulator
    space: CouplingSpace
    starts: Floats | None = None
    coarse: ImageSimulator | None = None
    fine: ImageSimulator | None = None
    other: ImageSimulator | None = None
    twins: int = 1
    canonical: Callable[[Floats], Floats] | None = None


@dataclass(frozen=True)
class Effort:
    """How thoroughly to fit.

    Args:
        search: for a start, where none is given.
        keep: starts to refine.
        rounds: of estimating the noise and refining again.
        replicas: spectra drawn from each fit to judge its chi^2 by; 0 for none.
        seed: of all draws.
    """

    search: Search = Search()
    keep: int = 3
    rounds: int = 2
    replicas: int = 16
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """All hypotheses at their best.

    Args:
        fits: one a hypothesis, in the order given.
        odds: likewise.
        noise: of the spectrum, as the best of them sees it.
        refined: where each refinement ended.
    """

    fits: tuple[Fit, ...]
    odds: tuple[Odds, ...]
    noise: CountingNoise
    refined: tuple[Refined, ...]

    @property
    def best(self) -> int:
        """Place of the hypothesis with the highest evidence."""
        return int(np.argmax([fit.log_evidence for fit in self.fits]))
