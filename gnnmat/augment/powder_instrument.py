"""The module that measures the powder patterns of crystals."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gnnmat.augment.augmentation import Augmentation, Draw, stream
from gnnmat.augment.counting import counts
from gnnmat.augment.powder_draws import STRONGEST, Drawn, drawn, nothing_drawn
from gnnmat.augment.powder_transforms import (
    as_seen,
    background,
    debye_waller,
    displaced,
    march_dollase,
    moved,
    shortened,
    strained,
)
from gnnmat.sample import Batch
from gnnmat.simulation.diffraction.angles import Grid, emission
from gnnmat.simulation.diffraction.drawing import caglioti, draw_lines, lines, nodes, scherrer

if TYPE_CHECKING:
    from gnnmat.augment.powder_measurement import PowderMeasurement

Generators = Sequence[np.random.Generator]


class PowderInstrument(Augmentation):
    """Reflections (B, P, 4), or measured patterns (B, 1, N) -> patterns (B, 1, N) of 0 to 1.

    Args:
        options: what is drawn.
        grid: angles of the patterns.
        wavelength: by name or in Å.
        radiation: xray has polarization.
    """

    def __init__(
        self, options: PowderMeasurement, grid: Grid, wavelength: str | float, radiation: str
    ) -> None:
        super().__init__()
        self.options = options
        self.grid = grid
        self.wavelength = wavelength
        self.polarized = radiation == "xray"
        self.window = round(options.subtract / grid.step)

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        made = copy(batch)
        rows = [] if draw == "none" else batch["row"].tolist()
        generators = [stream(draw, seed, epoch, row) for row in rows]
        if "peaks" in batch:
            patterns = self.measured(batch["peaks"].float(), generators)
        else:
            patterns = batch["image"][:, 0].float()
            if draw == "train":
                patterns = self.disturbed(patterns, generators)
        seen = as_seen(patterns, self.window, root=self.options.transform == "sqrt")
        made.image = seen[:, None]
        return made

    def measured(self, peaks: Tensor, generators: Generators) -> Tensor:
        """(B, N) counts of these crystals, or their clean patterns without generators."""
        if not generators:
            values = nothing_drawn(self.options, len(peaks), peaks)
            return self.pattern(peaks, values)
        values = drawn(self.options, generators, peaks.shape[1], peaks)
        pattern = self.pattern(peaks, values)
        return self._counted(pattern, values, generators)

    def pattern(self, peaks: Tensor, values: Drawn) -> Tensor:
        """(B, N) intensity per degree, without background and noise.

        Args:
            peaks: (B, P, 4) q vectors, 1/Å, and intensities.
            values: of sample and diffractometer.
        """
        q, intensity = strained(peaks[..., :3], values.strain), peaks[..., 3]
        length = q.norm(dim=2)
        intensity = intensity * debye_waller(length, values.b)
        intensity = intensity * march_dollase(_cosines(q, length, values.direction), values.r)
        if values.scatter is not None:
            intensity = intensity * torch.exp(values.scatter)
        correction = "lorentz_polarization" if self.polarized else "lorentz"
        angles, areas = lines(length, intensity, self.wavelength, correction)  # type: ignore[arg-type]
        angles = displaced(angles, values.shift, values.height, self.options.radius)
        span = self.grid.stop - self.grid.start
        other = self.grid.start + span * values.spurious_place
        strongest = _strongest(angles, areas, self.grid)
        angles = torch.cat([angles, other], dim=1)
        areas = torch.cat([areas, strongest * values.spurious_area], dim=1)
        at, first = nodes(self.grid).to(q), emission(self.wavelength)[0][0]
        gaussian = caglioti(at, values.u, values.v, values.w)
        lorentzian = scherrer(at, first, values.size, values.microstrain)
        return draw_lines(angles, areas, self.grid, gaussian, lorentzian)

    def disturbed(self, patterns: Tensor, generators: Generators) -> Tensor:
        """Measured patterns (B, N), moved, on another background and counted again."""
        values = drawn(self.options, generators, 0, patterns)
        return self._counted(moved(patterns, values.shift / self.grid.step), values, generators)

    def _counted(self, patterns: Tensor, values: Drawn, generators: Generators) -> Tensor:
        """(B, N) counts of patterns on a background."""
        top = patterns.amax(dim=1, keepdim=True)
        share = patterns / torch.where(top > 0, top, 1.0)
        below = background(patterns.shape[1], values.slope, values.rise, values.hump)
        below = below / below.mean(dim=1, keepdim=True).clamp(min=1e-6)
        rate = values.counts[:, None] * (share + values.level[:, None] * below)
        pairs = zip(rate, generators, strict=True)
        counted = torch.stack([counts(row.contiguous(), one) for row, one in pairs])
        return shortened(counted, values.short)


def _strongest(angles: Tensor, areas: Tensor, grid: Grid) -> Tensor:
    """(B, 1) largest area at one point of the grid: of all reflections of a line together."""
    place = ((angles - grid.start) / grid.step).round().clamp(0, grid.count - 1)
    total = areas.new_zeros(len(areas), grid.count)
    return total.scatter_add_(1, place.to(torch.int64), areas).amax(dim=1, keepdim=True)


def _cosines(q: Tensor, length: Tensor, direction: Tensor) -> Tensor:
    """(B, P) cosine between each q and the preferred one, one of the first of its crystal."""
    unit = q / torch.where(length > 0, length, 1.0)[..., None]
    there = (length[:, :STRONGEST] > 0).sum(dim=1)
    place = (direction * there).floor().to(torch.int64).clamp(max=STRONGEST - 1)
    chosen = unit[torch.arange(len(q), device=q.device), place]
    return (unit * chosen[:, None]).sum(dim=2)
