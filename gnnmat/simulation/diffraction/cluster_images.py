"""Fingerprints of clusters, fast: real products of matrices, in single precision.

Beside `fingerprint.fingerprint`, which is plain, in double precision, and knows scattering factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.detector import Detector


def cluster_images(
    places: Sequence[Tensor], weights: Sequence[Tensor], detector: Detector | None = None
) -> Tensor:
    """(clusters, 3, pixels, pixels) intensity of six views in three channels, nowhere masked.

    Args:
        places: (atoms, 3) each, in mean neighbour distances.
        weights: (atoms,) each: how strongly every atom scatters.
        detector: what is seen, of an even number of pixels; its beam stop is left to the caller.

    Raises:
        GnnmatError: an odd number of pixels.
    """
    seen = detector or Detector()
    if seen.pixels % 2:
        raise GnnmatError(f"A detector of {seen.pixels} pixels has no middle; expected even.")
    if places and places[0].device.type == "cpu":
        # One by one, so that a cluster does not depend on the padding of its batch.
        pairs = zip(places, weights, strict=True)
        return torch.cat([_images(one[None], weight[None], seen) for one, weight in pairs])
    return _images(
        pad_sequence(list(places), batch_first=True),
        pad_sequence(list(weights), batch_first=True),
        seen,
    )


def _images(places: Tensor, weights: Tensor, seen: Detector) -> Tensor:
    """(b, 3, pixels, pixels) of clusters (b, atoms, 3) of one size.

    With u up and x across, exp(i (q_u u + q_x x)) is a product of cosines and sines of both, so a
    view is one product of real matrices; and I(-q) = I(q), so that a quarter of all signs of q
    gives the other three.
    """
    half = seen.pixels // 2
    q = seen.axis[half:].to(places)
    along = places.transpose(1, 2)  # (b, 3, atoms)
    phase = along[..., None] * q
    across = torch.cat([torch.cos(phase), torch.sin(phase)], dim=3) * weights[:, None, :, None]
    # Turned by 45 degrees to both sides, the axis up is (two -+ three) / sqrt 2.
    phase = phase * math.sqrt(0.5)
    cosine, sine = torch.cos(phase), torch.sin(phase)
    c2, s2 = torch.roll(cosine, -1, dims=1), torch.roll(sine, -1, dims=1)
    c3, s3 = torch.roll(cosine, -2, dims=1), torch.roll(sine, -2, dims=1)
    cc, ss, sc, cs = c2 * c3, s2 * s3, s2 * c3, c2 * s3
    up = torch.cat([cc + ss, sc - cs, cc - ss, sc + cs], dim=3)  # (b, 3, atoms, 4 half)
    product = (up.transpose(2, 3) @ across).unflatten(2, (2, 2, half)).unflatten(4 + 1, (2, half))
    cosines, sines = product[:, :, :, 0], product[:, :, :, 1]  # of up: (b, 3, 2, half, 2, half)
    real, imaginary = cosines[..., 0, :] - sines[..., 1, :], sines[..., 0, :] + cosines[..., 1, :]
    same = (real**2 + imaginary**2).sum(dim=2)
    real, imaginary = cosines[..., 0, :] + sines[..., 1, :], sines[..., 0, :] - cosines[..., 1, :]
    other = (real**2 + imaginary**2).sum(dim=2)
    upper = torch.cat([other.flip(3), same], dim=3)
    return torch.cat([upper.flip(2, 3), upper], dim=2)
