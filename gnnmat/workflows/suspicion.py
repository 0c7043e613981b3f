"""How suspect a label is, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR = 100  # predictions next in size, whose errors are the usual ones
# Deviation of a Gaussian in units of its median absolute value: 1 / Phi^-1(3/4).
GAUSSIAN = 1.4826
LEAST = 0.01  # of the deviation of the labels, where most predictions are exactly right


def score_rows(label: Floats, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    r"""The usual error of predictions like each, and how many of them its label is away.

    .. math:: s_i = |y_i - m_i| / \sqrt{u_i^2 + d_i^2}

    with the usual error u, the robust deviation among the predictions next in size but never
    below that of all, and d the spread of the voices: where they disagree among themselves, or
    are often wrong, a label that differs says little.

    Args:
        label: (n,) as the network learned it.
        mean: (n,) mean prediction.
        spread: (n,) deviation of the voices, zero for one.

    Returns:
        (n,) usual errors and (n,) scores.
    """
    error = np.abs(label - mean)
    # Where most predictions are exactly right, as zeros may be, no error at all would be usual.
    common = GAUSSIAN * float(np.median(error)) or LEAST * float(np.std(label))
    order = np.argsort(mean, kind="stable")
    usual = np.full(len(error), common)
    half = min(NEAR, len(error)) // 2
    for place, row in enumerate(order):
        first = min(max(place - half, 0), max(len(order) - 2 * half, 0))
        near = order[first : first + max(2 * half, 1)]
        usual[row] = max(common, GAUSSIAN * float(np.median(error[near])))
    scale = np.sqrt(usual**2 + spread**2)
    score = np.divide(error, scale, out=np.zeros_like(error), where=scale > 0)
    return usual, score


def reason(row: Mapping[str, Any], logarithmic: bool, siblings: Floats) -> str:
    """What speaks against a label, in a sentence or two.

    Args:
        row: of an audit.
        logarithmic: whether errors are factors.
        siblings: labels of the other entries of the same formula.
    """
    label, said, unit = float(row["label"]), float(row["prediction"]), str(row["unit"])
    voices = int(row["voices"])
    above = label > said
    if logarithmic:
        factor = max(label / said, said / label)
        apart = f"{factor:.3g} times {'above' if above else 'below'}"
        usual = f"a factor of {float(row['usual']):.2g}"
    else:
        apart = f"{abs(label - said):.3g} {unit}".rstrip() + f" {'above' if above else 'below'}"
        usual = f"{float(row['usual']):.2g} {unit}".rstrip()
    if voices > 1:
        who = f"what {voices} models say"
        extent = f" ({float(row['low']):.3g} to {float(row['high']):.3g} {unit}".rstrip() + ")"
    else:
        who, extent = "what a model says", f" ({said:.3g} {unit}".rstrip() + ")"
    begun = str(row.get("begun", ""))
    if not begun:
        who += " that have not seen it" if voices > 1 else " that has not seen it"
    text = f"{apart} {who}{extent}; their usual error is {usual}."
    inside = voices > 1 and float(row["low"]) <= label <= float(row["high"])
    if inside:
        text += " But one of them comes as far as the label."
    if begun:
        text += f" But {PurePath(begun).name}, which training began with, may have seen it."
    if len(siblings):
        shown = ", ".join(f"{value:.3g}" for value in np.sort(siblings)[:4])
        more = ", ..." if len(siblings) > 4 else ""
        text += f" Other entries of {row['formula']}: {shown}{more} {unit}".rstrip() + "."
    return text[0].upper() + text[1:]
