"""Sample points of a tile as rows of tables: which grid point, which zone, which factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnmat.simulation.form_factors import form_factor
from gnnmat.simulation.instrument import Points
from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.system import Floats, Ints

CUTOFF = 3.5  # standard deviations beyond which a mode adds nothing to an energy bin


@dataclass(frozen=True)
class Tile:
    """What rendering one tile for one twin needs, one row a sample, pixel by pixel.

    Args:
        k: (S,) grid point.
        kind: (S,) kind of its zone, see `Geometry`.
        centre: (S,) energy at which a mode lies in the middle of the bin, meV.
        reach: (S,) farthest distance from it that counts, meV.
        scale: (S,) 1 / (sqrt 2 sigma), 1/meV.
        factor: (S, parities, groups): form factor and phase across the plane; real where all
            groups share the phase, which then does not matter.
        polar: (S, 3) weights of |F1|^2, |F2|^2 and Re F1 F2*, with the share of the sample.
        half: half the width of the bin, meV.
        low: no mode below counts, meV.
        high: no mode above counts, meV.
    """

    k: Tensor
    kind: Tensor
    centre: Tensor
    reach: Tensor
    scale: Tensor
    factor: Tensor
    polar: Tensor
    half: float
    low: float
    high: float


def wave_grid(moving: Floats, points: int, *, shift: float) -> Tensor:
    """(K, 3) half of a grid of the zone; the other half is its inverse.

    Args:
        moving: (3,) 1 for directions along which wave vectors matter.
        points: along each direction, even.
        shift: of the grid in steps; 0.5 avoids the zone centre.
    """
    axes = []
    for place, active in enumerate(moving):
        first = active and not np.any(moving[:place])
        count = points if active else 1
        axis = (np.arange(count) + (shift if active else 0)) / count
        axes.append(axis[: points // 2 + (shift == 0)] if first else axis)
    return torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3))


class Geometry:
    """Grid, zones and groups of sites of one magnet.

    Zones whose phases agree at every site are of one kind: there are few where positions are
    simple fractions, else as many as zones. `find` adds those that its samples need.

    Args:
        solver: its spin waves.
        grid: points along each direction of the zone, even.
    """

    def __init__(self, solver: Collinear, grid: int) -> None:
        self.solver = solver
        self.grid = grid
        self._kinds: dict[bytes, int] = {}
        self._phases: list[NDArray[np.complex128]] = []
        blocks, system = solver.blocks, solver.system
        self.moving = blocks.moving
        # Sites whose factor is the same at every sample: one ion, one height, one partner.
        own = system.positions[blocks.representatives]
        step = system.positions[blocks.partners] - own
        still = 1 - self.moving
        keys = [
            (system.ions[site], *np.round(own[i] * still, 6), *np.round(step[i] * still, 6))
            + tuple(np.round(step[i] * self.moving % 1.0, 6) % 1.0)
            for i, site in enumerate(blocks.representatives)
        ]
        order = sorted(set(keys), key=keys.index)
        self.groups: list[Ints] = [
            np.array([i for i, key in enumerate(keys) if key == one]) for one in order
        ]
        self.one_phase = len({key[1:] for key in order}) == 1

    @property
    def mixing(self) -> Tensor:
        """(2 n, kinds * 2 * groups): amplitudes of the representatives -> structure factors.

        Complete once all samples have been looked up.
        """
        kinds = np.array(self._phases)
        mixing = np.zeros((2, kinds.shape[1], len(kinds), 2, len(self.groups)), dtype=complex)
        for place, group in enumerate(self.groups):
            for component in range(2):
                mixing[component, group, :, component, place] = kinds[:, group].T
        return torch.from_numpy(mixing.reshape(2 * kinds.shape[1], -1))

    def find(self, q: Floats) -> tuple[Ints, Ints, Floats, NDArray[np.bool_]]:
        """Grid point, kind of zone, zone (S, 3), and whether the sample is taken at -q."""
        place = np.floor(q)
        index = np.minimum(((q - place) * self.grid).astype(np.int64), self.grid - 1)
        first = int(np.flatnonzero(self.moving)[0])
        turned = index[:, first] >= self.grid // 2
        index[turned] = self.grid - 1 - index[turned]
        zone = place.copy()
        zone[turned] = -place[turned] - 1
        zone *= self.moving
        k = np.zeros(len(q), dtype=np.int64)
        for axis in np.flatnonzero(self.moving):
            k = k * (self.grid // 2 if axis == first else self.grid) + index[:, axis]
        return k, self._kind(zone), zone, turned

    def _kind(self, zone: Floats) -> Ints:
        """(S,) kind of every zone (S, 3); new ones are kept."""
        if not len(zone):
            return np.zeros(0, dtype=np.int64)
        # One number a zone of the box that they fill: cheaper to sort than triples.
        cell = zone.astype(np.int64)
        cell -= cell.min(axis=0)
        number = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(axis=0) + 1))
        _, chosen, back = np.unique(number, return_index=True, return_inverse=True)
        own = self.solver.system.positions[self.solver.blocks.representatives] * self.moving
        # Adding zero turns -0 into 0.
        phases = np.round(np.exp(-2j * np.pi * zone[chosen] @ own.T), 9) + 0.0
        for phase in phases:
            if phase.tobytes() not in self._kinds:
                self._kinds[phase.tobytes()] = len(self._phases)
                self._phases.append(phase)
        kinds = np.array([self._kinds[phase.tobytes()] for phase in phases])
        return kinds[back.reshape(-1)]

    def factors(
        self, q: Floats, length: Floats, zone: Floats, turned: NDArray[np.bool_], ions: bool
    ) -> NDArray[Any]:
        """(S, parities, groups) form factor times what the sites of a group share.

        Args:
            q: (S, 3) wave vectors, units of the reciprocal magnetic cell.
            length: (S,) their lengths in 1/Å.
            zone: (S, 3) from `find`.
            turned: (S,) from `find`.
            ions: whether to multiply by form factors.
        """
        system, blocks = self.solver.system, self.solver.blocks
        still = 1 - self.moving
        parities = np.array(blocks.parities)
        out = np.empty((len(q), len(parities), len(self.groups)), dtype=complex)
        sign = np.where(turned, -1.0, 1.0)  # the table is read at -q there
        for place, group in enumerate(self.groups):
            site, partner = blocks.representatives[group[0]], blocks.partners[group[0]]
            across = sign * (q @ (system.positions[site] * still))
            factor = np.exp(-2j * np.pi * across)[:, None].repeat(len(parities), 1)
            if len(parities) > 1:
                step = system.positions[partner] - system.positions[site]
                turn = sign * (q @ (step * still)) + zone @ (step * self.moving)
                factor *= (1 + parities * np.exp(-2j * np.pi * turn)[:, None]) / np.sqrt(2)
            if self.one_phase:
                factor = np.abs(factor)
            if ions:
                f = form_factor(system.ions[site], torch.from_numpy(length)).numpy()
                factor = factor * f[:, None]
            out[..., place] = factor
        return out.real.copy() if self.one_phase else out


def build_tiles(
    geometry: Geometry,
    points: Points,
    edges: tuple[tuple[float, float], ...],
    weight: float,
    beam: Floats,
    *,
    form_factors: bool,
    out_of_plane: bool,
    device: torch.device,
) -> list[Tile]:
    """The tiles of one incident energy and one twin, one an energy bin.

    Args:
        geometry: grid and groups.
        points: where the samples lie.
        edges: of the bins, meV.
        weight: of the twin.
        beam: (3,) unit vector along the incident beam.
        form_factors: whether to multiply by form factors.
        out_of_plane: whether the spin component along the beam, across the image, is seen.
        device: where to render.
    """
    tiles = []
    samples = points.shift.shape[-1]
    for place, (low, high) in enumerate(edges):
        q = points.q[place].reshape(-1, 3)
        cartesian = points.cartesian[place].reshape(-1, 3)
        length = np.linalg.norm(cartesian, axis=1)
        k, kind, zone, turned = geometry.find(q)
        factor = geometry.factors(q, length, zone, turned, form_factors)
        across = (cartesian / length[:, None]) @ geometry.solver.across.T
        seen = np.ones(2) if out_of_plane else 1 - (geometry.solver.across @ beam) ** 2
        share = weight * points.reachable[place].reshape(-1) / samples / (high - low) / 2
        polar = np.stack(
            [
                share * (1 - across[:, 0] ** 2) * seen[0],
                share * (1 - across[:, 1] ** 2) * seen[1],
                # At -q the components keep their product but for its sign.
                share * -2 * across[:, 0] * across[:, 1] * seen.prod() * np.where(turned, -1, 1),
            ],
            axis=1,
        )
        width = points.width[place].reshape(-1)
        centre = (low + high) / 2 + points.shift[place].reshape(-1)
        half = (high - low) / 2
        reach = half + CUTOFF * width

        def real(array: Floats) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, torch.float32)

        tiles.append(
            Tile(
                k=torch.from_numpy(k).to(device),
                kind=torch.from_numpy(kind).to(device),
                centre=real(centre),
                reach=real(reach),
                scale=real(1 / (np.sqrt(2) * width)),
                factor=torch.from_numpy(factor).to(
                    device, torch.complex64 if np.iscomplexobj(factor) else torch.float32
                ),
                polar=real(polar),
                half=half,
                low=float((centre - reach).min()),
                high=float((centre + reach).max()),
            )
        )
    return tiles
