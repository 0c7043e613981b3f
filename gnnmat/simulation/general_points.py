"""Sample points of an image in the order of the grid points whose spin waves they take."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.simulation.form_factors import form_factor
from gnnmat.simulation.instrument import Points, Twin
from gnnmat.simulation.rendering import Scene
from gnnmat.simulation.spin_waves.general import frames
from gnnmat.simulation.spin_waves.system import Floats, Ints
from gnnmat.simulation.tiles import CUTOFF


@dataclass(frozen=True)
class Samples:
    """Sample points, one a row, of all tiles and all twins.

    Args:
        point: (S,) grid point, ascending.
        pixel: (S,) pixel of the tiles, all tiles in a row.
        centre: (S,) energy at which a mode lies in the middle of the bin, meV.
        half: (S,) half the width of the bin, meV.
        reach: (S,) farthest distance from the centre that counts, meV.
        scale: (S,) 1 / (sqrt 2 sigma), 1/meV.
        phase: (S, 3) a site at r has the factor exp(-2 pi i phase . r), r in fractions.
        ions: (S, kinds) form factor of every kind of ion.
        polar: (S, 2, 3) what is seen are the squares of the components along these two vectors
            across Q; their length holds the share of the sample.
    """

    point: Tensor
    pixel: Tensor
    centre: Tensor
    half: Tensor
    reach: Tensor
    scale: Tensor
    phase: Tensor
    ions: Tensor
    polar: Tensor

    def rows(self, which: slice | Tensor) -> Samples:
        """Some of them."""
        return Samples(**{one.name: getattr(self, one.name)[which] for one in fields(self)})


def ion_kinds(scene: Scene) -> tuple[tuple[str, ...], Ints]:
    """The kinds of ions, and of which kind every site (n,) is."""
    ions = scene.system.ions
    kinds = tuple(dict.fromkeys(ions))
    return kinds, np.array([kinds.index(ion) for ion in ions])


def sample_table(scene: Scene, moving: Floats) -> tuple[Tensor, Samples]:
    """(K, 3) grid points that are needed, on the CPU, and the samples in their order.

    Args:
        scene: what is rendered.
        moving: (3,) 1 for directions along which wave vectors matter.
    """
    pieces = [
        _piece(scene, moving, incident, number, twin)
        for incident in range(len(scene.layout.incident_energies))
        for number, twin in enumerate(scene.instrument.twins)
    ]
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    used, point = np.unique(joined.pop("grid"), return_inverse=True)
    order = np.argsort(point, kind="stable")
    points = torch.from_numpy(point.reshape(-1)[order]).to(scene.device)
    tensors = {
        name: torch.from_numpy(array[order]).to(scene.device) for name, array in joined.items()
    }
    return _wave_vectors(used, scene.rendering.grid, moving), Samples(points, **tensors)


def _piece(
    scene: Scene, moving: Floats, incident: int, number: int, twin: Twin
) -> dict[str, NDArray[np.generic]]:
    """The samples of one incident energy and one twin, with the number of their grid point."""
    points = scene.points(incident, twin)
    seen = points.reachable.ravel() > 0
    low, high = np.array(scene.layout.energy_edges[incident]).T[:, :, None, None, None]
    q = points.q.reshape(-1, 3)[seen]
    zone, grid = _nearest(q, scene.rendering.grid, moving)
    cartesian = points.cartesian.reshape(-1, 3)[seen]
    length = np.linalg.norm(cartesian, axis=1)
    share = twin.weight * scene.copies / (2 * scene.rendering.samples * (high - low))
    polar = frames(cartesian / length[:, None]).swapaxes(0, 1)
    if not scene.out_of_plane(number):
        beam = scene.beam(twin)
        polar = polar - (polar @ beam)[..., None] * beam
    kinds, _ = ion_kinds(scene)
    ions = [
        form_factor(kind, length) if scene.rendering.form_factors else np.ones_like(length)
        for kind in kinds
    ]

    def each(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.broadcast_to(array, points.shift.shape).reshape(-1)[seen]

    return {
        "grid": grid,
        "pixel": each(_pixels(points, incident)),
    } | {
        name: np.asarray(array, dtype=np.float32)
        for name, array in {
            "centre": each((low + high) / 2 + points.shift),
            "half": each((high - low) / 2),
            "reach": each((high - low) / 2 + CUTOFF * points.width),
            "scale": each(1 / (np.sqrt(2) * points.width)),
            "phase": zone + q * (1 - moving),
            "ions": np.stack(ions, axis=-1),
            "polar": polar * np.sqrt(each(share))[:, None, None],
        }.items()
    }


def _pixels(points: Points, incident: int) -> Ints:
    """(slices, h, k, 1) number of every pixel, all tiles in a row."""
    shape = points.shift.shape[:3]
    count = int(np.prod(shape))
    numbers: Ints = (incident * count + np.arange(count)).reshape(*shape, 1)
    return numbers


def _nearest(q: Floats, grid: int, moving: Floats) -> tuple[Floats, Ints]:
    """(S, 3) the zone of every wave vector, and (S,) the number of its grid point."""
    zone = np.floor(q)
    index = np.minimum(((q - zone) * grid).astype(np.int64), grid - 1)
    number = np.zeros(len(q), dtype=np.int64)
    for axis in np.flatnonzero(moving):
        number = number * grid + index[:, axis]
    return zone * moving, number


def _wave_vectors(numbers: Ints, grid: int, moving: Floats) -> Tensor:
    """(K, 3) the wave vectors of grid points, half a step off the zone centre."""
    k = np.zeros((len(numbers), 3))
    for axis in np.flatnonzero(moving)[::-1]:
        k[:, axis] = (numbers % grid + 0.5) / grid
        numbers = numbers // grid
    return torch.from_numpy(k)
