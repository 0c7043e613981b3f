"""What every renderer is told: the magnet, the instrument, and how finely to compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gnnmat.simulation.instrument import Instrument, Points, Twin, sample_points
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.resolution import Resolution
from gnnmat.simulation.spin_waves.correlations import BOLTZMANN
from gnnmat.simulation.spin_waves.system import Floats, SpinSystem


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

    @property
    def thermal(self) -> float:
        """k_B T in meV; zero leaves the Bose factor out."""
        return BOLTZMANN * self.temperature if self.temperature else 0.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A magnet before an instrument.

    Args:
        system: the magnet.
        layout: tiles and energies of the image.
        resolution: of the instrument.
        instrument: axes and twins.
        rendering: sampling and physics.
        copies: identical, uncoupled parts of the magnetic cell of which the system is one.
        device: where to compute.
    """

    system: SpinSystem
    layout: SliceLayout
    resolution: Resolution
    instrument: Instrument
    rendering: Rendering
    copies: int
    device: torch.device

    def points(self, incident: int, twin: Twin) -> Points:
        """The sample points of one incident energy and one twin."""
        return sample_points(
            self.layout,
            incident,
            twin,
            self.instrument,
            self.resolution,
            self.system.reciprocal,
            samples=self.rendering.samples,
            seed=self.rendering.seed,
            flat=not self.rendering.kinematic_l,
        )

    def beam(self, twin: Twin) -> Floats:
        """(3,) Cartesian unit vector along the incident beam, in the axes of a twin."""
        beam = (self.instrument.axes @ twin.axes)[:, 2] @ self.system.reciprocal
        unit: Floats = beam / np.linalg.norm(beam)
        return unit

    def out_of_plane(self, number: int) -> bool:
        """Whether the spin component along the beam is seen in a twin, by its number."""
        return self.rendering.last_twin_out_of_plane or number == 0
