"""The module that lets an instrument measure calculated spectra."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnnmat.augment.augmentation import Draw, stream
from gnnmat.augment.detector_gaps import detector_mask, extra_gaps
from gnnmat.augment.measurement import (
    QUIETEST,
    counted,
    log_even,
    signal,
    smooth_background,
    with_false_peaks,
)
from gnnmat.augment.robust_scale import Scaled, mask_of, robust_scale
from gnnmat.augment.tables import named_file, read_mask, read_noise
from gnnmat.errors import GnnmatError
from gnnmat.sample import Batch
from gnnmat.simulation.layout import SliceLayout

if TYPE_CHECKING:
    from gnnmat.augment.ins_measurement import InsMeasurement


@dataclass(frozen=True)
class Drawn:
    """One spectrum as measured, before scaling.

    Args:
        image: (R, C) intensity, background subtracted, zero where there is no detector.
        clean: (R, C) intensity of the signal alone.
        mask: (R, C) True where there is no detector.
    """

    image: Tensor
    clean: Tensor
    mask: Tensor


class Measured(Scaled):
    """Images (B, 1, R, C) of intensity per energy -> what the instrument would give.

    Args:
        options: what is drawn.
        layout: of the images.
    """

    options: InsMeasurement
    noise: Tensor
    mask_bits: Tensor

    def __init__(self, options: InsMeasurement, layout: SliceLayout) -> None:
        super().__init__(options)
        self.layout = layout
        shape = len(layout.incident_energies), layout.slices
        self.noise = nn.Buffer(torch.full(shape, options.noise))
        # Eight pixels a byte: the mask travels with the weights.
        size = -(-math.prod(layout.image_shape) // 8) if options.mask else 0
        self.mask_bits = nn.Buffer(torch.zeros(size, dtype=torch.uint8))
        self._filled = False

    def prepare(self) -> None:
        """Read the noise table and the mask."""
        if self.options.noise_table:
            path = named_file(self.options.noise_table, "noise_table")
            self.noise.copy_(torch.from_numpy(read_noise(path, self.layout)))
        if self.options.mask:
            mask = read_mask(named_file(self.options.mask, "mask"), self.layout.image_shape)
            self.mask_bits.copy_(torch.from_numpy(np.packbits(mask)))

    def _refill(self) -> None:
        """Read the files again if they did not travel with the weights, as in shipped models."""
        if self._filled:
            return
        noise = bool(self.noise.any()) or not self.options.noise_table
        if not noise or (self.options.mask and not bool(self.mask_bits.any())):
            self.prepare()
        self._filled = True

    def forward(self, batch: Batch, draw: Draw, seed: int = 0, epoch: int = 0) -> Batch:
        if draw != "none":
            self._refill()
        if draw == "none":
            return super().forward(batch, draw, seed, epoch)
        made = copy(batch)
        images, masks, cleans = [], [], []
        rows = batch["row"].tolist()
        known = mask_of(batch)
        noise, named = self.noise.cpu().numpy(), self._named_mask()
        for row, image, mask in zip(rows, batch["image"], known, strict=True):
            generator = stream(draw, seed, epoch, row)
            drawn = self._measure(image[0].float(), mask[0], noise, named, generator)
            factor = math.exp(self.options.overall_scale * generator.standard_normal())
            scale = factor * self.scale(drawn.image, drawn.mask)
            images.append(self.finish(drawn.image, scale))
            masks.append(drawn.mask)
            if self.options.keep_clean:
                cleans.append(self.finish(drawn.clean, scale))
        made.image, made.mask = torch.stack(images)[:, None], torch.stack(masks)[:, None]
        if self.options.keep_clean:
            made.clean = torch.stack(cleans)[:, None]
        return made

    def _named_mask(self) -> NDArray[np.bool_] | None:
        """(Ei, slice, h, k) the mask of the config; None if it names none."""
        if not self.options.mask:
            return None
        bits = np.unpackbits(self.mask_bits.cpu().numpy(), count=math.prod(self.layout.image_shape))
        return self.layout.to_tiles(bits.astype(np.bool_).reshape(self.layout.image_shape))

    def known_masks(self) -> list[NDArray[np.bool_]]:
        """(R, C) each: the mask of the config, and its mirror image in k.

        None if the config names none, or a shipped model one that is not on this machine.
        """
        try:
            self._refill()
        except GnnmatError:
            return []
        named = self._named_mask()
        if named is None:
            return []
        both = (named, named[..., ::-1])
        return [np.ascontiguousarray(self.layout.to_image(tiles)) for tiles in both]

    def _measure(
        self,
        image: Tensor,
        known: Tensor,
        noise: NDArray[np.float32],
        named: NDArray[np.bool_] | None,
        generator: np.random.Generator,
    ) -> Drawn:
        """One spectrum (R, C) as measured."""
        options, (rows, columns) = self.options, self.layout.tile_shape
        tiles = signal(
            image.view(noise.shape[0], rows, noise.shape[1], columns),
            self.layout,
            generator,
            block_scale=options.block_scale,
            misset=options.misset,
            mosaic=options.mosaic,
        )
        mask = known | torch.from_numpy(self._gaps(named, generator)).to(known.device)
        clean = tiles.reshape(image.shape)
        # How large the noise is, is known relative to the 99th percentile of a measured image.
        seen = ~mask
        bright = robust_scale(clean * seen, mask, 99)
        if options.phonons:
            tiles = tiles + smooth_background(
                tiles, self.layout, generator, bright * options.phonons
            )
        sigma: NDArray[np.float32] = noise * np.float32(log_even(generator, options.noise_factor))
        if sigma.any():
            tiles = counted(
                tiles,
                np.float32(bright) * sigma.clip(min=np.float32(QUIETEST)),
                generator,
                background=options.background,
                residual=options.residual,
            )
        measured = with_false_peaks(tiles.reshape(image.shape), bright, generator, options.spurious)
        return Drawn(measured * seen, clean, mask)

    def _gaps(
        self, named: NDArray[np.bool_] | None, generator: np.random.Generator
    ) -> NDArray[np.bool_]:
        """(R, C) where this spectrum has no detector."""
        bare, mirror, more = generator.random(3)
        if bare < self.options.unmasked:
            return np.zeros(self.layout.image_shape, dtype=np.bool_)
        tiles = detector_mask(self.layout, generator) if named is None else named
        if mirror < self.options.mirrored:
            tiles = tiles[..., ::-1]
        if more < self.options.extra_gaps:
            tiles = tiles | extra_gaps(self.layout, generator)
        return np.ascontiguousarray(self.layout.to_image(tiles))
