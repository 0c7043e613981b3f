"""What stands above the background of a measured pattern, and how far above its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks, peak_widths

Floats = NDArray[np.float64]

WINDOW = 1.5  # degrees; half the span that a peak may have, wider ones are background
TO_SIGMA = 1 / 2.35482  # of a Gaussian from its full width at half maximum


def clipped_background(counts: Floats, window: int) -> Floats:
    """(n,) what is left of counts when everything narrower than the window is clipped away.

    Each point is lowered to what its neighbours make of it, at a distance that shrinks from the
    window to one point, on the scale log(log(sqrt(y + 1) + 1) + 1): to their mean, or to a cubic
    through four of them where that is higher.

    Args:
        counts: (n,) none negative.
        window: largest distance, in points.

    Source: Ryan, Clayton, Griffin, Sie & Cousens, Nucl. Instrum. Methods B 34, 396 (1988), with
    the falling window of Morhac et al., Nucl. Instrum. Methods A 401, 113 (1997).
    """
    level = np.log(np.log(np.sqrt(counts + 1) + 1) + 1)
    for reach in range(min(window, (len(counts) - 1) // 2), 0, -1):
        outer = level[2 * reach :] + level[: -2 * reach]
        around = outer / 2
        if reach % 2 == 0:  # of fourth order, which leaves broad humps as they are
            half = reach // 2
            inner = level[reach + half : len(level) - half] + level[half : -reach - half]
            around = np.maximum(around, (4 * inner - outer) / 6)
        elif reach > 1:
            continue
        level[reach:-reach] = np.minimum(level[reach:-reach], around)
    return np.asarray((np.exp(np.exp(level) - 1) - 1) ** 2 - 1, dtype=np.float64)


@dataclass(frozen=True)
class Signal:
    """A measured pattern taken apart.

    Args:
        two_theta: (n,) degrees in even steps.
        counts: (n,) as measured, on these steps.
        background: (n,) likewise.
        net: (n,) counts above the background, smoothed over ``blur``.
        noise: (n,) standard deviation of ``net``.
        blur: full width of the Gaussian that smoothed it, degrees.
        peaks: 2 theta of peaks that stand clearly above the noise, strongest first.
        width: usual full width of these peaks as measured, degrees; NaN without any.
    """

    two_theta: Floats
    counts: Floats
    background: Floats
    net: Floats
    noise: Floats
    blur: float
    peaks: Floats
    width: float

    @property
    def step(self) -> float:
        """Degrees between two points."""
        return float(self.two_theta[1] - self.two_theta[0])


def take_apart(two_theta: Floats, counts: Floats, blur: float = 0.15) -> Signal:
    """The signal of these counts.

    Args:
        two_theta: (n,) degrees, rising.
        counts: (n,) none negative; counts, or anything proportional to them.
        blur: full width of the Gaussian that smooths, degrees.
    """
    step = float(np.median(np.diff(two_theta)))
    even = np.arange(two_theta[0], two_theta[-1] + step / 2, step)
    even = even[even <= two_theta[-1]]
    y = np.interp(even, two_theta, counts)
    sigma = blur * TO_SIGMA / step
    smooth = gaussian_filter1d(y, sigma, mode="nearest")
    background = clipped_background(smooth, max(round(WINDOW / step), 2))
    background = gaussian_filter1d(background, WINDOW / 2 / step, mode="nearest")
    net = smooth - background
    # A Gaussian of sigma points keeps 1 / (2 sqrt(pi) sigma) of the variance of single points.
    kept = min(1.0, 1 / (2 * np.sqrt(np.pi) * max(sigma, 1e-9)))
    noise = np.sqrt(gain(y) * np.maximum(smooth, 1e-12) * kept)
    places, facts = find_peaks(net, height=5 * noise, prominence=4 * noise)
    places = places[np.argsort(-facts["peak_heights"])]
    width = float("nan")
    if len(places):
        widths = peak_widths(np.maximum(net, 0), places[:8], rel_height=0.5)[0] * step
        width = float(np.sqrt(max(np.median(widths) ** 2 - blur**2, (2 * step) ** 2)))
    return Signal(even, y, background, net, noise, blur, even[places], width)


def gain(counts: Floats) -> float:
    """Variance of a point over its height: 1 for counts, more where they were multiplied.

    From second differences, which neither background nor broad peaks have; the median passes over
    the rest.
    """
    bend = counts[2:] - 2 * counts[1:-1] + counts[:-2]
    level = (counts[2:] + counts[1:-1] + counts[:-2]) / 3
    seen = level > 0
    if not seen.any():
        return 1.0
    # Median of chi^2 with one degree of freedom: 0.4549. Variance of a second difference: 6.
    found = float(np.median(bend[seen] ** 2 / level[seen]) / 6 / 0.4549)
    return found if found > 0 else 1e-6
