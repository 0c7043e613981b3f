"""Images that are no spectrum of the magnet, made from images that are: the families by name.

Names and recipes were fixed before any of them was judged; none chooses a threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gnnmat.augment.augmentation import Draw
from gnnmat.augment.detector_gaps import detector_mask
from gnnmat.augment.measurement import counted
from gnnmat.simulation.layout import SliceLayout

Images = NDArray[np.float32]
Maker = Callable[[Images, SliceLayout, np.random.Generator], "Foreign"]


@dataclass(frozen=True)
class Foreign:
    """Samples of one family.

    Args:
        images: (n, R, C) intensity.
        masks: (n, R, C) True where there is no detector.
        draw: 'fixed' adds the noise and the gaps that a run was trained with, 'none' leaves the
            images as they are.
    """

    images: Images
    masks: NDArray[np.bool_]
    draw: Draw = "fixed"


@dataclass(frozen=True)
class ImageFamily:
    """What is done to images of the magnet, and in words what that means."""

    meaning: str
    make: Maker


def calculated(images: Images) -> Foreign:
    """Images without noise and gaps, as a simulation gives them."""
    return Foreign(images.astype(np.float32), np.zeros(images.shape, dtype=bool))


def white_noise(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Every pixel a positive number of its own."""
    noise = np.abs(rng.standard_normal(images.shape)).astype(np.float32)
    return Foreign(noise, np.zeros(images.shape, dtype=bool), "none")


def no_signal(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """What is counted without a sample."""
    counts = rng.poisson(5.0, images.shape) - 5.0
    return Foreign(
        np.clip(counts, 0, None).astype(np.float32), np.zeros(images.shape, dtype=bool), "none"
    )


def shuffled_pixels(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """The pixels of each tile in another order."""
    tiles = layout.to_tiles(images)
    flat = rng.permuted(tiles.reshape(*tiles.shape[:-2], -1), axis=-1)
    return calculated(layout.to_image(flat.reshape(tiles.shape)))


def shuffled_slices(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """The tiles of each image in another order."""
    tiles = layout.to_tiles(images)
    flat = tiles.reshape(len(images), -1, *tiles.shape[-2:])
    mixed = np.stack([one[rng.permutation(len(one))] for one in flat])
    return calculated(layout.to_image(mixed.reshape(tiles.shape)))


def reversed_energy(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """The slices of each incident energy from the highest to the lowest."""
    return calculated(layout.to_image(layout.to_tiles(images)[:, :, ::-1]))


def stitched(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Every tile from another image, on its scale."""
    tiles = layout.to_tiles(images)
    mixed = np.empty_like(tiles)
    for energy in range(tiles.shape[1]):
        for place in range(tiles.shape[2]):
            mixed[:, energy, place] = tiles[rng.permutation(len(tiles)), energy, place]
    return calculated(layout.to_image(mixed))


def shifted_origin(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Every tile moved by a quarter of its side along h and k, around the edge."""
    tiles = layout.to_tiles(images)
    rows, columns = layout.tile_shape
    return calculated(layout.to_image(np.roll(tiles, (rows // 4, columns // 4), axis=(-2, -1))))


def wrong_scale(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Every incident energy on a scale of its own, up to seven times off."""
    tiles = layout.to_tiles(images)
    shape = (len(images), tiles.shape[1], 1, 1, 1)
    factors = np.exp(rng.uniform(1.0, 2.0, shape) * rng.choice([-1.0, 1.0], shape))
    return calculated(layout.to_image(tiles * factors.astype(np.float32)))


def wrong_mask(images: Images, layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Measured with gaps, and then told that the gaps lie where they lie in the mirror."""
    measured, told = np.empty_like(images), np.zeros(images.shape, dtype=bool)
    sigma = np.ones((len(layout.incident_energies), layout.slices), dtype=np.float32)
    rows, columns = layout.tile_shape
    shape = (len(sigma), rows, layout.slices, columns)
    for place, image in enumerate(images):
        gaps = one_sided(detector_mask(layout, rng))
        bright = float(np.quantile(image, 0.99)) or 1.0
        tiles = torch.from_numpy(np.ascontiguousarray(image)).view(shape)
        noisy = counted(tiles, 0.1 * bright * sigma, rng, background=(2.0, 10.0), residual=0.0)
        seen = ~layout.to_image(gaps)
        measured[place] = noisy.clamp(min=0).reshape(image.shape).numpy() * seen
        told[place] = layout.to_image(gaps[..., ::-1])
    return Foreign(measured, told, "none")


def one_sided(gaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (Ei, slice, h, k) whose gaps along k are on one side alone."""
    half = gaps.copy()
    half[..., : gaps.shape[-1] // 2] = False
    return half


IMAGE_FAMILIES: dict[str, ImageFamily] = {
    "white_noise": ImageFamily("noise without any structure", white_noise),
    "no_signal": ImageFamily("background counts alone", no_signal),
    "shuffled_pixels": ImageFamily("the pixels of each slice in another order", shuffled_pixels),
    "shuffled_slices": ImageFamily("the slices in another order", shuffled_slices),
    "reversed_energy": ImageFamily("the slices from high energy to low", reversed_energy),
    "stitched": ImageFamily("every slice from another draw of the couplings", stitched),
    "shifted_origin": ImageFamily("a wrong zone centre", shifted_origin),
    "wrong_scale": ImageFamily("incident energies on wrong relative scales", wrong_scale),
    "wrong_mask": ImageFamily("a mask that belongs to the mirror image", wrong_mask),
}


def franken(materials: dict[str, Images], layout: SliceLayout, rng: np.random.Generator) -> Foreign:
    """Every slice from another material, all on one scale.

    Source: the composite of foreign spectra of Butler et al., J. Phys.: Condens. Matter 33,
    194006 (2021), which their network did not refuse.

    Args:
        materials: images (n, R, C) by the name of a material, at least two.
        layout: of the images.
        rng: chooses the materials.
    """
    every = list(materials.values())
    count = min(len(images) for images in every)
    scaled = [images[:count] / images[:count].mean((1, 2), keepdims=True) for images in every]
    tiles = np.stack([layout.to_tiles(images) for images in scaled])  # (materials, n, Ei, s, ...)
    shape = tiles.shape[1:4]
    chosen = rng.integers(len(tiles), size=shape)
    n, energy, place = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return calculated(layout.to_image(tiles[chosen, n, energy, place]))
