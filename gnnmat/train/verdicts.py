"""What is said about a sample that was judged: may it be trusted, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IN_DISTRIBUTION = "in distribution"
DO_NOT_TRUST = "do not trust"

# What it means when a score is too high; {value} and {threshold} are filled in.
MEANINGS = {
    "confidence": "no class is likely (1 - largest probability {value}, usual up to {threshold})",
    "mutual_information": "the members disagree ({value} nats, usual up to {threshold})",
    "disagreement": "the members disagree ({value}, usual up to {threshold})",
    "duq": "it lies far from every class centre (minus log kernel {value}, usual up to "
    "{threshold})",
    "distance": "its features are unlike those of the training data (Mahalanobis distance "
    "{value} of the usual, up to {threshold} is usual)",
    "neighbours": "no training sample lies near it (distance {value} of the usual, up to "
    "{threshold} is usual)",
    "statistics": "intensity and texture of its parts are unlike those of the training data "
    "({value} of the usual, up to {threshold} is usual)",
    "reconstruction": "it cannot be rebuilt from what was learned (error {value}, usual up to "
    "{threshold})",
}


@dataclass(frozen=True)
class Verdicts:
    """What is said about some samples.

    Args:
        in_distribution: (rows,) whether the answer may be trusted.
        trust: (rows,) share of validation samples that are at least as strange.
        words: a sentence each.
    """

    in_distribution: NDArray[np.bool_]
    trust: Floats
    words: list[str]


def reason(name: str, value: float, threshold: float) -> str:
    """What a score that is too high means, with its value and what is usual."""
    form = MEANINGS.get(name, f"{name.replace('_', ' ')} {{value}}, usual up to {{threshold}}")
    return form.format(value=f"{value:.3g}", threshold=f"{threshold:.3g}")
