"""Images of S(Q, E) as an instrument sees them, for any values of the couplings.

Spin waves are solved once on a grid of one magnetic zone; the structure factor of every zone
follows from phases. A sample point of a pixel takes the nearest grid point and only the few
modes whose energy lies near the bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.accumulate import add_batched, add_compiled
from gnnmat.simulation.instrument import Instrument, sample_points
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import Resolution
from gnnmat.simulation.spin_waves.collinear import Collinear, Modes
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.tiles import Geometry, Tile, build_tiles, wave_grid

BOLTZMANN = 0.08617333262  # meV/K, CODATA 2022


@dataclass(frozen=True)
class Rendering:
    """How finely images are computed, and by which physics.

    Args:
        grid: points along each direction of the magnetic zone.
        samples: quasi-random points a pixel.
        stability_grid: points along each direction at which draws are tested for stability.
        form_factors: multiply by the magnetic form factor of each ion.
        kinematic_l: take l from the conservation laws; otherwise zero.
        last_twin_out_of_plane: keep the spin component along the beam in every twin but the first.
        temperature: in kelvin, for the Bose factor of neutrons that lose energy; None is zero.
        seed: of the sample points.
    """

    grid: int = 100
    samples: int = 16
    stability_grid: int = 16
    form_factors: bool = True
    kinematic_l: bool = True
    last_twin_out_of_plane: bool = True
    temperature: float | None = None
    seed: int = 0


class SpectrumSimulator:
    """Couplings -> images.

    Args:
        system: a collinear magnet.
        layout: tiles and energies of the image.
        resolution: of the instrument.
        instrument: axes and twins.
        rendering: sampling and physics.
        copies: identical, uncoupled parts of the magnetic cell of which the system is one.
        device: where to compute.

    Intensities are sum_ab (delta_ab - Q_a Q_b / Q^2) S_ab(Q, E) per magnetic cell and meV with
    the form factors f(Q) of the ions, without k_f / k_i, as reduced data are.
    """

    def __init__(
        self,
        system: SpinSystem,
        layout: SliceLayout,
        resolution: Resolution,
        instrument: Instrument,
        rendering: Rendering | None = None,
        *,
        copies: int = 1,
        device: str = "cpu",
    ) -> None:
        self.system = system
        self.copies = copies
        self.layout = layout
        self.resolution = resolution
        self.instrument = instrument
        self.rendering = rendering or Rendering()
        self.device = torch.device(device)
        self.solver = Collinear(system)
        if not self.solver.blocks.moving.any():
            raise GnnmatError("No bond leaves the cell: there are no waves.")
        self._geometry = Geometry(self.solver, self.rendering.grid)

    def stable(self, values: Tensor) -> Tensor:
        """(B,) whether the order is a minimum of the energy for these couplings (B, p)."""
        values = values.to(self.device, torch.float64)
        return self.solver.is_stable(values, self._coarse)

    def images(self, values: Tensor) -> Tensor:
        """(B, R, C) float32 intensities for couplings (B, p) in meV.

        Raises:
            GnnmatError: the couplings are no tensor of that shape.
        """
        wanted = len(self.system.couplings)
        if not isinstance(values, Tensor) or values.ndim != 2 or values.shape[1] != wanted:
            given = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise GnnmatError(
                f"The couplings are given as {given}, expected a tensor of shape (B, {wanted}).",
                fix="images(torch.tensor([[...]])), one row an image",
            )
        return torch.stack([self._image(one) for one in values])

    @cached_property
    def _coarse(self) -> tuple[Tensor, Tensor]:
        k = wave_grid(self.solver.blocks.moving, self.rendering.stability_grid, shift=0.0)
        a, b = self.solver.matrices(k)
        return a.to(self.device), b.to(self.device)

    @cached_property
    def _fine(self) -> tuple[Tensor, Tensor]:
        k = wave_grid(self.solver.blocks.moving, self.rendering.grid, shift=0.5)
        a, b = (m.to(self.device, torch.complex64) for m in self.solver.matrices(k))
        return a, b

    @cached_property
    def _tiles(self) -> list[list[Tile]]:
        """For every tile the views of all twins."""
        layout, rendering, twins = self.layout, self.rendering, self.instrument.twins
        out: list[list[Tile]] = []
        for incident, edges in enumerate(layout.energy_edges):
            views = []
            for number, twin in enumerate(twins):
                beam = (self.instrument.axes @ twin.axes)[:, 2] @ self.system.reciprocal
                points = sample_points(
                    layout,
                    incident,
                    twin,
                    self.instrument,
                    self.resolution,
                    self.system.reciprocal,
                    samples=rendering.samples,
                    seed=rendering.seed,
                    flat=not rendering.kinematic_l,
                )
                views.append(
                    build_tiles(
                        self._geometry,
                        points,
                        edges,
                        twin.weight * self.copies,
                        beam / np.linalg.norm(beam),
                        form_factors=rendering.form_factors,
                        out_of_plane=rendering.last_twin_out_of_plane or number == 0,
                        device=self.device,
                    )
                )
            out += [list(several) for several in zip(*views, strict=True)]
        return out

    def _image(self, values: Tensor) -> Tensor:
        modes = self.solver.modes(values[None].to(self.device, torch.float32), self._fine)
        parities = len(self.solver.blocks.parities)
        bands = modes.energies[0].view(len(modes.energies[0]), parities, -1)
        lowest, highest = bands.amin((0, 1)).tolist(), bands.amax((0, 1)).tolist()
        table = self._table(modes)
        rows, columns = self.layout.tile_shape
        tiles = torch.zeros(len(self._tiles), rows * columns, device=self.device)
        add = self._add
        for total, several in zip(tiles, self._tiles, strict=True):
            for tile in several:
                first = sum(high < tile.low for high in highest)
                last = sum(low <= tile.high for low in lowest)
                if last > first:
                    add(total, tile, bands, table, first, last)
        shape = (len(self.layout.incident_energies), self.layout.slices, rows, columns)
        image: Tensor = self.layout.to_image(tiles.view(shape))
        return image

    def _add(
        self, total: Tensor, tile: Tile, bands: Tensor, table: Tensor, first: int, last: int
    ) -> None:
        options = self.rendering
        thermal = BOLTZMANN * options.temperature if options.temperature else 0.0
        if self.device.type == "cpu" and not tile.factor.is_complex():
            add_compiled(total, tile, bands, table, first, last, options.samples, thermal)
        else:
            add_batched(total, tile, bands, table, first, last, options.samples, thermal)

    def _table(self, modes: Modes) -> Tensor:
        """(K * m * kinds of zones, 2, groups) amplitudes at every point of every kind of zone."""
        amplitude = modes.amplitude[0]  # (K, m, 2, n)
        table = amplitude.flatten(0, 1).flatten(1) @ self._mixing
        return table.view(-1, 2, len(self._geometry.groups))

    @cached_property
    def _mixing(self) -> Tensor:
        return self._geometry.mixing.to(self.device, torch.complex64)
