"""What the page of an explanation shows, as data."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnnmat.simulation.layout import SliceLayout

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedCouplings:
    """The couplings of one hypothesis that fit best.

    Args:
        hypothesis: its name.
        rows: coupling, value and standard error in meV.
        verdict: in words, whether the fit explains the spectrum.
        image: (R, C) best-fit image.
        residual: (R, C) spectrum minus fit, in standard deviations.
    """

    hypothesis: str
    rows: Sequence[tuple[str, float, float]]
    verdict: str
    image: Floats
    residual: Floats


@dataclass(frozen=True)
class ExplanationData:
    """What the page shows.

    Args:
        title: name of the spectrum.
        model: name of the run or the model.
        layout: axes of the image.
        image: (R, C) intensities.
        mask: (R, C) True without detector.
        map: (R, C) contribution of each pixel to the log-odds.
        sums: (Ei, slices) sum of the map over each slice.
        label: the explained class.
        scores: by class what the model gives it, between 0 and 1.
        trusted: whether the spectrum is in distribution; None if that was not judged.
        verdict: in words.
        method: how the map was made, in words.
        cleaned: (R, C) the image as an autoencoder cleans it.
        estimates: coupling, value and standard error by the network, meV.
        fit: couplings fitted by simulation.
        facts: further rows of what and how, for the end of the page.
    """

    title: str
    model: str
    layout: SliceLayout
    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    map: Floats
    sums: Floats
    label: str
    scores: Mapping[str, float]
    trusted: bool | None
    verdict: str
    method: str
    cleaned: NDArray[np.float32] | None = None
    estimates: Sequence[tuple[str, float, float]] = ()
    fit: FittedCouplings | None = None
    facts: Sequence[tuple[str, str]] = ()


def packed(values: NDArray[np.floating]) -> str:
    """Little-endian 32-bit floats, row by row, as base64; NaN where nothing was measured."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
