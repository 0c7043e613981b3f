"""What a trained network cannot know about a crystal, whatever its thresholds: new elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gnnmat.sources.prototype_label import SYMBOLS

IN_DOMAIN, OUT_OF_DOMAIN = "in domain", "out of domain"
# Said where no thresholds were fixed: nothing else was looked at.
KNOWN_ELEMENTS = "all of its elements occur in the training data; nothing else was checked"


def unseen_elements(
    numbers: Sequence[NDArray[np.int64]], elements: Iterable[int]
) -> list[tuple[str, ...]]:
    """The elements of each crystal that no training crystal has, by atomic number.

    Args:
        numbers: (atoms,) atomic numbers of each crystal.
        elements: atomic numbers met in training; none is known of images.
    """
    known = set(elements)
    if not known:
        return [()] * len(numbers)
    return [
        tuple(SYMBOLS[number - 1] for number in np.unique(one).tolist() if number not in known)
        for one in numbers
    ]


def reason(symbols: Sequence[str]) -> str:
    """``Np occurs in no training crystal``; empty text where all elements were seen."""
    if not symbols:
        return ""
    names = symbols[0] if len(symbols) == 1 else f"{', '.join(symbols[:-1])} and {symbols[-1]}"
    return f"{names} {'occurs' if len(symbols) == 1 else 'occur'} in no training crystal"


def domain_words(words: str, symbols: Sequence[str]) -> str:
    """``in domain``, or ``out of domain:`` with the reasons, new elements first.

    Args:
        words: what the scores say, from `Verdicts.words`: reasons stand behind a colon.
        symbols: elements that were never seen.
    """
    reasons = [part for part in (reason(symbols), words.partition(": ")[2]) if part]
    return f"{OUT_OF_DOMAIN}: {'; '.join(reasons)}" if reasons else IN_DOMAIN


def with_elements(table: pd.DataFrame, unseen: Sequence[Sequence[str]]) -> pd.DataFrame:
    """The table of predictions with ``in_domain`` and ``verdict``, as far as elements tell.

    Args:
        table: with ``row``.
        unseen: new elements of each row of the data set.
    """
    words = [domain_words("", one) if one else KNOWN_ELEMENTS for one in unseen]
    at = table["row"].tolist()
    return table.assign(
        in_domain=[not unseen[row] for row in at], verdict=[words[row] for row in at]
    )
