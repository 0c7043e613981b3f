"""Two-dimensional diffraction of finite clusters: six views in three channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.diffraction.cluster_images import cluster_images
from gnnmat.simulation.diffraction.clusters import Cluster
from gnnmat.simulation.diffraction.detector import TURN, Detector, views
from gnnmat.simulation.diffraction.factors import scattering_factors

__all__ = [
    "TURN",
    "Detector",
    "fingerprint",
    "neighbour_distance",
    "random_rotations",
    "scaled",
    "views",
]


def neighbour_distance(cluster: Cluster) -> float:
    """Mean distance of the atoms to their nearest neighbour, Å.

    Raises:
        GnnmatError: fewer than two atoms.
    """
    if len(cluster) < 2:
        raise GnnmatError("A cluster of one atom has no neighbours.")
    return float(cKDTree(cluster.positions).query(cluster.positions, k=2)[0][:, 1].mean())


def scaled(cluster: Cluster, length: float | None = None) -> tuple[Cluster, float]:
    """The cluster around its centre with neighbours 1 apart, and the length that was 1.

    Args:
        cluster: in Å.
        length: in Å; default the mean neighbour distance.
    """
    unit = neighbour_distance(cluster) if length is None else length
    places = (cluster.positions - cluster.positions.mean(axis=0)) / unit
    return Cluster(places, cluster.numbers), unit


def fingerprint(
    clusters: Sequence[Cluster],
    detector: Detector | None = None,
    *,
    orientation: Tensor | None = None,
    device: str | torch.device = "cpu",
) -> Tensor:
    """(clusters, 3, pixels, pixels) intensities, 1 at the highest pixel of each channel.

    The wavelength is short, so that the Ewald sphere is a plane: q lies in the plane of the
    detector. Then exp(i q r) is a product over both axes, and a pattern a product of matrices.

    Args:
        clusters: from `scaled`.
        detector: what is seen.
        orientation: (clusters, 3, 3) rotations of the clusters, before they are looked at.
        device: where it is computed.

    Source: after Ziletti, Kumar, Scheffler & Ghiringhelli, Nature Communications 9, 2775 (2018);
    differs in: a flat Ewald sphere, views that are alike under a cyclic change of the axes.
    """
    seen = detector or Detector()
    if not clusters or not max(map(len, clusters)):
        raise GnnmatError("There is no cluster to look at.")
    if seen.by_element or seen.pixels % 2:
        intensity = _by_element(clusters, seen, orientation, device)
    else:
        turns = [None] * len(clusters) if orientation is None else list(orientation)
        places = [
            _turned(torch.as_tensor(one.positions, device=device), turn)
            for one, turn in zip(clusters, turns, strict=True)
        ]
        intensity = cluster_images(places, [torch.ones_like(one[:, 0]) for one in places], seen)
    intensity = intensity * seen.ring.to(device)
    return intensity / intensity.amax(dim=(-1, -2), keepdim=True).clamp(min=1e-30)


def _turned(places: Tensor, turn: Tensor | None) -> Tensor:
    return places if turn is None else places @ turn.to(places).T


def _by_element(
    clusters: Sequence[Cluster],
    seen: Detector,
    orientation: Tensor | None,
    device: str | torch.device,
) -> Tensor:
    """(clusters, 3, pixels, pixels) intensities, element by element."""
    places, weights, elements = _stacked(clusters, seen.by_element, device)
    if orientation is not None:
        places = torch.einsum("bij,bnj->bni", orientation.to(places), places)
    axis = seen.axis.to(device)
    looked = torch.einsum("cvij,bnj->bcvni", views().to(device)[:, :, :2], places)
    phase = looked[..., None] * axis  # (b, 3, 2, atoms, 2, pixels)
    across, up = torch.polar(torch.ones_like(phase), phase).unbind(dim=4)
    total = torch.zeros(
        len(places), 3, 2, seen.pixels, seen.pixels, dtype=across.dtype, device=across.device
    )
    for number, element in enumerate(elements):
        weighted = up * weights[:, number][:, None, None, :, None]
        amplitude = weighted.transpose(-1, -2) @ across
        total = total + amplitude * _strength(seen, element, axis)
    return (total.real**2 + total.imag**2).sum(dim=2)


def _strength(seen: Detector, element: int, axis: Tensor) -> Tensor | float:
    if not seen.by_element:
        return 1.0
    # A neighbour distance of 2.5 Å stands for all: the fingerprint knows no length.
    far = axis[:, None].hypot(axis[None]) / 2.5
    s2 = (far / (4 * torch.pi)) ** 2
    numbers = torch.full((s2.numel(),), element, device=axis.device)
    return scattering_factors("xray", numbers, s2.reshape(-1)).reshape(s2.shape)


def _stacked(
    clusters: Sequence[Cluster], by_element: bool, device: str | torch.device
) -> tuple[Tensor, Tensor, list[int]]:
    """(b, atoms, 3) padded places, (b, elements, atoms) 1 where an atom is of an element."""
    most = max(map(len, clusters))
    elements: list[int] = [0]
    if by_element:
        elements = sorted({int(z) for one in clusters for z in one.numbers})
    places = np.zeros((len(clusters), most, 3))
    weights = np.zeros((len(clusters), len(elements), most))
    for row, one in enumerate(clusters):
        places[row, : len(one)] = one.positions
        for number, element in enumerate(elements):
            is_it = one.numbers == element if by_element else np.ones(len(one), dtype=bool)
            weights[row, number, : len(one)] = is_it
    return (
        torch.as_tensor(places, device=device),
        torch.as_tensor(weights, dtype=torch.complex128, device=device),
        elements,
    )


def random_rotations(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(count, 3, 3) rotations, evenly over all orientations."""
    from scipy.spatial.transform import Rotation

    found: NDArray[np.float64] = Rotation.random(count, rng=random).as_matrix()
    return found
