from __future__ import annotations

import numpy as np
import pytest

from gnnmat.simulation.inference.next_measurement import (
    Expected,
    by_incident,
    separation_map,
    windows,
)
from gnnmat.simulation.inference.space import Floats, render

from .ring import LAYOUT, TRUTH, Ring

SHAPE = (2, 4)


def _expected(first: Floats, second: Floats) -> Expected:
    return Expected(
        LAYOUT,
        first,
        second,
        np.full(SHAPE, 100.0),
        np.full(SHAPE, 2.0),
        np.ones(LAYOUT.image_shape),
    )


def test_the_window_in_which_the_hypotheses_differ_comes_first() -> None:
    image = render(Ring(), TRUTH)
    other = image.copy()
    tile = LAYOUT.to_tiles(other)[1, 2]
    h, k = np.abs(np.array(LAYOUT.h)), np.abs(np.array(LAYOUT.k))
    tile[np.ix_(h < 0.5, k > 0.5)] += 0.2
    best = windows(_expected(image, other))
    totals = [one.separation for one in best]
    assert totals == sorted(totals, reverse=True)
    # A whole slice stands before its parts, though pixels of a part may tell more.
    assert (best[0].h, best[0].k) == ((0.0, h.max()), (0.0, k.max()))
    ranked = max(best, key=lambda one: one.per_pixel)
    assert ranked.words == "Ei 40 meV, 16 to 22 meV, |h| below 0.5, |k| above 0.5"
    assert (best[0].incident, best[0].energy) == (40.0, pytest.approx((16, 22)))
    incident = by_incident(_expected(image, other))
    assert incident[40.0] > 100 * incident[20.0]


def test_a_scale_and_a_background_tell_nothing_apart() -> None:
    image = render(Ring(), TRUTH)
    difference = separation_map(_expected(image, 1.1 * image + 0.01))
    assert difference.sum() < 1e-6


def test_separation_is_chi2_of_the_counted_difference() -> None:
    # One pixel of 256 differs, so that scale and background take up next to nothing.
    image = render(Ring(), TRUTH)
    other = image.copy()
    other[3, 3] += 0.01
    mean = 100 * (image[3, 3] + 0.005) + 2
    assert separation_map(_expected(image, other)).sum() == pytest.approx(1 / mean, rel=0.05)


def test_separation_grows_with_the_counting_time() -> None:
    first, second = render(Ring(), np.stack([TRUTH, TRUTH + [0.5, 0, 0]]))
    short = _expected(first, second)
    long = Expected(
        LAYOUT, first, second, 3 * short.per_intensity, 3 * short.background, short.seen
    )
    assert separation_map(long).sum() == pytest.approx(3 * separation_map(short).sum())
