"""Images of collinear magnets, the fast way.

Spin waves are solved once on a grid of half a magnetic zone; the structure factor of every zone
follows from phases. A sample point of a pixel takes the nearest grid point and only the few
modes whose energy lies near the bin.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from gnnmat.simulation.accumulate import add_batched, add_compiled
from gnnmat.simulation.rendering import Scene
from gnnmat.simulation.spin_waves.collinear import Collinear, Modes
from gnnmat.simulation.tiles import Geometry, Tile, build_tiles, wave_grid


class CollinearRenderer:
    """Couplings -> images of one collinear magnet.

    Args:
        scene: the magnet before the instrument.
        solver: its spin waves.
    """

    def __init__(self, scene: Scene, solver: Collinear) -> None:
        self.scene = scene
        self.solver = solver
        self._geometry = Geometry(solver, scene.rendering.grid)

    def stable(self, values: Tensor) -> Tensor:
        """(B,) whether the order is a minimum of the energy for these couplings (B, p)."""
        return self.solver.is_stable(values, self._coarse)

    def image(self, values: Tensor) -> Tensor:
        """(R, C) float32 intensities for couplings (p,) in meV."""
        layout, device = self.scene.layout, self.scene.device
        modes = self.solver.modes(values[None].to(device, torch.float32), self._fine)
        parities = len(self.solver.blocks.parities)
        bands = modes.energies[0].view(len(modes.energies[0]), parities, -1)
        lowest, highest = bands.amin((0, 1)).tolist(), bands.amax((0, 1)).tolist()
        views = self._tiles  # first: they say which kinds of zones the table must hold
        table = self._table(modes)
        rows, columns = layout.tile_shape
        tiles = torch.zeros(len(views), rows * columns, device=device)
        add = self._add
        for total, several in zip(tiles, views, strict=True):
            for tile in several:
                first = sum(high < tile.low for high in highest)
                last = sum(low <= tile.high for low in lowest)
                if last > first:
                    add(total, tile, bands, table, first, last)
        shape = (len(layout.incident_energies), layout.slices, rows, columns)
        image: Tensor = layout.to_image(tiles.view(shape))
        return image

    @cached_property
    def _coarse(self) -> tuple[Tensor, Tensor]:
        k = wave_grid(self.solver.blocks.moving, self.scene.rendering.stability_grid, shift=0.0)
        a, b = self.solver.matrices(k)
        return a.to(self.scene.device), b.to(self.scene.device)

    @cached_property
    def _fine(self) -> tuple[Tensor, Tensor]:
        k = wave_grid(self.solver.blocks.moving, self.scene.rendering.grid, shift=0.5)
        a, b = (m.to(self.scene.device, torch.complex64) for m in self.solver.matrices(k))
        return a, b

    @cached_property
    def _tiles(self) -> list[list[Tile]]:
        """For every tile the views of all twins."""
        scene = self.scene
        out: list[list[Tile]] = []
        for incident, edges in enumerate(scene.layout.energy_edges):
            views = [
                build_tiles(
                    self._geometry,
                    scene.points(incident, twin),
                    edges,
                    twin.weight * scene.copies,
                    scene.beam(twin),
                    form_factors=scene.rendering.form_factors,
                    out_of_plane=scene.out_of_plane(number),
                    device=scene.device,
                )
                for number, twin in enumerate(scene.instrument.twins)
            ]
            out += [list(several) for several in zip(*views, strict=True)]
        return out

    def _add(
        self, total: Tensor, tile: Tile, bands: Tensor, table: Tensor, first: int, last: int
    ) -> None:
        samples, thermal = self.scene.rendering.samples, self.scene.rendering.thermal
        if self.scene.device.type == "cpu" and not tile.factor.is_complex():
            add_compiled(total, tile, bands, table, first, last, samples, thermal)
        else:
            add_batched(total, tile, bands, table, first, last, samples, thermal)

    def _table(self, modes: Modes) -> Tensor:
        """(K * m * kinds of zones, 2, groups) amplitudes at every point of every kind of zone."""
        amplitude = modes.amplitude[0]  # (K, m, 2, n)
        table = amplitude.flatten(0, 1).flatten(1) @ self._mixing
        return table.view(-1, 2, len(self._geometry.groups))

    @cached_property
    def _mixing(self) -> Tensor:
        _ = self._tiles  # kinds of zones are complete once all samples are looked up
        return self._geometry.mixing.to(self.scene.device, torch.complex64)
