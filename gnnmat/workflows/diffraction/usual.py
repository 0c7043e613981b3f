"""Ranges and widths that are taken where nobody says."""

from __future__ import annotations

import math

from gnnmat.workflows.diffraction.axis import Axis
from gnnmat.workflows.diffraction.beam import USUAL, Beam

POINTS = 4_000  # of an axis without a step, at least
WIDTHS = {"xray": 0.1, "neutron": 0.2, "electron": 0.01}  # degrees


def usual_axis(
    beam: Beam,
    start: float | None,
    stop: float | None,
    step: float | None,
    *,
    is_q: bool = False,
) -> Axis:
    """The axis, with what nobody said as usual for the radiation.

    Raises:
        GnnmatError: the range is none.
    """
    _, low, high = USUAL[beam.radiation]
    if is_q:
        low, high = 0.5, min(6.0, round(12 / beam.wavelength, 1))
    first = low if start is None else start
    last = high if stop is None else stop
    if step is None:
        step = 0.02 if beam.radiation != "electron" and not is_q else (last - first) / POINTS
    if not math.isfinite(step):
        step = 0.02
    return Axis(first, last, step, is_q)


def usual_width(beam: Beam) -> float:
    """Full width of the instrument's peaks, degrees."""
    return WIDTHS[beam.radiation]
