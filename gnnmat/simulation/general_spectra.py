"""Images of any ordered magnet: canted, 120 degrees, with Dzyaloshinskii-Moriya exchange.

Colpa's method at every grid point of the zone that a sample point takes, in double precision;
w(Q) and w(-Q) may differ, so nothing is mirrored. Grid points are solved and used part by part:
memory does not grow with the grid.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gnnmat.simulation.general_points import Samples, ion_kinds, sample_table
from gnnmat.simulation.rendering import Scene
from gnnmat.simulation.spin_waves.blocks import find_blocks
from gnnmat.simulation.spin_waves.collinear import SOFTEST
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.torques import at_rest
from gnnmat.simulation.spin_waves.waves import solver_parts
from gnnmat.simulation.tiles import wave_grid

_MEMORY = 2**26  # bytes of one set of matrices: what caches and small machines take
_TOGETHER = 2**15  # samples


class GeneralRenderer:
    """Couplings -> images of one magnet of any order.

    Where the order is no minimum of the energy, at single wave vectors or everywhere, modes have
    no energy: they add nothing to the image.

    Args:
        scene: the magnet before the instrument.
        solver: its spin waves.
    """

    def __init__(self, scene: Scene, solver: General) -> None:
        self.scene = scene
        self.solver = solver
        self._moving = find_blocks(scene.system, look=False).moving

    def stable(self, values: Tensor) -> Tensor:
        """(B,) whether the order is a minimum of the energy for these couplings (B, p).

        No spin feels a torque, and no spin wave lowers the energy.
        """
        good = at_rest(self.scene.system, values)
        grid = self.scene.rendering.stability_grid
        # The matrix at k also holds the waves at -k: half the zone will do.
        for k in wave_grid(self._moving, grid, shift=0.0).split(self._solved_together):
            if not good.any():
                break
            parts = solver_parts(self.solver, k, values)
            each = max(1, self._solved_together // len(k))
            for rows in good.nonzero()[:, 0].split(each):
                good[rows] = self.solver.is_stable(values[rows], parts)
        return good

    def image(self, values: Tensor) -> Tensor:
        """(R, C) float32 intensities for couplings (p,) in meV."""
        layout, device = self.scene.layout, self.scene.device
        couplings = values[None].to(device, torch.float64)
        shape = (len(layout.incident_energies), layout.slices, *layout.tile_shape)
        total = torch.zeros(int(np.prod(shape)), device=device)
        wave_vectors, samples = self._samples
        for start in range(0, len(wave_vectors), self._solved_together):
            k = wave_vectors[start : start + self._solved_together]
            modes = self.solver.modes(couplings, solver_parts(self.solver, k, couplings))
            energies = modes.energies[0].clamp(min=SOFTEST).float()
            amplitude = modes.amplitude[0].to(torch.complex64).movedim(-1, 1)  # (K, n, m, 3)
            edges = torch.tensor([start, start + len(k)], device=device)
            first, last = torch.searchsorted(samples.point, edges).tolist()
            for row in range(first, last, _TOGETHER):
                some = samples.rows(slice(row, min(row + _TOGETHER, last)))
                self._add(total, some, some.point - start, energies, amplitude)
        image: Tensor = layout.to_image(total.view(shape))
        return image

    def _add(
        self, total: Tensor, samples: Samples, point: Tensor, energies: Tensor, amplitude: Tensor
    ) -> None:
        """Add all modes near some samples to their pixels, in place.

        Args:
            total: (pixels,) intensity per meV.
            samples: some of them.
            point: (S,) their rows in the next two.
            energies: (K, m) meV; NaN for no mode.
            amplitude: (K, n, m, 3) Cartesian.
        """
        off = energies[point] - samples.centre[:, None]
        near = off.abs() < samples.reach[:, None]
        some = near.any(dim=1).nonzero()[:, 0]
        samples, point, off, near = samples.rows(some), point[some], off[some], near[some]
        sample, mode = near.nonzero(as_tuple=True)
        f = self._structure_factors(samples, point, amplitude)[sample, mode]  # (P, 3)
        seen = (samples.polar[sample] * f[:, None]).sum(-1)  # (P, 2)
        strength = torch.view_as_real(seen).square().sum((-2, -1))
        off, half, scale = off[sample, mode], samples.half[sample], samples.scale[sample]
        share = torch.erf((half - off) * scale) + torch.erf((half + off) * scale)
        if thermal := self.scene.rendering.thermal:
            share = share / -torch.expm1(-energies[point[sample], mode] / thermal)
        total.index_add_(0, samples.pixel[sample], strength * share)

    def _structure_factors(self, samples: Samples, point: Tensor, amplitude: Tensor) -> Tensor:
        """(S, m, 3) Cartesian amplitude of every mode, summed over the sites."""
        positions, kinds = self._sites
        angle = -2 * torch.pi * (samples.phase @ positions.T)
        site = samples.ions[:, kinds] * torch.complex(angle.cos(), angle.sin())  # (S, n)
        out = site.new_empty(len(site), amplitude[0, 0].numel())
        flat = amplitude.flatten(2)
        # Samples of one grid point lie together: one product of matrices for each.
        points, counts = torch.unique_consecutive(point, return_counts=True)
        start = 0
        for place, count in zip(points.tolist(), counts.tolist(), strict=True):
            torch.mm(site[start : start + count], flat[place], out=out[start : start + count])
            start += count
        return out.view(len(site), *amplitude.shape[2:])

    @cached_property
    def _samples(self) -> tuple[Tensor, Samples]:
        return sample_table(self.scene, self._moving)

    @cached_property
    def _sites(self) -> tuple[Tensor, Tensor]:
        """(n, 3) positions in fractions of the cell, and (n,) the kind of ion."""
        positions = torch.from_numpy(self.scene.system.positions).to(self.scene.device).float()
        return positions, torch.from_numpy(ion_kinds(self.scene)[1]).to(self.scene.device)

    @property
    def _solved_together(self) -> int:
        """How many matrices are solved at once."""
        system = self.scene.system
        one = 16 * (2 * len(system)) ** 2 * (len(system.couplings) + 5)
        return max(1, _MEMORY // one)
