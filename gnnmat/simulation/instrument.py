"""Where in reciprocal space the pixels of an image lie, sample by sample.

Every pixel and energy bin is integrated by quasi-random points in (h, k): over the box of the
pixel, and over the Q part of the resolution. The energy part, given Q, stays Gaussian and is
integrated in closed form later: its mean shifts with Q through the correlation of Q and E.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import FWHM, Resolution
from gnnmat.simulation.spin_waves.system import Floats

# Energy in meV of a neutron of wave vector 1/Å; hbar^2 / 2 m_n, CODATA 2022.
NEUTRON = 2.0721248
# Generalised golden ratio of four dimensions, the root of x^5 = x + 1: its powers make a
# low-discrepancy sequence. Source: Roberts, "The unreasonable effectiveness of quasirandom
# sequences" (2018).
_PHI4 = 1.1673039782614187


@dataclass(frozen=True)
class Twin:
    """A domain of the crystal: its share, and (h, k, l) of the image in its own axes."""

    weight: float
    axes: Floats


@dataclass(frozen=True)
class Instrument:
    """How image axes lie in the crystal; the incident beam is along the third axis.

    Args:
        axes: (3, 3); wave vector in units of the reciprocal magnetic cell = axes @ (h, k, l).
        twins: domains whose spectra add up.
        intrinsic: width of the excitations themselves in meV, full width at half maximum.
    """

    axes: Floats
    twins: tuple[Twin, ...]
    intrinsic: float = 0.1


@dataclass(frozen=True)
class Points:
    """Sample points of all tiles of one incident energy and one twin, tile by tile.

    Args:
        q: (slices, h, k, samples, 3) wave vectors, units of the reciprocal magnetic cell.
        cartesian: the same in 1/Å.
        reachable: (...) whether energy and momentum can be conserved there.
        shift: (...) mean of the energy given Q, minus the nominal energy, meV.
        width: (...) standard deviation of the energy given Q, meV.
    """

    q: Floats
    cartesian: Floats
    reachable: Floats
    shift: Floats
    width: Floats


def sample_points(
    layout: SliceLayout,
    incident: int,
    twin: Twin,
    instrument: Instrument,
    resolution: Resolution,
    reciprocal: Floats,
    *,
    samples: int,
    seed: int,
    flat: bool = False,
) -> Points:
    """The points at which one incident energy is sampled.

    Args:
        layout: tiles, pixels, energies.
        incident: which incident energy.
        twin: which domain.
        instrument: axes and intrinsic width.
        resolution: covariance of (h, k, E).
        reciprocal: (3, 3) reciprocal vectors of the magnetic cell in 1/Å.
        samples: points a pixel.
        seed: of the shift of the sequence in every pixel.
        flat: keep l = 0, as some simulations do.
    """
    ei = layout.incident_energies[incident]
    energy = np.array([(low + high) / 2 for low, high in layout.energy_edges[incident]])
    h, k = np.array(layout.h), np.array(layout.k)
    shape = (layout.slices, len(h), len(k))
    grid_e, grid_h, grid_k = np.meshgrid(energy, h, k, indexing="ij")
    covariance = resolution.covariance(ei, grid_h, grid_k, grid_e)
    box, z = _sequence(shape, samples, np.random.default_rng([seed, incident]))
    lower = np.linalg.cholesky(covariance[..., :2, :2])
    mixed = np.linalg.solve(lower, covariance[..., :2, 2:])[..., 0]  # correlation of z and E
    blurred = np.einsum("ehkab,ehknb->ehkna", lower, z)
    steps = np.array([abs(h[1] - h[0]), abs(k[1] - k[0])])
    place = np.stack([grid_h, grid_k], -1)[..., None, :] + box * steps + blurred
    shift = np.einsum("ehkb,ehknb->ehkn", mixed, z)
    variance = covariance[..., 2, 2] - (mixed**2).sum(-1) + (instrument.intrinsic / FWHM) ** 2
    width = np.broadcast_to(np.sqrt(variance)[..., None], shift.shape)
    q, cartesian, reachable = _wave_vectors(
        place, ei, energy[:, None, None, None], twin.axes, instrument.axes, reciprocal, flat
    )
    return Points(q, cartesian, reachable, shift, width)


def _sequence(
    shape: tuple[int, ...], samples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """(*shape, samples, 2) points of the pixel box (-0.5 to 0.5), and standard normal pairs."""
    steps = _PHI4 ** -np.arange(1.0, 5.0)
    points = rng.random((*shape, 1, 4)) + np.arange(samples)[:, None] * steps
    points %= 1.0
    return points[..., :2] - 0.5, ndtri(np.clip(points[..., 2:], 1e-6, 1 - 1e-6))


def _wave_vectors(
    place: Floats,
    ei: float,
    energy: Floats,
    twin: Floats,
    axes: Floats,
    reciprocal: Floats,
    flat: bool,
) -> tuple[Floats, Floats, Floats]:
    """Wave vectors of points (..., 2) in (h, k): l follows from the conservation laws.

    Q = k_i - k_f with k_i along the beam: across the beam Q is what h and k say, along it
    k_i - sqrt(k_f^2 - across^2). Where the axes of h and k are not perpendicular to the beam,
    as in a monoclinic cell, l makes up only what they leave of the latter.
    """
    turned = axes @ twin
    base = place @ turned[:, :2].T  # l = 0
    third = turned[:, 2] @ reciprocal  # 1/Å per unit of l, along the beam
    per_unit = np.linalg.norm(third)
    beam = third / per_unit
    own = base @ reciprocal @ beam  # along the beam already at l = 0
    across = base @ reciprocal - own[..., None] * beam
    final = (ei - energy) / NEUTRON - (across**2).sum(-1)
    reachable = final > 0
    along = np.sqrt(ei / NEUTRON) - np.sqrt(np.maximum(final, 0))
    units = np.zeros_like(along) if flat else (along - own) / per_unit
    q = base + units[..., None] * turned[:, 2]
    cartesian = across + along[..., None] * beam
    return q, cartesian, reachable
