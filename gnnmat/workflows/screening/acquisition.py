"""How much a candidate is worth computing, from what is predicted of it and how surely.

Every function takes (rows,) arrays in any unit and gives (rows,) numbers in float64: the larger,
the sooner. None of them looks at the other candidates; `gnnmat.workflows.screening.batch` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, ndtr

from gnnmat.errors import GnnmatError, did_you_mean

Floats = NDArray[np.float64]

# Standard deviations above the prediction: a choice; 2 is about the upper end of a 95% interval.
KAPPA = 2.0
# Below this the next term of the tail's series is smaller than rounding.
FAR = -1 / np.sqrt(np.finfo(np.float64).eps)
LOG_ROOT_TWO_PI = np.log(2 * np.pi) / 2


def expected_improvement(
    mean: ArrayLike, spread: ArrayLike, best: float, *, maximise: bool = True
) -> Floats:
    """By how much a candidate is expected to beat ``best``: s (z Phi(z) + phi(z)), z = (m - b) / s.

    Args:
        mean: (rows,) predicted numbers m.
        spread: (rows,) their standard deviations s, of a normal distribution.
        best: b, the best number known so far, in the same unit.
        maximise: False: smaller is better, and z = (b - m) / s.

    Source: Jones, Schonlau & Welch, J. Global Optim. 13, 455 (1998), equation 15.
    """
    found: Floats = np.exp(log_expected_improvement(mean, spread, best, maximise=maximise))
    return found


def log_expected_improvement(
    mean: ArrayLike, spread: ArrayLike, best: float, *, maximise: bool = True
) -> Floats:
    """Logarithm of the expected improvement: ranks even where that is too small for a float.

    Without spread it is the logarithm of the improvement itself, -inf where there is none.

    Args:
        mean: as for `expected_improvement`, as are the others.

    Source: Ament et al., NeurIPS 2023, arXiv 2310.20708 (analytic LogEI).
    """
    m, s = _pair(mean, spread)
    gain = (m - best) if maximise else (best - m)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sure = np.log(np.maximum(gain, 0.0))
        unsure = np.log(s) + _log_tail(gain / s)
    found: Floats = np.where(s > 0, unsure, np.where(np.isnan(s + gain), np.nan, sure))
    return found


def upper_confidence_bound(
    mean: ArrayLike, spread: ArrayLike, *, kappa: float = KAPPA, maximise: bool = True
) -> Floats:
    """What a candidate may reach, m + kappa s; for small numbers -(m - kappa s).

    Args:
        mean: (rows,) predicted numbers m.
        spread: (rows,) their standard deviations s.
        kappa: the larger, the more it explores.
        maximise: False: smaller is better.

    Source: Cox & John, IEEE SMC 1992, p. 1241; Srinivas et al., ICML 2010, equation 6.
    """
    m, s = _pair(mean, spread)
    return (m if maximise else -m) + kappa * s


def greedy(mean: ArrayLike, *, maximise: bool = True) -> Floats:
    """The prediction itself, with its sign turned where smaller is better."""
    m = np.asarray(mean, dtype=np.float64)
    return m if maximise else -m


@dataclass(frozen=True)
class Beliefs:
    """What is believed of the candidates.

    Args:
        mean: (rows,) predicted numbers.
        spread: (rows,) their standard deviations.
        best: the best number known so far.
        maximise: whether larger is better.
        kappa: of the confidence bound.
    """

    mean: Floats
    spread: Floats
    best: float
    maximise: bool = True
    kappa: float = KAPPA


# Every method as a key that ranks: of expected improvement the logarithm.
METHODS: Mapping[str, Callable[[Beliefs, np.random.Generator], Floats]] = {
    "expected_improvement": lambda b, _: log_expected_improvement(
        b.mean, b.spread, b.best, maximise=b.maximise
    ),
    "upper_confidence_bound": lambda b, _: upper_confidence_bound(
        b.mean, b.spread, kappa=b.kappa, maximise=b.maximise
    ),
    "uncertainty": lambda b, _: np.array(b.spread, dtype=np.float64),
    "greedy": lambda b, _: greedy(b.mean, maximise=b.maximise),
    "random": lambda b, random: random.random(len(b.mean)),
}
WITHOUT_SPREAD = frozenset({"greedy", "random"})


def check_method(method: str) -> None:
    """Refuse a method that is not there.

    Raises:
        GnnmatError: with the name that may have been meant.
    """
    if method not in METHODS:
        raise GnnmatError(
            f"There is no way to choose called '{method}'.", fix=did_you_mean(method, METHODS)
        )


def _log_tail(z: Floats) -> Floats:
    """log(z Phi(z) + phi(z)), without the cancellation of the two terms far below zero."""
    near, below, far = np.maximum(z, -1.0), np.clip(z, FAR, -1.0), np.minimum(z, FAR)
    phi = np.exp(-(near**2) / 2 - LOG_ROOT_TWO_PI)
    # z Phi(z) / phi(z) = -sqrt(pi / 2) |z| erfcx(|z| / sqrt 2), between -1 and 0.
    ratio = np.sqrt(np.pi / 2) * -below * erfcx(-below / np.sqrt(2))
    middle = -(below**2) / 2 - LOG_ROOT_TWO_PI + np.log1p(-ratio)
    series = -(far**2) / 2 - LOG_ROOT_TWO_PI - 2 * np.log(-far)
    found: Floats = np.where(
        z > -1, np.log(near * ndtr(near) + phi), np.where(z > FAR, middle, series)
    )
    return np.where(np.isnan(z), np.nan, found)


def _pair(mean: ArrayLike, spread: ArrayLike) -> tuple[Floats, Floats]:
    m, s = np.broadcast_arrays(np.asarray(mean, np.float64), np.asarray(spread, np.float64))
    if (s < 0).any():
        raise GnnmatError(f"A spread is {s[s < 0][0]:.3g}.", why="A spread is never negative.")
    return m, s
