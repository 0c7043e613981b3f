"""Images of S(Q, E) as an instrument sees them, for any values of the couplings.

Collinear magnets are rendered fast, all others by Colpa's method; both see the same sample
points, and give the same image of a magnet that both can do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gnnmat.errors import GnnmatError
from gnnmat.simulation.collinear_spectra import CollinearRenderer
from gnnmat.simulation.general_spectra import GeneralRenderer
from gnnmat.simulation.instrument import Instrument
from gnnmat.simulation.layout import SliceLayout
from gnnmat.simulation.rendering import Rendering as Rendering
from gnnmat.simulation.rendering import Scene
from gnnmat.simulation.resolution import Resolution
from gnnmat.simulation.spin_waves.collinear import Collinear
from gnnmat.simulation.spin_waves.general import General
from gnnmat.simulation.spin_waves.system import SpinSystem
from gnnmat.simulation.spin_waves.torques import without_rounding
from gnnmat.simulation.spin_waves.waves import spin_waves


class SpectrumSimulator:
    """Couplings -> images.

    Args:
        system: an ordered magnet.
        layout: tiles and energies of the image.
        resolution: of the instrument.
        instrument: axes and twins.
        rendering: sampling and physics.
        copies: identical, uncoupled parts of the magnetic cell of which the system is one.
        device: where to compute.

    Intensities are sum_ab (delta_ab - Q_a Q_b / Q^2) S_ab(Q, E) per magnetic cell and meV with
    the form factors f(Q) of the ions, without k_f / k_i, as reduced data are.

    Raises:
        GnnmatError: no bond leaves the cell.
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
        if not system.bond_offset.any():
            raise GnnmatError("No bond leaves the cell: there are no waves.")
        solver = spin_waves(system)
        if isinstance(solver, General):
            solver = spin_waves(without_rounding(system))
        self.system = solver.system
        self.copies = copies
        self.layout = layout
        self.resolution = resolution
        self.instrument = instrument
        self.rendering = rendering or Rendering()
        self.device = torch.device(device)
        scene = Scene(
            self.system, layout, resolution, instrument, self.rendering, copies, self.device
        )
        self.renderer: CollinearRenderer | GeneralRenderer = (
            CollinearRenderer(scene, solver)
            if isinstance(solver, Collinear)
            else GeneralRenderer(scene, solver)
        )

    def stable(self, values: Tensor) -> Tensor:
        """(B,) whether the order is a minimum of the energy for these couplings (B, p)."""
        return self.renderer.stable(values.to(self.device, torch.float64))

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
        return torch.stack([self.renderer.image(one) for one in values])
